import type { ProposedMember } from '../../../src/model/control-messages.ts';
import { asOffset } from '../../../src/model/numbers.ts';
import { minInsyncOf } from '../../../src/model/partition-state.ts';
import { LeaderCore } from '../../../src/replication/leader/leader-core.ts';
import { releasedMessage } from '../../../src/replication/leader/leader-messages.ts';
import { Replica } from '../../../src/replication/node/replica.ts';
import { ReplicaManager } from '../../../src/replication/node/replica-manager.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { LeaderView } from '../../../src/replication/rules/types.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

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
  mutation('follower takes a high watermark beyond its own log', 'KAFKA-14704', {
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
  mutation('a reply that lost its end is taken for one over a gap', 'C8', {
    replication: { arrivedWhole: () => true },
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
  // Rule by rule each covers the others: a state is accepted by epoch and version, a role ends only for a newer one,
  // and begins in no epoch below the highest known.
  mutation('the last state that comes is followed, whatever its epoch', 'L6, KAFKA-1096', {
    replication: {
      mayFollowEpoch: () => true,
      acceptsState: (seen, controllerEpoch, state) => {
        const acceptance = RULES.acceptsState(seen, controllerEpoch, state);
        return acceptance === 'older' ? 'newer' : acceptance;
      },
    },
    install: () =>
      replaced(
        Replica.prototype,
        'take',
        (original) =>
          function take(this: Replica, state) {
            const leaderEpoch = this.leader?.leaderEpoch ?? this.follower?.leaderEpoch ?? 0;
            if (leaderEpoch > state.leaderEpoch) void this.endLife();
            return original.call(this, state);
          },
      ),
  }),
  mutation('sealed records are called refused at step-down', 'R22', {
    replication: {
      stepDownOutcome: ({ highWatermark }) => ({ inDoubtFrom: highWatermark, refusedFrom: highWatermark }),
    },
  }),
  mutation('a shrink waits for silence only', 'KAFKA-7152', {
    replication: { isSilent: () => false },
  }),
  mutation('a proposal is forgotten when it is not wanted any more', '2.3, KIP-497', {
    install: proposalsGivenUp,
  }),
  mutation('a leader keeps the min.insync that its epoch began with', 'R2', { install: oldMinInsync }),
  mutation('who was asked to hand over says that it has, and leads on', 'L9', { install: handOverBySaying }),
  mutation('a promise is over before the lease that it gave', 'L2', {
    replication: {
      promiseUntil: (current, receivedAtMs, leaseMs) =>
        RULES.promiseUntil(current, receivedAtMs, leaseMs / 2),
    },
  }),
  mutation('written in an epoch of which nobody else knows', 'R17, I1', {
    replication: { isEpochKnown: () => true },
  }),
  mutation('a version of an earlier reign is learned from the leader', 'R17', {
    replication: { mayLearnVersion: () => true },
  }),
  mutation('a version counts before it was echoed', 'R17', {
    replication: {
      countsForHighWatermark: (view, progress) =>
        RULES.countsForHighWatermark(view, { ...progress, ackedVersion: view.state.version }),
    },
  }),
  mutation('a reply to an earlier life is taken', 'KIP-380', {
    install: () =>
      replaced(
        ReplicaManager.prototype,
        'receive',
        (original) =>
          function receive(this: ReplicaManager, message) {
            const toIncarnation = this.incarnation;
            original.call(this, message.kind === 'fetchReply' ? { ...message, toIncarnation } : message);
          },
      ),
  }),
];

function proposalsGivenUp(): () => void {
  const nodesOf = (members: readonly ProposedMember[] | null): string =>
    String(members?.map(({ node }) => node));
  return replaced(
    LeaderCore.prototype,
    'step',
    (original) =>
      function step(this: LeaderCore, event) {
        const view = this.view as Omit<LeaderView, 'pending'> & { pending: LeaderView['pending'] };
        const { pending } = view;
        if (pending !== null) {
          const wanted = RULES.nextIsr({ ...view, pending: null }, event.nowMs, RULES);
          if (nodesOf(wanted) !== nodesOf(pending.members)) view.pending = null;
        }
        return original.call(this, event);
      },
  );
}

function oldMinInsync(): () => void {
  return replaced(
    ReplicaManager.prototype,
    'newLeader',
    (original) =>
      function newLeader(this: ReplicaManager, first, store, host) {
        const role = original.call(this, first, store, host);
        const minInsync = minInsyncOf(first, this.view().facts);
        const stateApplied = role.stateApplied.bind(role);
        role.stateApplied = (state, view) => stateApplied({ ...state, minInsync }, view);
        return role;
      },
  );
}

function handOverBySaying(): () => void {
  return replaced(
    ReplicaManager.prototype,
    'newLeader',
    (original) =>
      function newLeader(this: ReplicaManager, state, store, host) {
        const role = original.call(this, state, store, host);
        const { settings, incarnation } = this;
        role.handOver = () => {
          if (!role.canAct) return;
          const message = releasedMessage({ settings, incarnation, state });
          for (const node of state.replicas) if (node !== settings.nodeId) host.send(node, message);
          host.handedOver(store.lastEpoch, store.logEndOffset);
        };
        return role;
      },
  );
}
