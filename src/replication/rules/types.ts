import type {
  Incarnation,
  LeaderEpoch,
  MonotonicMillis,
  NodeId,
  Offset,
  PartitionVersion,
} from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';

/** What a leader knows of one other replica, in its present epoch. Plain data; every change makes a new one. */
export interface FollowerProgress {
  readonly node: NodeId;
  /** The life and directory that the fetches came from. */
  readonly incarnation: Incarnation;
  readonly directoryId: string;
  /** Next wanted by the last fetch that reconciliation accepted in this epoch; -1: none yet. */
  readonly fetchOffset: Offset;
  /** -1: none yet in this epoch. */
  readonly durableOffset: Offset;
  /** Partition version it acknowledges under (R17). */
  readonly ackedVersion: PartitionVersion;
  /** Of the last accepted fetch; -Infinity: none. */
  readonly lastFetchAtMs: MonotonicMillis;
  /** The leader's log end at that fetch. */
  readonly lastFetchLogEnd: Offset;
  /** PROTOCOL 2.4. -Infinity: never. */
  readonly lastCaughtUpAtMs: MonotonicMillis;
  /** Until when its promise surely holds, by the leader's clock (L3); -Infinity: no lease. */
  readonly leaseUntilMs: MonotonicMillis;
  /** Sequence of the newest stamp it echoed for this epoch; -1: none. */
  readonly echoedSequence: number;
}

/** An ISR that was proposed and not yet answered. Counts at once where it adds, never where it removes (maximal ISR, 2.4). */
export interface PendingIsr {
  readonly isr: readonly NodeId[];
  readonly version: PartitionVersion;
  readonly proposalId: number;
}

/** Everything a leader's rules look at. */
export interface LeaderView {
  readonly self: NodeId;
  /** Last state applied from the controller: what is committed (R1). */
  readonly state: PartitionState;
  readonly pending: PendingIsr | null;
  /** By node, without self. */
  readonly followers: ReadonlyMap<NodeId, FollowerProgress>;
  /** Incarnations that are alive, as last pushed. */
  readonly live: ReadonlyMap<NodeId, Incarnation>;
  readonly minInsync: number;
  readonly lagMsMax: number;
  /** Everything below it is on the leader's own disk. */
  readonly durableOffset: Offset;
  readonly logEndOffset: Offset;
  readonly highWatermark: Offset;
  /** Log end when this epoch began: LESO. */
  readonly epochStartOffset: Offset;
  readonly leaderEpoch: LeaderEpoch;
}
