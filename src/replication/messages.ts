import type {
  ControllerEpoch,
  Incarnation,
  LeaderEpoch,
  NodeId,
  Offset,
  PartitionId,
  PartitionVersion,
} from '../model/numbers.ts';
import type { EpochStart } from '../storage/epoch-cache.ts';

/**
 * What replicas say to each other. Every message may be lost, doubled, late or out of order. `from` and
 * `fromIncarnation` are filled in by the sender and checked by the receiver against what it knows of the cluster.
 */

/** Follower to leader: data from `fetchOffset` on, please (PROTOCOL 2.6). Parked for `pollMsMax` while there is none. */
export interface Fetch {
  readonly kind: 'fetch';
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  readonly partition: PartitionId;
  readonly uuid: string;
  /** Of the follower's replica (R5). */
  readonly directoryId: string;
  /** Grows with every fetch of this replica in this life; a leader ignores one that is older than the newest it has seen. */
  readonly fetchId: number;
  /** The leader epoch that the follower follows. */
  readonly leaderEpoch: LeaderEpoch;
  /** Next wanted: the end of the follower's log. Drives reconciliation (R8). */
  readonly fetchOffset: Offset;
  /** Everything below it is on the follower's disk (R8). Drives high watermark, lag, joining. */
  readonly durableOffset: Offset;
  /** Epoch of the last record of the follower's log; 0: it is empty. */
  readonly lastFetchedEpoch: LeaderEpoch;
  /** Highest partition version that the follower has made durable: it acknowledges under it (R17). */
  readonly partitionVersion: PartitionVersion;
  /** Set while the follower builds a fresh directory from offset 0 on this leader in this epoch (C5, C6); else 0. */
  readonly rebuildId: number;
  readonly bytesMax: number;
}

/**
 * Follower to leader: more of what you sent is on disk now. Asks for nothing (R8). Same fields as of the fetch that
 * brought the data. Never before the first data reply of this epoch: until then the log may hold what the leader does
 * not have.
 */
export interface FetchProgress {
  readonly kind: 'fetchProgress';
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly directoryId: string;
  readonly leaderEpoch: LeaderEpoch;
  readonly durableOffset: Offset;
  readonly partitionVersion: PartitionVersion;
}

/**
 * `data`: batches (may be none) and what goes with them. `diverging`: your log parts from mine: truncate to
 * min(endOffset, your own end of `epoch`) and ask again. `resync`: tombstones you never saw are gone here: rebuild in a
 * fresh directory (C5). `fenced`: your epoch is old. `unknownEpoch`: it is newer than mine, or you are not assigned:
 * ask again later. `notLeader`. `outOfRange`: below my log's start.
 */
export type FetchOutcome =
  | {
      readonly result: 'data';
      /** Whole batches, as they lie in the leader's log, one after the other. */
      readonly bytes: Uint8Array;
      /** How many bytes were sent: what lost its end on the way is not taken for a gap. */
      readonly byteCount: number;
      /** The follower's next fetch offset: gaps left by a merge are behind it (C8). */
      readonly nextOffset: Offset;
      /**
       * Leader epochs that began at or above the fetch offset and below `nextOffset` (`LogSlice.epochs`): a merge may
       * have left no record of them.
       */
      readonly epochs: readonly EpochStart[];
      readonly highWatermark: Offset;
      /**
       * The leader's lease held when it said so (L4): nothing is committed above `highWatermark` that was committed
       * before the fetch was sent. Else somebody else may lead, or what is committed may be more than the leader knows
       * yet: a follower may not count its age from this reply.
       */
      readonly isCurrent: boolean;
      readonly logStartOffset: Offset;
      readonly removedFloor: number;
      /** No tombstone at or above this offset may be removed (R16). */
      readonly tombstoneRemoveOffset: Offset;
      /** The leader's committed state of the partition has this version (R17), */
      readonly partitionVersion: PartitionVersion;
      /** written by the controller of this epoch. */
      readonly controllerEpoch: ControllerEpoch;
    }
  | { readonly result: 'diverging'; readonly epoch: LeaderEpoch; readonly endOffset: Offset }
  | { readonly result: 'resync' | 'fenced' | 'unknownEpoch' | 'notLeader' | 'outOfRange' };

export interface FetchReply {
  readonly kind: 'fetchReply';
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  /** The life of the follower that asked. */
  readonly toIncarnation: Incarnation;
  readonly partition: PartitionId;
  readonly fetchId: number;
  /** The epoch in which the sender leads, or the highest it knows of. */
  readonly leaderEpoch: LeaderEpoch;
  readonly outcome: FetchOutcome;
}

/** Leader node to follower node: a stamp to be echoed (L1). One for all partitions between the two. */
export interface LeaseStamp {
  readonly kind: 'leaseStamp';
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  readonly sequence: number;
  /** The lease length D that the leader counts on. */
  readonly leaseMs: number;
  /** The leader's wall clock, for the alarm of R4. */
  readonly wallMs: number;
}

/** Follower node to leader node (L2): for these partitions I promise to lead nothing until D after I received the stamp. */
export interface LeaseEcho {
  readonly kind: 'leaseEcho';
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  /** The stamp: of which life of the leader, and which. */
  readonly leaderIncarnation: Incarnation;
  readonly sequence: number;
  /** What the follower promised; the leader counts on the smaller of the two. */
  readonly leaseMs: number;
  readonly wallMs: number;
  readonly partitions: readonly LeaseGrant[];
}

export interface LeaseGrant {
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly leaderEpoch: LeaderEpoch;
}

/**
 * Old leader to everybody assigned (L9): in this epoch I answer nothing any more. Only of a leader that could already
 * act (R20).
 */
export interface LeaderReleased {
  readonly kind: 'leaderReleased';
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly leaderEpoch: LeaderEpoch;
}

export type PeerMessage = Fetch | FetchProgress | FetchReply | LeaseStamp | LeaseEcho | LeaderReleased;
