import { CaskadeError } from '../model/errors.ts';

/** Where the record of a write lies, or would lie. */
export interface RecordVersion {
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly offset: number;
}

/** Who leads a partition, as far as the node that says so has heard. */
export interface LeaderHint {
  readonly node: number;
  readonly leaderEpoch: number;
  /** `host:port` where it listens for gRPC. */
  readonly address: string;
}

const UNKNOWN: RecordVersion = { partition: -1, leaderEpoch: -1, offset: -1 };

/**
 * A write that may have been done, or may yet be. Worded as in RESP: partition, epoch and offset, -1 where they are not
 * known, then why. Nothing that knows no more than this error sends the same write again.
 */
export class InDoubtError extends CaskadeError {
  /** Null: not known, for the store itself has not answered. */
  readonly version: RecordVersion | null;
  readonly reason: string;

  constructor(version: RecordVersion | null, reason: string, options?: { cause?: unknown }) {
    const { partition, leaderEpoch, offset } = version ?? UNKNOWN;
    super('inDoubt', `${partition} ${leaderEpoch} ${offset} ${reason}`, options);
    this.name = 'InDoubtError';
    this.version = version;
    this.reason = reason;
  }
}

/** Refused by a node that does not lead the partition of the key. */
export class NotLeaderError extends CaskadeError {
  readonly leader: LeaderHint;

  constructor(leader: LeaderHint, message: string) {
    super('notLeader', message);
    this.name = 'NotLeaderError';
    this.leader = leader;
  }
}
