import type { NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import {
  candidatesOf,
  classifyMembers,
  decideElection,
  electedState,
  isLost,
  withoutShuttingDown,
} from './decide-election.ts';
import type { LeafRules } from './leaf-rules.ts';
import { changedState, write } from './next-state.ts';
import { type Decision, memberOf, NOTHING, type PartitionWorld } from './partition-world.ts';

type Step = (rules: LeafRules, state: PartitionState, world: PartitionWorld) => Decision | null;

/** What is to be done about a partition whose leader is well: the first thing that there is. */
export function decideUpkeep(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const steps: readonly Step[] = [
    settleMembers,
    takeMinInsync,
    dropShuttingDown,
    beginReassignment,
    completeReassignment,
    electPreferred,
    askUnknown,
  ];
  for (const step of steps) {
    const decision = step(rules, state, world);
    if (decision !== null) return decision;
  }
  return NOTHING;
}

/**
 * Who came back whole keeps its place, under its new life and a new epoch (R6; bounce = fail + start, KAFKA-7235).
 * Lossy, foreign and troubled followers leave ISR and ELR in the same write: their reports are void after it. The
 * leader, who is well, stays, so the ISR is not emptied.
 */
function settleMembers(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision | null {
  const classes = classifyMembers(rules, state, world);
  const followers = [...classes.keys()].filter((node) => node !== state.leader);
  const dropped = followers.filter((node) => isLost(classes.get(node)) || memberOf(world, node).isTroubled);
  const renewed = followers.filter((node) => classes.get(node) === 'returned' && !dropped.includes(node));
  if (dropped.length + renewed.length === 0) return null;
  const nextIsr = state.isr.filter((node) => !dropped.includes(node));
  const { isr, elr } = rules.nextIsrElr(state, nextIsr, world.minInsync, new Set(dropped));
  const newEpoch = renewed.length > 0;
  const reason = newEpoch ? 'memberReturned' : 'memberLost';
  return write(reason, changedState(rules, state, world, { isr, elr, renewed, newEpoch }), world);
}

/**
 * R2: one write takes the new value and, if it is lower, clears the ELR: a leader that does not know of it yet goes by
 * the higher value, and holds still.
 */
function takeMinInsync(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision | null {
  if (state.minInsync === undefined || state.minInsync === world.minInsync) return null;
  return write('minInsyncChanged', changedState(rules, state, world, { newEpoch: false }), world);
}

/** Controlled shutdown of a follower (KIP-841). */
function dropShuttingDown(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision | null {
  const followers = state.isr.filter((node) => node !== state.leader);
  const leaders = state.isr.filter((node) => node === state.leader);
  // Followers first, so that the leader is among those who stay.
  const staying = withoutShuttingDown([...followers, ...leaders], world);
  const nextIsr = state.isr.filter((node) => node === state.leader || staying.includes(node));
  if (nextIsr.length === state.isr.length) return null;
  const { isr, elr } = rules.nextIsrElr(state, nextIsr, world.minInsync, new Set());
  return write('memberShutsDown', changedState(rules, state, world, { isr, elr, newEpoch: false }), world);
}

/** Grow: the target first, then those that will go. What runs already may be redirected or taken back. */
function beginReassignment(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision | null {
  const target = world.wishes.reassign;
  if (target === null || isSame(target, targetOf(state))) return null;
  const settled = state.replicas.filter((node) => !state.adding.includes(node));
  const removing = state.replicas.filter((node) => !target.includes(node));
  const adding = target.filter((node) => !settled.includes(node));
  const change = { replicas: [...target, ...removing], adding, removing, newEpoch: false };
  return write('reassignBegun', changedState(rules, state, world, change), world);
}

/** The replicas that a partition has in the end. */
export const targetOf = (state: PartitionState): readonly NodeId[] =>
  state.replicas.filter((node) => !state.removing.includes(node));

export const isSame = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((node, index) => node === b[index]);

/** Shrink, once every target is in the ISR and they are enough (KAFKA-15665, KAFKA-9672). */
function completeReassignment(
  rules: LeafRules,
  state: PartitionState,
  world: PartitionWorld,
): Decision | null {
  if (state.adding.length === 0 && state.removing.length === 0) return null;
  const target = targetOf(state);
  const classes = classifyMembers(rules, state, world);
  const isReady = target.every(
    (node) =>
      state.isr.includes(node) && classes.get(node) === 'current' && !memberOf(world, node).isTroubled,
  );
  if (!isReady || target.length < world.minInsync) return null;
  const shrunk: PartitionState = {
    ...state,
    replicas: target,
    adding: [],
    removing: [],
    isr: target,
    elr: [],
  };
  if (state.leader !== null && !target.includes(state.leader)) {
    if (candidatesOf(shrunk, world, classes).length === 0) return null;
    return decideElection(rules, shrunk, world, 'reassignDone');
  }
  return write('reassignDone', changedState(rules, shrunk, world, { newEpoch: true }), world);
}

/**
 * Only to a preferred replica that stands in the live ISR (PROTOCOL 2.7), and while nobody is missing for whom it might
 * be needed.
 */
function electPreferred(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision | null {
  const preferred = targetOf(state)[0];
  if (!world.isPreferredDue || preferred === undefined || preferred === state.leader) return null;
  if (!state.isr.includes(preferred) || state.isr.length < world.minInsync) return null;
  const classes = classifyMembers(rules, state, world);
  const candidates = candidatesOf(state, world, classes).filter(({ node }) => node === preferred);
  if (candidates.length === 0 || classes.get(preferred) !== 'current') return null;
  const next = electedState(rules, state, world, classes, preferred);
  return write('preferred', next, world, candidates);
}

/** Members in a new life that have not said whether they are whole. */
function askUnknown(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision | null {
  const classes = classifyMembers(rules, state, world);
  const ask = [...classes.keys()].filter((node) => classes.get(node) === 'unknown');
  return ask.length > 0 ? { kind: 'wait', purpose: 'member', ask, forMs: null } : null;
}
