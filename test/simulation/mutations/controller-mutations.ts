import { CONTROLLER_RULES } from '../../../src/controller/rules/rules.ts';
import type { Operation } from '../../../src/coordination/coordinator.ts';
import { CONTROLLER_EPOCH_PATH, CONTROLLER_PATH } from '../../../src/coordination/paths.ts';
import type { LeaderEpoch } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { SimulatedSessionFactory } from '../world/coordinator-session.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

type World = Parameters<typeof CONTROLLER_RULES.decide>[2];
type Decision = ReturnType<typeof CONTROLLER_RULES.decide>;

/** Elections and membership. */
export const CONTROLLER_MUTATIONS: readonly Mutation[] = [
  mutation('same epoch resumed', '2.8, 4.3-17', {
    controller: { nextLeaderEpoch: (committed): LeaderEpoch => committed },
  }),
  mutation('a wiped disk keeps its place', 'R5', {
    controller: {
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'foreign' ? 'returned' : kind;
      },
    },
  }),
  mutation('a lossy member keeps its place', 'R6', {
    controller: {
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'lossy' ? 'returned' : kind;
      },
    },
  }),
  mutation('a quick bounce goes unseen', 'KIP-380', {
    controller: {
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'returned' || kind === 'unknown' ? 'current' : kind;
      },
    },
  }),
  mutation('the ELR outlives a full ISR', 'R1', {
    controller: {
      nextIsrElr: (now, nextIsr, _minInsync, dropped) => ({
        isr: nextIsr,
        elr: [...new Set([...now.elr, ...now.isr])].filter(
          (node) => !nextIsr.includes(node) && !dropped.has(node),
        ),
      }),
    },
  }),
  // That nobody is left out when the ELR is written is harmless alone: who stands in it is judged once more when it
  // would be elected, and a lossy replica stays lossy, in all its lives, until it is a member again or another
  // directory has taken its place.
  mutation('who is dropped as lossy stays eligible', 'KIP-966', {
    controller: {
      nextIsrElr: (now, nextIsr, minInsync) =>
        CONTROLLER_RULES.nextIsrElr(now, nextIsr, minInsync, new Set()),
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'lossy' && state.elr.includes(node) ? 'returned' : kind;
      },
    },
  }),
  mutation('a lower min.insync leaves the ELR', 'R2', {
    controller: {
      decide: (rules, state, world) => {
        const decision = CONTROLLER_RULES.decide(rules, state, world);
        if (decision.kind !== 'write' || decision.reason !== 'minInsyncChanged') return decision;
        const { elr, incarnations, directoryIds } = state;
        return { ...decision, next: { ...decision.next, elr, incarnations, directoryIds } };
      },
    },
  }),
  mutation('a coordinator that lost writes is believed', 'R17', {
    controller: {
      decide: (rules, state, world) =>
        CONTROLLER_RULES.decide(rules, state, { ...world, isRegressed: false }),
    },
  }),
  mutation('a controller writes before the others are heard', 'R17', {
    controller: { isWitnessed: () => true },
  }),
  mutation('written in the epoch of a leader that has not said what it knows', 'R17', {
    controller: { hasLeaderSpoken: () => true },
  }),
  mutation('replicas are compared while one of them leads', 'R17', {
    controller: { isLeaderless: () => true, standsStill: () => true },
  }),
  mutation('proposals of any version are taken', '2.3', {
    controller: {
      checkProposal: (rules, proposal, world) => {
        const { state } = world;
        if (state === undefined) return CONTROLLER_RULES.checkProposal(rules, proposal, world);
        return CONTROLLER_RULES.checkProposal(rules, { ...proposal, version: state.version }, world);
      },
    },
  }),
  // That an epoch is above every one reported is no mutation any more: an epoch that nobody leads comes between (R17).
  // Without that, where an operator decides alone, `decide.test.ts` holds it. That a proposal may name an old life
  // (KIP-903) breaks nothing by itself: the leader commits nothing by another life, and a newer one keeps its place
  // only where it is proved whole in the same directory (R5, R6). Those have their mutations.
  mutation('a reassignment is done before its new replicas are in sync', '2.7, KAFKA-9672, KAFKA-15665', {
    controller: {
      decide: (rules, state, world) => {
        const decision = CONTROLLER_RULES.decide(rules, state, world);
        const isBusy = decision.kind === 'write' || state.adding.length === 0 || state.leader === null;
        return isBusy ? decision : write(reassigned(state, world));
      },
    },
  }),
  mutation('anybody alive is elected', '2.7', {
    controller: {
      decide: (rules, state, world) => {
        const decision = CONTROLLER_RULES.decide(rules, state, world);
        if (decision.kind !== 'write' || decision.next.leaderEpoch === state.leaderEpoch) return decision;
        return { ...decision, next: ledByStranger(decision.next, world) ?? decision.next };
      },
    },
  }),
  mutation('a controller writes without a look at its epoch', 'W8, KAFKA-6082', {
    install: () =>
      sending((operations) =>
        operations.filter(({ kind, path }) => kind !== 'check' || path !== CONTROLLER_EPOCH_PATH),
      ),
  }),
  mutation('the place of a controller is taken whoever holds it by now', 'R7', {
    install: () =>
      sending((operations) =>
        operations.some(({ path }) => path === CONTROLLER_PATH) ? operations.map(anyVersion) : operations,
      ),
  }),
];

const write = (next: PartitionState): Extract<Decision, { kind: 'write' }> => ({
  kind: 'write',
  reason: 'reassignDone',
  next,
  versionAbove: next.version,
  candidates: [],
});

/** Whoever was to be added is a member, and who was to be removed is none. */
function reassigned(state: PartitionState, world: World): PartitionState {
  const replicas = state.replicas.filter((node) => !state.removing.includes(node));
  const leader = replicas.find((node) => node === state.leader) ?? replicas[0] ?? null;
  const leaderEpoch = CONTROLLER_RULES.nextLeaderEpoch(state.leaderEpoch, world.leaderEpochMax);
  return { ...state, replicas, adding: [], removing: [], isr: replicas, elr: [], leader, leaderEpoch };
}

/** `next`, led by somebody who is alive, assigned and in neither ISR nor ELR; null: there is nobody. */
function ledByStranger(next: PartitionState, { members }: World): PartitionState | null {
  for (const node of next.replicas) {
    const { incarnation, report } = members.get(node) ?? { incarnation: null, report: null };
    if (next.isr.includes(node) || next.elr.includes(node) || incarnation === null) continue;
    if (report === null || report === 'absent') continue;
    return {
      ...next,
      leader: node,
      isr: [...next.isr, node],
      incarnations: { ...next.incarnations, [node]: incarnation },
      directoryIds: { ...next.directoryIds, [node]: report.directoryId },
    };
  }
  return null;
}

const anyVersion = (operation: Operation): Operation =>
  'version' in operation ? { ...operation, version: -1 } : operation;

/** Every session sends another multi than it was told to. */
function sending(changed: (operations: readonly Operation[]) => readonly Operation[]): () => void {
  return replaced(
    SimulatedSessionFactory.prototype,
    'open',
    (original) =>
      function open(this: SimulatedSessionFactory) {
        const session = original.call(this);
        const multi = session.multi.bind(session);
        session.multi = (operations) => multi(changed(operations));
        return session;
      },
  );
}
