import type { NodeId } from '../../../src/model/numbers.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { LeaderView } from '../../../src/replication/rules/types.ts';
import { CommittedIndex } from '../../../src/storage/committed-index.ts';
import { RecordKind } from '../../../src/storage/format/record.ts';
import { MERGE_RULES } from '../../../src/storage/merge-rules.ts';
import { Overlay } from '../../../src/storage/overlay.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { SegmentedLog } from '../../../src/storage/segmented-log.ts';
import { TAIL_RULES } from '../../../src/storage/tail-verdict.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

type MutableMergeRules = { -readonly [Name in keyof typeof MERGE_RULES]: (typeof MERGE_RULES)[Name] };
const mergeRules = MERGE_RULES as MutableMergeRules;

/** What a merge may remove. */
export const MERGE_MUTATIONS: readonly Mutation[] = [
  mutation('tombstones removed by any merge', 'C4', {
    install: () =>
      replaced(mergeRules, 'mayRemove', (original) => (facts) => original({ ...facts, isPrefix: true })),
  }),
  mutation('tombstones removed before all have them', 'R16', {
    install: () =>
      replaced(
        mergeRules,
        'mayRemove',
        () =>
          ({ isPrefix, isFloorPinned }) =>
            isPrefix && !isFloorPinned,
      ),
  }),
  // The pin alone spares work: R16 waits for who has nothing on its disk yet, and a rebuild whose leader's floor has
  // moved begins anew.
  mutation('floor moves while a follower is rebuilt', 'C5', {
    replication: {
      floorPinned: () => false,
      tombstoneRemoveOffset: (view, nowMs, retentionMs) =>
        RULES.tombstoneRemoveOffset(withoutRebuilt(view), nowMs, retentionMs),
      checkFetch: (view, fetch, log, { progress, rebuild }) => {
        const begunNow = rebuild && { ...rebuild, removalCount: log.removalCount };
        return RULES.checkFetch(view, fetch, log, { progress, rebuild: begunNow });
      },
    },
  }),
  // A segment that is merged before it is committed ends the mutant: the commit does not find it. So merge takes what
  // it may, and asks who may not be asked.
  mutation('what is not committed is merged', 'C2', { install: uncommittedEvidence }),
  mutation('a flush is dropped by any merge', 'R15, C4', {
    install: () =>
      replaced(mergeRules, 'mayRemove', (original) => (facts) => facts.isFlush || original(facts)),
  }),
  mutation('a flush leaves the keydir as it is', 'R15', {
    install: () =>
      replaced(
        CommittedIndex.prototype,
        'apply',
        (original) =>
          function apply(this: CommittedIndex, record, segment) {
            if (record.kind !== RecordKind.flush) original.call(this, record, segment);
          },
      ),
  }),
  mutation('commands do not see a flush that is not committed', 'R15', {
    install: () => replaced(Overlay.prototype, 'flushedAbove', () => () => -1),
  }),
];

/** What a start makes of what it finds. */
export const RECOVERY_MUTATIONS: readonly Mutation[] = [
  mutation('a rotten tail is taken for a torn one', 'R19', {
    install: () =>
      replaced(TAIL_RULES, 'judgeTail', (original) => (bytes, position, nextOffset) => {
        const verdict = original(bytes, position, nextOffset);
        return verdict === 'clean' ? verdict : 'torn';
      }),
  }),
  mutation('a sync that failed is taken for done', 'R24, KAFKA-10778', {
    install: () =>
      replaced(
        SegmentedLog.prototype,
        'sync',
        (original) =>
          async function sync(this: SegmentedLog) {
            await original.call(this).catch(() => undefined);
          },
      ),
  }),
];

/** As if nobody were being built anew. */
function withoutRebuilt(view: LeaderView): LeaderView {
  const { state, followers } = view;
  const stays = (node: NodeId): boolean => followers.get(node)?.isRebuilding !== true;
  const assigned = { replicas: state.replicas.filter(stays), adding: state.adding.filter(stays) };
  return { ...view, state: { ...state, ...assigned } };
}

/** A merge leaves out what a leader has appended something newer for, committed or not. */
function uncommittedEvidence(): () => void {
  const leaders = new WeakMap<CommittedIndex, PartitionStore>();
  const restores = [
    replaced(
      PartitionStore.prototype,
      'beginEpoch',
      (original) =>
        function beginEpoch(this: PartitionStore, epoch) {
          leaders.set(this.index, this);
          return original.call(this, epoch);
        },
    ),
    replaced(mergeRules, 'isLive', (original) => (index, record) => {
      const { bytes, keyStart: start, keyEnd: end, hash, database, kind } = record;
      const newest = leaders.get(index)?.newestUncommitted(database, { bytes, start, end, hash }) ?? -1;
      return original(index, record) && (kind !== RecordKind.put || newest < 0);
    }),
  ];
  return () => {
    for (const restore of restores) restore();
  };
}
