import type { ControllerEpoch, LeaderEpoch, Offset, PartitionVersion } from '../../model/numbers.ts';
import type { EpochStart } from '../../storage/epoch-cache.ts';
import type { ReplicaLog } from '../../storage/replica-log.ts';
import type { FetchOutcome } from '../messages.ts';

/**
 * What the core looks at of the log that it fills: read at each step, so that no two marks are of different moments
 * (KAFKA-5036).
 */
export type FollowedLog = Pick<
  ReplicaLog,
  'logEndOffset' | 'durableOffset' | 'committedOffset' | 'lastEpoch' | 'epochEnd'
>;

export type FollowerEvent =
  | { readonly kind: 'started' }
  | {
      readonly kind: 'reply';
      readonly fetchId: number;
      readonly leaderEpoch: LeaderEpoch;
      readonly outcome: FetchOutcome;
      /** Epoch of the last batch of the data; null: there is none, or it cannot be read. */
      readonly lastEpoch: LeaderEpoch | null;
    }
  | { readonly kind: 'written' }
  /** Nothing of it was written: it does not check. */
  | { readonly kind: 'replyCorrupt' }
  /** The log can be neither read nor trusted any more; it has to be built anew. */
  | { readonly kind: 'logCorrupt' }
  | { readonly kind: 'diskFailed' }
  | { readonly kind: 'truncated' }
  /** A fresh and empty directory is open: it is what fetches fill from now on. */
  | { readonly kind: 'rebuildOpened' }
  /** The fresh directory is synced and the one that counts. */
  | { readonly kind: 'rebuilt' }
  /** Acknowledging under this version is allowed from now on (R17). */
  | { readonly kind: 'versionDurable'; readonly version: PartitionVersion }
  /** It could not be made durable: it is asked for again when a reply names it again. */
  | { readonly kind: 'versionFailed'; readonly version: PartitionVersion }
  | { readonly kind: 'timer' };

/**
 * What the shell has to do, in this order. `append`, `truncate`, `openRebuild` and `finishRebuild` run one after the
 * other and end with the event that belongs to them; the rest is done at once.
 */
export type FollowerEffect =
  | {
      readonly kind: 'fetch';
      readonly fetchId: number;
      readonly fetchOffset: Offset;
      /** Only what is on disk when it is sent (R8). */
      readonly durableOffset: Offset;
      readonly lastFetchedEpoch: LeaderEpoch;
      /** Only a version that is durable in the node's state (R17). */
      readonly partitionVersion: PartitionVersion;
      readonly rebuildId: number;
    }
  | {
      readonly kind: 'progress';
      readonly durableOffset: Offset;
      readonly partitionVersion: PartitionVersion;
    }
  | {
      readonly kind: 'append';
      readonly bytes: Uint8Array;
      /** Where the log must end. */
      readonly fromOffset: Offset;
      readonly nextOffset: Offset;
      readonly epochs: readonly EpochStart[];
      readonly deferSync: boolean;
    }
  | { readonly kind: 'commit'; readonly highWatermark: Offset }
  | { readonly kind: 'truncate'; readonly offset: Offset }
  | { readonly kind: 'openRebuild' }
  | { readonly kind: 'finishRebuild' }
  | {
      readonly kind: 'persistVersion';
      readonly version: PartitionVersion;
      /** Of the controller that wrote it. */
      readonly controllerEpoch: ControllerEpoch;
    }
  /** Replaces the timer that runs; the shell adds its jitter. */
  | { readonly kind: 'setTimer'; readonly delayMs: number }
  | { readonly kind: 'trouble'; readonly trouble: 'disk' | 'corrupt'; readonly text: string }
  /** Somebody knows a newer epoch: the push that told of it may be lost. */
  | { readonly kind: 'suspectSelf' }
  | { readonly kind: 'dropped'; readonly text: string };
