import type { NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import { candidatesOf, classifyMembers, decideElection, isLost } from './decide-election.ts';
import { decideNewPartition, decideRegressed, decideUnclean } from './decide-special.ts';
import { decideUpkeep } from './decide-upkeep.ts';
import type { LeafRules } from './leaf-rules.ts';
import { changedState, write } from './next-state.ts';
import {
  type Decision,
  type DecisionReason,
  memberOf,
  type PartitionWorld,
  type WaitPurpose,
  waitFor,
} from './partition-world.ts';

/**
 * What is to be done about one partition now (PROTOCOL 2.11): a function of what is, never of what happened, so that a
 * new controller runs it over everything and a missed event is made good by the next.
 */
export function decide(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const decision = decideFreely(rules, state, world);
  if (decision.kind !== 'write' && decision.kind !== 'handOver') return decision;
  if (decision.kind === 'write' && !rules.hasLeaderSpoken(state, decision.next, world)) {
    const isLeader = (node: NodeId): boolean => node === state.leader;
    return waitFor(world, 'witness', state.replicas.filter(isLeader));
  }
  if (rules.isWitnessed(state, world) || (decision.kind === 'write' && decision.reason === 'unclean'))
    return decision;
  const isElection = isElecting(decision, state) || whyElect(rules, state, world) !== null;
  return awaitWitnesses(state, world, isElection ? 'election' : 'witness');
}

/** What would be done if the coordinator never forgot. */
function decideFreely(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const decision = rules.awaitHandOver(state, world, decideAtOnce(rules, state, world));
  if (!world.handOver.isReady || state.leader === null || world.isRegressed) return decision;
  return isElecting(decision, state) ? decision : decideHandedOver(rules, state, world);
}

/**
 * Whatever is written upon a state that the coordinator had forgotten the end of would hide for good that it had: the
 * versions and epochs come again (R17). Where it is for an election, the time waited counts for that.
 */
function awaitWitnesses({ replicas }: PartitionState, world: PartitionWorld, purpose: WaitPurpose): Decision {
  return waitFor(
    world,
    purpose,
    replicas.filter((node) => !world.heard.has(node)),
  );
}

function decideAtOnce(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const reason = whyElect(rules, state, world);
  const { unclean } = world.wishes;
  const isWanting = world.isRegressed || (reason !== null && isNobodySound(rules, state, world));
  if (unclean !== null && isWanting) return decideUnclean(rules, state, world, unclean);
  if (world.isRegressed) return decideRegressed(rules, state, world);
  if (state.leaderEpoch === 0) return decideNewPartition(rules, state, world);
  if (reason !== null) return decideElection(rules, state, world, reason);
  return decideUpkeep(rules, state, world);
}

/**
 * No member may lead without a loss, and none is left that might say in time that it can: only then an operator's wish
 * for an unclean election counts (PROTOCOL 2.7).
 */
function isNobodySound(rules: LeafRules, state: PartitionState, world: PartitionWorld): boolean {
  const classes = classifyMembers(rules, state, world);
  if (candidatesOf(state, world, classes).length > 0 && rules.isWitnessed(state, world)) return false;
  const isTimeOver = world.waited('election') >= world.electionMsMax;
  return isTimeOver || ![...classes.values()].includes('unknown');
}

/** Why the partition needs another leader, or the same in another epoch. Null: its leader is well, or nobody could take over. */
function whyElect(rules: LeafRules, state: PartitionState, world: PartitionWorld): DecisionReason | null {
  const { leader } = state;
  if (leader === null) return 'noLeader';
  const view = memberOf(world, leader);
  const kind = rules.classifyMember(state, leader, view);
  if (kind === 'dead') return 'leaderDead';
  const isSameLife = view.incarnation === state.incarnations[leader];
  if (!isSameLife) return isLost(kind) ? 'leaderLost' : 'leaderReturned';
  // It leads on as long as nobody else can.
  if (isLost(kind) && canAnother(rules, state, world, leader)) return 'leaderLost';
  if (view.isTroubled && canAnother(rules, state, world, leader)) return 'leaderTroubled';
  if (view.isShuttingDown && canAnother(rules, state, world, leader)) return 'leaderShutsDown';
  return null;
}

const isElecting = (decision: Decision, state: PartitionState): boolean =>
  decision.kind === 'write'
    ? decision.next.leaderEpoch !== state.leaderEpoch
    : decision.kind === 'wait' && decision.purpose === 'election';

/**
 * The leader has handed over, and what it was asked for holds no more, or its controller is gone: somebody must lead in
 * another epoch. The same again, if nobody else can.
 */
function decideHandedOver(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const classes = classifyMembers(rules, state, world);
  if (candidatesOf(state, world, classes).length > 0)
    return decideElection(rules, state, world, 'leaderHandedOver');
  return write('leaderHandedOver', changedState(rules, state, world, { newEpoch: true }), world);
}

function canAnother(rules: LeafRules, state: PartitionState, world: PartitionWorld, leader: NodeId): boolean {
  const classes = classifyMembers(rules, state, world);
  return candidatesOf(state, world, classes).some(({ node }) => node !== leader);
}
