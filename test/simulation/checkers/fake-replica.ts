import {
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  type Offset,
} from '../../../src/model/numbers.ts';
import type { StateDigest } from '../../../src/storage/digest.ts';
import type { LogSlice } from '../../../src/storage/replica-log.ts';
import { batchBytes, type RecordSource } from '../../support/batch-bytes.ts';
import type { NodeProbe, ReplicaProbe } from './probe.ts';

interface FakeBatch {
  readonly base: number;
  readonly next: number;
  readonly bytes: Uint8Array;
}

/** A replica whose marks and batches the test sets by hand. */
export class FakeReplica implements ReplicaProbe {
  readonly node;
  readonly partition = asPartitionId(0);
  readonly logStartOffset = asOffset(0);
  directoryId = 'd1';
  life = 1;
  isLeader = false;
  leaderEpoch = asLeaderEpoch(1);
  canAct = true;
  isEpochKnown = true;
  lease = true;
  highWatermark = asOffset(0);
  durableOffset = asOffset(0);
  decidedOffset = 0;
  segments: readonly object[] = [];
  removedFloor = -1;
  stateDigest: StateDigest | null = null;
  #batches: FakeBatch[] = [];
  #changeCount = 0;

  constructor(node: number) {
    this.node = asNodeId(node);
  }

  get commitTarget(): Offset {
    return asOffset(Math.max(this.highWatermark, this.decidedOffset));
  }

  get logEndOffset(): Offset {
    return asOffset(this.#batches.at(-1)?.next ?? 0);
  }

  get sealedOffset(): Offset {
    return this.logEndOffset;
  }

  /** A test may have set any mark since. */
  get changeCount(): number {
    this.#changeCount += 1;
    return this.#changeCount;
  }

  hasLease(): boolean {
    return this.lease;
  }

  /** Appends one batch of puts and tombstones: a value, or null. */
  append(epoch: number, ...pairs: readonly (readonly [key: string, value: string | null])[]): this {
    const records = pairs.map(
      ([key, value]): RecordSource => (value === null ? { kind: 2, key } : { key, value }),
    );
    const base = this.logEndOffset;
    this.#batches.push({ base, next: base + records.length, bytes: batchBytes(records, base, epoch) });
    this.durableOffset = this.logEndOffset;
    return this;
  }

  /** Takes the batch at `base` away, as a merge does. */
  remove(base: number): this {
    this.#batches = this.#batches.filter((batch) => batch.base !== base);
    return this;
  }

  /** Throws the log away and begins an empty one in another directory, as a rebuild does. */
  begunAnew(directoryId: string): this {
    this.#batches = [];
    this.directoryId = directoryId;
    return this.commit(0);
  }

  commit(highWatermark: number): this {
    this.highWatermark = asOffset(highWatermark);
    return this;
  }

  leads(epoch: number): this {
    this.isLeader = true;
    this.leaderEpoch = asLeaderEpoch(epoch);
    return this;
  }

  batchesPerRead = Number.POSITIVE_INFINITY;
  /** Called before each read. */
  reading: (offset: number) => void = () => undefined;

  readLog(offset: Offset): LogSlice {
    this.reading(offset);
    const batches = this.#batches.filter(({ next }) => next > offset).slice(0, this.batchesPerRead);
    const bytes = Buffer.concat(batches.map((batch) => batch.bytes));
    return {
      bytes,
      nextOffset: asOffset(Math.max(offset, batches.at(-1)?.next ?? this.logEndOffset)),
      epochs: [],
    };
  }

  digest(): Promise<StateDigest | null> {
    return Promise.resolve(this.stateDigest);
  }

  get probe(): NodeProbe {
    return { node: this.node, life: this.life, incarnation: asIncarnation(this.life), replicas: [this] };
  }
}
