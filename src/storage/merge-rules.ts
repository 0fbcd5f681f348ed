import type { Offset } from '../model/numbers.ts';
import type { CommittedIndex, IndexedRecord } from './committed-index.ts';

/** What decides whether a tombstone, or a flush, may be left out of a merge. */
export interface RemovalFacts {
  readonly offset: number;
  /** It says that all keys before it are gone (R15). */
  readonly isFlush: boolean;
  /** The merge begins at the log's first segment: nothing older survives outside of it. */
  readonly isPrefix: boolean;
  /** Every assigned replica has everything below it on its disk (MTRO); Infinity on one node. */
  readonly tombstoneRemoveOffset: number;
  /** A replica is being built from this log: what it began with must still be told apart from what came later. */
  readonly isFloorPinned: boolean;
}

/** The rules of a merge, pure and each replaceable by a test. */
export const MERGE_RULES = {
  /**
   * Only committed records are evidence, and only what they superseded goes: nothing at or above the committed offset
   * is touched (PROTOCOL C2, C3).
   */
  isMergeable: (segmentEnd: Offset, committedOffset: Offset): boolean => segmentEnd <= committedOffset,

  /**
   * Whether the record still says something that no newer committed record says. Of tombstones and flushes `mayRemove`
   * decides.
   */
  isLive: (index: CommittedIndex, record: IndexedRecord): boolean => index.isLive(record),

  /**
   * Both needed: nothing older of the key survives here (C4a), and all replicas have seen it (C4b, R16); nobody may
   * miss it half way (C5).
   */
  mayRemove: (facts: RemovalFacts): boolean =>
    facts.isPrefix && facts.offset < facts.tombstoneRemoveOffset && !facts.isFloorPinned,
} as const;

export type MergeRules = typeof MERGE_RULES;
