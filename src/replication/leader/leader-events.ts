import type { IsrProposal, IsrProposalReply } from '../../model/control-messages.ts';
import type {
  Incarnation,
  LeaderEpoch,
  MonotonicMillis,
  NodeId,
  Offset,
  PartitionVersion,
} from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { Fetch, FetchOutcome, FetchProgress } from '../messages.ts';
import type { LogSnapshot } from '../rules/types.ts';

/** What a leader goes by that its partition's state does not say; of the same version of the cluster's facts (R2). */
export interface LeaderFacts {
  readonly minInsync: number;
  /** The lease length D. */
  readonly leaseMsMax: number;
}

/** What may happen to a leader. Every event carries the instant at which it is handled. */
export type LeaderEvent =
  | {
      readonly kind: 'fetch';
      readonly fetch: Fetch;
      readonly log: LogSnapshot;
      readonly nowMs: MonotonicMillis;
    }
  | { readonly kind: 'progress'; readonly progress: FetchProgress; readonly nowMs: MonotonicMillis }
  /** One grant of an echo of a stamp that this life of this node sent (4.3-12: the shell drops others). */
  | {
      readonly kind: 'echo';
      readonly from: NodeId;
      readonly fromIncarnation: Incarnation;
      readonly uuid: string;
      readonly leaderEpoch: LeaderEpoch;
      readonly sequence: number;
      /** The echo's: what the follower promised. */
      readonly leaseMs: number;
      /** Both taken before the stamp was sent (L1). */
      readonly sentAtMs: MonotonicMillis;
      readonly sentWallMs: number;
      readonly nowMs: MonotonicMillis;
    }
  /** The own disk or log moved on. */
  | {
      readonly kind: 'localDurable';
      readonly durableOffset: Offset;
      /** Of what is sealed. */
      readonly logEndOffset: Offset;
      readonly nowMs: MonotonicMillis;
    }
  /** Of the same leader epoch; its version is durable already (R17). Older versions do nothing. */
  | {
      readonly kind: 'stateApplied';
      readonly state: PartitionState;
      readonly facts: LeaderFacts;
      readonly live: ReadonlyMap<NodeId, Incarnation>;
      readonly nowMs: MonotonicMillis;
    }
  | { readonly kind: 'proposalReply'; readonly reply: IsrProposalReply; readonly nowMs: MonotonicMillis }
  /** Another controller reigns: what was proposed to the one before it may not have been heard. */
  | { readonly kind: 'controllerChanged'; readonly nowMs: MonotonicMillis }
  /** Its process refuses connections (R9). */
  | { readonly kind: 'peerRefused'; readonly node: NodeId; readonly nowMs: MonotonicMillis }
  /** Promises to others were released or have to be waited for (L5, L9). */
  | { readonly kind: 'mayAct'; readonly mayActAtMs: MonotonicMillis; readonly nowMs: MonotonicMillis }
  /** R9: the answer to a check of this version that was sent after all reads up to `upTo` had arrived. */
  | {
      readonly kind: 'versionChecked';
      readonly version: PartitionVersion;
      readonly outcome: 'confirmed' | 'changed' | 'unknown';
      readonly upTo: number;
      readonly nowMs: MonotonicMillis;
    }
  /** The first event of every leader, and then whenever `wakeAt` said. */
  | { readonly kind: 'tick'; readonly nowMs: MonotonicMillis };

/** What the shell does, in this order. */
export type LeaderEffect =
  /** Answer with data from `fetch.fetchOffset` on. */
  | { readonly kind: 'serve'; readonly fetch: Fetch }
  /**
   * Hold it until something is sealed, `pollMsMax` are over, a newer fetch of that replica comes, or `wakeParked`; then
   * answer as `serve`.
   */
  | { readonly kind: 'park'; readonly fetch: Fetch }
  | {
      readonly kind: 'reply';
      readonly fetch: Fetch;
      readonly outcome: Exclude<FetchOutcome, { readonly result: 'data' }>;
    }
  /** Answer everything parked: followers have to learn the new version (R17). */
  | { readonly kind: 'wakeParked' }
  /** Everything below is committed: put it into the index, then complete waiters (I6, I9). */
  | { readonly kind: 'commit'; readonly highWatermark: Offset }
  /** Send it to the controller. Sent again, unchanged, until answered. */
  | { readonly kind: 'propose'; readonly proposal: IsrProposal }
  /** A newer state of this epoch: make its version durable, then come back with `stateApplied` (R17). */
  | { readonly kind: 'adopt'; readonly state: PartitionState }
  /** Replaces the timer set before: `tick` then. */
  | { readonly kind: 'wakeAt'; readonly atMs: MonotonicMillis }
  /**
   * Somebody knows something newer: read the metadata again. Leases are dropped already where an epoch is in doubt
   * (4.3-5, L8).
   */
  | { readonly kind: 'suspectSelf'; readonly reason: 'newerEpoch' | 'newerVersion' }
  /** R1: appends are refused before they are made, or accepted again. */
  | { readonly kind: 'appends'; readonly accepted: boolean }
  /** What was appended may be sealed from now on (R17). Once in an epoch. */
  | { readonly kind: 'epochKnown' }
  /** Reads that arrived at or before `upTo` may be answered (R9). */
  | { readonly kind: 'readsConfirmed'; readonly upTo: number };
