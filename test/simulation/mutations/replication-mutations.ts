import { asOffset } from '../../../src/model/numbers.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { type Mutation, mutation } from './mutation.ts';

/** In-sync replicas, high watermark, reconciliation. */
export const REPLICATION_MUTATIONS: readonly Mutation[] = [
  mutation('LESO condition dropped', 'KAFKA-7128', {
    replication: {
      mayJoinIsr: (view, progress, nowMs, rules) =>
        RULES.mayJoinIsr({ ...view, epochStartOffset: asOffset(0) }, progress, nowMs, rules),
    },
  }),
  mutation('joins the ISR below the high watermark', '2.4', {
    replication: {
      mayJoinIsr: (view, progress, nowMs, rules) =>
        RULES.mayJoinIsr(
          { ...view, epochStartOffset: asOffset(0), highWatermark: asOffset(0) },
          progress,
          nowMs,
          rules,
        ),
    },
  }),
  mutation('pending expansion counts for the size test', 'R1', {
    replication: {
      acceptsAppends: (view) => {
        const pending = 'pending' in view ? (view as Parameters<typeof RULES.maximalIsr>[0]) : null;
        const isr = pending === null ? view.state.isr : RULES.maximalIsr(pending);
        return isr.length >= view.minInsync;
      },
    },
  }),
  mutation('high watermark moves below min.insync', 'R1, KAFKA-15583', {
    replication: { acceptsAppends: () => true },
  }),
  mutation('shrink applied at once', '2.4', {
    replication: {
      maximalIsr: ({ state, pending }) => pending?.members.map(({ node }) => node) ?? state.isr,
    },
  }),
  mutation('expansion counts only after its commit', '2.4', {
    replication: { maximalIsr: ({ state }) => state.isr },
  }),
  mutation('a follower counts whatever its life and directory', 'R5, KIP-903', {
    replication: { countsForHighWatermark: (_view, progress) => progress.fetchOffset >= 0 },
  }),
  mutation('ack before the follower has it on disk', 'R8', {
    replication: {
      noteFetch: (progress, word, logEndOffset, nowMs) =>
        RULES.noteFetch(
          progress,
          word.fetchOffset >= 0 ? { ...word, durableOffset: word.fetchOffset } : word,
          logEndOffset,
          nowMs,
        ),
    },
  }),
  mutation('ack before the leader has it on disk', 'I6', {
    replication: {
      highWatermark: (view, nowMs, rules) =>
        RULES.highWatermark({ ...view, durableOffset: view.logEndOffset }, nowMs, rules),
    },
  }),
  mutation("follower takes the leader's high watermark beyond its own log", 'KAFKA-14704', {
    replication: {
      followerHighWatermark: ({ current, logEndOffset, outcome }) =>
        asOffset(Math.max(current, outcome.result === 'data' ? logEndOffset : current)),
    },
  }),
  mutation('truncate to the high watermark', 'KIP-101', {
    replication: {
      truncationPoint: ({ highWatermark }) => ({ kind: 'truncate', offset: highWatermark }),
    },
  }),
  mutation('diverging logs are not told apart', '2.6', {
    replication: {
      checkFetch: (view, fetch, log, known) => {
        const refusal = RULES.checkFetch(view, fetch, log, known);
        return refusal?.outcome.result === 'diverging' ? null : refusal;
      },
    },
  }),
  mutation('removedFloor skipped', 'C5, R16', {
    replication: {
      checkFetch: (view, fetch, log, known) =>
        RULES.checkFetch(view, fetch, { ...log, removedFloor: -1 }, known),
    },
  }),
  // Rule by rule each covers the others: a state is accepted by epoch and version, and a role begins in no epoch below the highest known.
  mutation('the last state that comes is followed, whatever its epoch', 'L6, KAFKA-1096', {
    replication: {
      mayFollowEpoch: () => true,
      acceptsState: (seen, controllerEpoch, state) => {
        const acceptance = RULES.acceptsState(seen, controllerEpoch, state);
        return acceptance === 'older' ? 'newer' : acceptance;
      },
    },
  }),
  mutation('sealed records are called refused at step-down', 'R22', {
    replication: {
      stepDownOutcome: ({ highWatermark }) => ({ inDoubtFrom: highWatermark, refusedFrom: highWatermark }),
    },
  }),
  mutation('a shrink waits for silence only', 'KAFKA-7152', {
    replication: { isSilent: () => false },
  }),
];
