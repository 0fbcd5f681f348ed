import { CaskadeError, InvariantError } from '../model/errors.ts';
import { asLeaderEpoch, asOffset, asPartitionId, type Offset, type PartitionId } from '../model/numbers.ts';
import {
  type Admission,
  type LeaderPartition,
  type PartitionStats,
  ReadOutcome,
} from '../replication/leader-partition.ts';

const NOT_HERE = new CaskadeError('noLeader', 'This node does not lead the partition of the key');
const NEVER: Admission = { verdict: 'refuse', error: NOT_HERE };

function neverAppended(): never {
  throw new InvariantError('an append to a partition that another node leads');
}

/**
 * Stands where this node leads nothing: refuses every read and every write before anything happens. What asks a
 * `Placement` first never meets it.
 */
export class NoPartition implements LeaderPartition {
  readonly id: PartitionId = asPartitionId(-1);
  readonly leaderEpoch = asLeaderEpoch(0);
  readonly isOver: boolean = true;
  readonly highWatermark = asOffset(0);
  readonly durableOffset = asOffset(0);
  readonly logEndOffset = asOffset(0);
  readonly suspension: Promise<void> = Promise.resolve();
  get refusal(): CaskadeError {
    return NOT_HERE;
  }

  readonly congestion = null;

  hash(_bytes: Uint8Array, _start: number, _end: number): number {
    return 0;
  }

  readCommitted(..._read: Parameters<LeaderPartition['readCommitted']>): ReadOutcome {
    return ReadOutcome.refused;
  }

  readAppended(): ReadOutcome {
    return ReadOutcome.refused;
  }

  confirmRead(): ReadOutcome {
    return ReadOutcome.refused;
  }

  writeRefusal(): CaskadeError {
    return NOT_HERE;
  }

  beginGroup(): void {
    neverAppended();
  }

  endGroup(): void {
    neverAppended();
  }

  put(): Offset {
    return neverAppended();
  }

  remove(): Offset {
    return neverAppended();
  }

  changeExpiry(): Offset {
    return neverAppended();
  }

  flushDatabase(): Offset {
    return neverAppended();
  }

  admit(): Admission {
    return NEVER;
  }

  beginCommand(): void {
    neverAppended();
  }

  endCommand(): Offset {
    return neverAppended();
  }

  listen(): void {}

  whenResolved(): Promise<void> {
    return Promise.resolve();
  }

  whenFlushed(): Promise<void> {
    return Promise.resolve();
  }

  keyCount(): number {
    return 0;
  }

  expiringKeyCount(): number {
    return 0;
  }

  scan(): number {
    return 0;
  }

  stats(): PartitionStats {
    throw new InvariantError('there are no figures of a partition that another node leads');
  }

  mergeNow(): Promise<void> {
    return Promise.reject(NOT_HERE);
  }
}

export const NO_PARTITION: LeaderPartition = new NoPartition();
