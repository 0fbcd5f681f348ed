import type { NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { MemberClass } from './classify-member.ts';
import type { LeafRules } from './leaf-rules.ts';
import { changedState, write } from './next-state.ts';
import {
  type Candidate,
  type Decision,
  type DecisionReason,
  isAlive,
  memberOf,
  type PartitionWorld,
  waitFor,
} from './partition-world.ts';

type Classes = ReadonlyMap<NodeId, MemberClass>;

/** The class of each member of ISR and ELR. */
export function classifyMembers(rules: LeafRules, state: PartitionState, world: PartitionWorld): Classes {
  const members = new Set([...state.isr, ...state.elr]);
  return new Map(
    [...members].map((node) => [node, rules.classifyMember(state, node, memberOf(world, node))]),
  );
}

/** Alive, and known to hold everything committed. */
export const isSound = (kind: MemberClass | undefined): boolean => kind === 'current' || kind === 'returned';

/** Known not to be the replica that counts: leaves ISR and ELR for good. */
export const isLost = (kind: MemberClass | undefined): boolean => kind === 'lossy' || kind === 'foreign';

/**
 * Lost, and said by a later life than the one that counts: what its recovery found. A replica that is out of order
 * within the life that counts may turn out whole at the next start.
 */
function isLostForGood(
  state: PartitionState,
  world: PartitionWorld,
  node: NodeId,
  kind: MemberClass | undefined,
): boolean {
  return isLost(kind) && memberOf(world, node).incarnation !== state.incarnations[node];
}

/**
 * Members of ISR and ELR that may lead, those of the ISR first, both in preferred order (4.3-16; KAFKA-13916: nobody
 * who shuts down). Nobody who is to be removed, as long as somebody else can.
 */
export function candidatesOf(
  state: PartitionState,
  world: PartitionWorld,
  classes: Classes,
): readonly Candidate[] {
  const inOrder = (members: readonly NodeId[]): NodeId[] =>
    state.replicas.filter((node) => members.includes(node));
  const able = [...inOrder(state.isr), ...inOrder(state.elr)].filter((node) => {
    const view = memberOf(world, node);
    return isSound(classes.get(node)) && !view.isShuttingDown && !view.isTroubled;
  });
  const staying = able.filter((node) => !state.removing.includes(node));
  return (staying.length > 0 ? staying : able).map((node) => {
    const { report } = memberOf(world, node);
    return { node, position: report === null || report === 'absent' ? null : report };
  });
}

/** Assigned nodes that are alive and have not said what they hold. */
export function silentReplicas(state: PartitionState, world: PartitionWorld): readonly NodeId[] {
  return state.replicas.filter((node) => isAlive(world, node) && memberOf(world, node).report === null);
}

/**
 * A new leader for `state`. Waits for reports for a bounded time; then the electing write takes everybody who is not
 * known to be sound out of the ISR (R7), and never empties it: with no candidate there is no leader, and the ISR stays
 * as it is (PROTOCOL 2.7).
 */
export function decideElection(
  rules: LeafRules,
  state: PartitionState,
  world: PartitionWorld,
  reason: DecisionReason,
): Decision {
  const classes = classifyMembers(rules, state, world);
  const silent = silentReplicas(state, world);
  // Nodes that come back together are one event (R6): the first one back gives the others a moment.
  const isIncomplete = state.leader === null && state.isr.some((node) => classes.get(node) === 'dead');
  if (
    (silent.length > 0 || (isIncomplete && candidatesOf(state, world, classes).length > 0)) &&
    world.waited('election') < world.electionMsMax
  )
    return { kind: 'wait', purpose: 'election', ask: silent, forMs: world.electionMsMax };
  const candidates = candidatesOf(state, world, classes);
  const leader = rules.electLeader(candidates);
  if (leader === null) return nobodyLeads(rules, state, world, classes, silent);
  const next = electedState(rules, state, world, classes, leader);
  return write(reason, next, world, candidates);
}

/** `state` with this leader, chosen among the sound ones. */
export function electedState(
  rules: LeafRules,
  state: PartitionState,
  world: PartitionWorld,
  classes: Classes,
  leader: NodeId,
): PartitionState {
  const members = new Set([...state.isr, ...state.elr]);
  const dropped = new Set(
    [...members].filter((node) => {
      const { isTroubled, staysMember } = memberOf(world, node);
      return isLost(classes.get(node)) || (isTroubled && staysMember !== true);
    }),
  );
  const sound = state.replicas.filter(
    (node) =>
      node === leader || (state.isr.includes(node) && isSound(classes.get(node)) && !dropped.has(node)),
  );
  const nextIsr = withoutShuttingDown(sound, world);
  const { isr, elr } = rules.nextIsrElr(state, nextIsr, world.minInsync, dropped);
  const renewed = [...isr, ...elr].filter((node) => classes.get(node) === 'returned');
  return changedState(rules, state, world, { leader, isr, elr, renewed, newEpoch: true, recovery: 'clean' });
}

/** KIP-841: out of the ISR goes who shuts down, as long as `minInsync` stay. */
export function withoutShuttingDown(isr: readonly NodeId[], world: PartitionWorld): readonly NodeId[] {
  let left = isr;
  for (const node of isr) {
    if (memberOf(world, node).isShuttingDown && left.length > Math.max(1, world.minInsync))
      left = left.filter((other) => other !== node);
  }
  return left;
}

/**
 * The last leader stays in the ISR (PROTOCOL 2.7). Members known to be lost are disowned even where they cannot be
 * removed: a lossy replica that recovers once more without a loss would look whole (R6).
 */
function nobodyLeads(
  rules: LeafRules,
  state: PartitionState,
  world: PartitionWorld,
  classes: Classes,
  silent: readonly NodeId[],
): Decision {
  const lost = [...classes.keys()].filter((node) => isLostForGood(state, world, node, classes.get(node)));
  const isNews =
    state.leader !== null ||
    lost.some((node) => state.directoryIds[node] !== undefined || state.elr.includes(node));
  if (isNews) {
    const kept = state.isr.filter((node) => !lost.includes(node));
    const isr = kept.length > 0 ? kept : state.isr;
    const { elr } = rules.nextIsrElr(state, isr, world.minInsync, new Set(lost));
    return write(
      'noneElectable',
      changedState(rules, state, world, { leader: null, isr, elr, disowned: lost, newEpoch: true }),
      world,
    );
  }
  return waitFor(
    world,
    'election',
    silent.filter((node) => classes.has(node)),
  );
}
