import type { ProposedMember } from '../../model/control-messages.ts';
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
  /** When the leader began to watch this life and directory: until `lagMsMax` later nothing is held against it. */
  readonly sinceMs: MonotonicMillis;
  /** Of the last accepted fetch; -Infinity: none. */
  readonly lastFetchAtMs: MonotonicMillis;
  /** PROTOCOL 2.4. -Infinity: never. */
  readonly lastCaughtUpAtMs: MonotonicMillis;
  /**
   * The mark it has to reach on disk to have been caught up at `lagMarkAtMs`: the leader's log end then. A new one is
   * set when it is reached.
   */
  readonly lagMarkOffset: Offset;
  /** -Infinity: no mark is set. */
  readonly lagMarkAtMs: MonotonicMillis;
  /** It builds a fresh directory that is not swapped in yet: it cannot be a member (C6). */
  readonly isRebuilding: boolean;
  /** Until when its promise surely holds, by the leader's clock (L3); -Infinity: no lease. */
  readonly leaseUntilMs: MonotonicMillis;
  /** The leader's wall clock minus its monotonic one when it sent the stamp that the lease rests on (PROTOCOL 4.3-9). */
  readonly leaseClockGapMs: number;
  /** Sequence of the newest stamp it echoed for this epoch; -1: none. */
  readonly echoedSequence: number;
}

/**
 * An ISR that was proposed. Counts at once where it adds, never where it removes (maximal ISR, 2.4), and in general
 * until the version moves on: whatever was answered, a double of the message may still be on its way.
 */
export interface PendingIsr {
  readonly members: readonly ProposedMember[];
  readonly version: PartitionVersion;
  readonly proposalId: number;
}

/** Everything a leader's rules look at. */
export interface LeaderView {
  readonly self: NodeId;
  readonly incarnation: Incarnation;
  readonly directoryId: string;
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
  /** Of what is sealed: what the leader's own slow disk keeps open, nobody can fetch, and it is nobody's lag (KAFKA-8733). */
  readonly logEndOffset: Offset;
  readonly highWatermark: Offset;
  /** Log end when this epoch began: LESO. */
  readonly epochStartOffset: Offset;
  readonly leaderEpoch: LeaderEpoch;
  /** It acts (high watermark, reads, proposals, release) from then on: L5. */
  readonly mayActAtMs: MonotonicMillis;
  /** When its epoch began here. */
  readonly startedAtMs: MonotonicMillis;
  /** Since when it hears its followers: the beginning of the epoch, or the end of its own last pause. */
  readonly listeningSinceMs: MonotonicMillis;
  /** The committed ISR had `minInsync` members at some time in this epoch (R10). */
  readonly hasHadMinInsync: boolean;
  /** So many have fetched in this epoch at some time that no controller can miss it (R17). */
  readonly isEpochKnown: boolean;
  /** Not to be proposed for now: the controller called them ineligible. */
  readonly barred: ReadonlySet<NodeId>;
  /** Their processes refuse connections, and nothing was fetched since (R9). */
  readonly refused: ReadonlySet<NodeId>;
}

/** What a leader looks at to check one fetch: read once, so that all answers are of one instant (KAFKA-5036). */
export interface LogSnapshot {
  readonly logStartOffset: Offset;
  /** Everything below it may be fetched. */
  readonly sealedOffset: Offset;
  readonly logEndOffset: Offset;
  readonly removedFloor: number;
  /** Merges in this process that left out tombstones, above or below the floor. */
  readonly removalCount: number;
  /** Step 2 of PROTOCOL 2.6. */
  epochEnd(epoch: LeaderEpoch): { readonly epoch: LeaderEpoch; readonly endOffset: Offset };
}

/** A follower builds a fresh directory from offset 0 on this leader in this epoch (C5, C6). */
export interface Rebuild {
  readonly node: NodeId;
  readonly rebuildId: number;
  /**
   * Of the leader when the rebuild began: if there were more since, the rebuild is void. The floor does not tell: a
   * tombstone below it may go as well, and the rebuild have begun with the value that it kills.
   */
  readonly removalCount: number;
  readonly startedAtMs: MonotonicMillis;
  readonly lastFetchAtMs: MonotonicMillis;
}
