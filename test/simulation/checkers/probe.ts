import type { Incarnation, LeaderEpoch, NodeId, Offset, PartitionId } from '../../../src/model/numbers.ts';
import type { StateDigest } from '../../../src/storage/digest.ts';
import type { LogSlice } from '../../../src/storage/replica-log.ts';

/** One replica in one life of its node, as it stands at this instant: one object as long as life and directory are the same. */
export interface ReplicaProbe {
  readonly node: NodeId;
  /** Of the node: 1 for its first start. */
  readonly life: number;
  readonly partition: PartitionId;
  readonly directoryId: string;
  readonly isLeader: boolean;
  /** The epoch it leads or follows in; 0: none. */
  readonly leaderEpoch: LeaderEpoch;
  /** It leads and L5 is over. */
  readonly canAct: boolean;
  /** It leads, and may write in its epoch: a coordinator that forgets may let another begin one that is not known (R17). */
  readonly isEpochKnown: boolean;
  readonly highWatermark: Offset;
  /** So far its role has said that everything is committed; the high watermark comes after it, also when the role is over. */
  readonly commitTarget: Offset;
  readonly durableOffset: Offset;
  /** Everything below it can be read. */
  readonly sealedOffset: Offset;
  readonly logEndOffset: Offset;
  readonly logStartOffset: Offset;
  readonly removedFloor: number;
  /** What the log lies in: one that is not there any more was merged, or cut off. */
  readonly segments: readonly object[];
  /**
   * As long as it is the same, so are directory, role, epoch, `canAct`, `isEpochKnown`, the high watermark and its
   * target, `durableOffset`, `sealedOffset` and `removedFloor` from one look to the next.
   */
  readonly changeCount: number;
  /** It leads, may act, and the promises of its whole lease set run: it would answer a read now (L4). */
  hasLease(): boolean;
  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice>;
  /** Of the committed state as the index has it; null: it moved on meanwhile, or there is none. */
  digest(): Promise<StateDigest | null>;
}

export interface NodeProbe {
  readonly node: NodeId;
  readonly life: number;
  readonly incarnation: Incarnation;
  readonly replicas: readonly ReplicaProbe[];
}

/** Everybody who is alive now. */
export type Probe = () => readonly NodeProbe[];
