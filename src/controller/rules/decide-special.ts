import type { NodeId } from '../../model/numbers.ts';
import { isWitness, type PartitionState, type ReplicaReport } from '../../model/partition-state.ts';
import { silentReplicas } from './decide-election.ts';
import type { LeafRules } from './leaf-rules.ts';
import { changedState, write } from './next-state.ts';
import {
  type Candidate,
  type Decision,
  isAlive,
  memberOf,
  NOTHING,
  type PartitionWorld,
  waitFor,
} from './partition-world.ts';

/** What a live node reported of this very partition; undefined: nothing yet, or that it holds no such replica. */
function reportOf(state: PartitionState, world: PartitionWorld, node: NodeId): ReplicaReport | undefined {
  const { incarnation, report } = memberOf(world, node);
  if (incarnation === null || report === null || report === 'absent') return undefined;
  return report.uuid === state.uuid ? report : undefined;
}

/**
 * Nobody ever led: those who hold an empty replica are the first ISR. Waits for all of them, for a bounded time; for
 * `minInsync` without end.
 */
export function decideNewPartition(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const ready = state.replicas.filter((node) => {
    const report = reportOf(state, world, node);
    return report !== undefined && report.verdict === 'whole' && report.logEndOffset === 0;
  });
  const isComplete = ready.length === state.replicas.length;
  const isTimeOver = world.waited('newPartition') >= world.newPartitionMsMax;
  const leader = ready[0];
  if (leader !== undefined && (isComplete || (isTimeOver && ready.length >= world.minInsync))) {
    const change = { leader, isr: ready, elr: [], renewed: ready, redirected: ready, newEpoch: true };
    return write('newPartition', changedState(rules, state, world, change), world);
  }
  const ask = state.replicas.filter((node) => isAlive(world, node) && !ready.includes(node));
  if (ask.length === 0 && ready.length === 0) return NOTHING;
  return { kind: 'wait', purpose: 'newPartition', ask, forMs: isTimeOver ? null : world.newPartitionMsMax };
}

/**
 * The coordinator lost writes (R17): what it says of ISR and ELR may be older than what was acknowledged under. Only
 * the greatest (last epoch, log end offset) of *all* assigned replicas is known to hold everything, and only while
 * those that lost something are fewer than `minInsync`. Else it waits for an operator. What is compared must stand
 * still: first an epoch begins that nobody leads, and only who is in it counts.
 */
export function decideRegressed(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const isEverybodyHeard = state.replicas.every(
    (node) => isAlive(world, node) && memberOf(world, node).report !== null,
  );
  if (!isEverybodyHeard) return waitFor(world, 'regressed', silentReplicas(state, world));
  if (!rules.isLeaderless(state, world)) return write('regressed', leaderless(rules, state, world), world);
  const moving = state.replicas.filter((node) => {
    const report = reportOf(state, world, node);
    return report !== undefined && !rules.standsStill(state, report);
  });
  if (moving.length > 0) return waitFor(world, 'regressed', moving);
  return decideCompared(rules, state, world);
}

/**
 * Whose word counts is named with the directory that it has now: one that is empty because its disk was, and has a new
 * one when it is asked again, has lost what it had.
 */
function leaderless(rules: LeafRules, state: PartitionState, world: PartitionWorld): PartitionState {
  const isr = state.replicas.filter((node) => isWitness(state, node));
  const disowned = isr.filter((node) => reportOf(state, world, node) === undefined);
  const change = { leader: null, isr, elr: [], redirected: isr, disowned, newEpoch: true };
  return changedState(rules, state, world, { ...change, recovery: 'regressed' });
}

function decideCompared(rules: LeafRules, state: PartitionState, world: PartitionWorld): Decision {
  const candidates = state.isr.flatMap((node): Candidate[] => {
    const report = reportOf(state, world, node);
    const isWhole = report?.verdict === 'whole' && report.directoryId === state.directoryIds[node];
    return isWhole ? [{ node, position: report }] : [];
  });
  const lostCount = state.isr.length - candidates.length;
  const leader = rules.electLeader(candidates);
  if (leader === null || lostCount >= Math.max(1, world.minInsync)) return NOTHING;
  const best = candidates.find(({ node }) => node === leader)?.position;
  const isr = candidates
    .filter(({ position }) => isSamePosition(position, best ?? null))
    .map(({ node }) => node);
  const change = {
    leader,
    isr,
    elr: [],
    renewed: isr,
    redirected: isr,
    newEpoch: true,
    recovery: 'clean' as const,
  };
  return write('coordinatorLostWrites', changedState(rules, state, world, change), world, candidates);
}

function isSamePosition(a: Candidate['position'], b: Candidate['position']): boolean {
  return a !== null && b !== null && a.lastEpoch === b.lastEpoch && a.logEndOffset === b.logEndOffset;
}

/** An operator gives up what may be lost: this node leads, alone, and the epoch is marked (PROTOCOL 2.7). */
export function decideUnclean(
  rules: LeafRules,
  state: PartitionState,
  world: PartitionWorld,
  node: NodeId,
): Decision {
  const report = reportOf(state, world, node);
  if (report === undefined) {
    // The same wait as that of the election: its time, once over, stays over.
    const purpose = world.isRegressed ? 'unclean' : 'election';
    return waitFor(world, purpose, [node]);
  }
  const change = {
    leader: node,
    isr: [node],
    elr: [],
    renewed: [node],
    redirected: [node],
    newEpoch: true,
    recovery: 'unclean' as const,
  };
  const candidates = [{ node, position: report }];
  return write('unclean', changedState(rules, state, world, change), world, candidates);
}
