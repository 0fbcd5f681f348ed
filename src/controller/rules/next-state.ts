import type { Incarnation, NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { LeafRules } from './leaf-rules.ts';
import {
  type Candidate,
  type Decision,
  type DecisionReason,
  memberOf,
  type PartitionWorld,
} from './partition-world.ts';

/** What a decision changes; the rest stays. */
export interface StateChange {
  readonly replicas?: readonly NodeId[];
  readonly adding?: readonly NodeId[];
  readonly removing?: readonly NodeId[];
  readonly leader?: NodeId | null;
  readonly isr?: readonly NodeId[];
  readonly elr?: readonly NodeId[];
  readonly recovery?: PartitionState['recovery'];
  /** Members that count under the life that is now alive. The others keep the one recorded. */
  readonly renewed?: readonly NodeId[];
  /** Members that count under the directory they reported. */
  readonly redirected?: readonly NodeId[];
  /** Members whose replica counts no more, whatever it will say. */
  readonly disowned?: readonly NodeId[];
  readonly newEpoch: boolean;
}

export function changedState(
  rules: LeafRules,
  state: PartitionState,
  world: PartitionWorld,
  change: StateChange,
): PartitionState {
  const { minInsync } = world;
  // Also where the ISR stays: with a lower min.insync it may be large enough for the high watermark to move, and then
  // nobody outside has everything (R2).
  const kept = rules.nextIsrElr(state, change.isr ?? state.isr, minInsync, new Set());
  const isr = change.isr ?? kept.isr;
  const elr = change.elr ?? kept.elr;
  const incarnations: Record<number, Incarnation> = {};
  const directoryIds: Record<number, string> = {};
  for (const node of [...isr, ...elr]) {
    const { incarnation: alive, report } = memberOf(world, node);
    const incarnation = change.renewed?.includes(node) && alive !== null ? alive : state.incarnations[node];
    const isRedirected = change.redirected?.includes(node) && report !== null && report !== 'absent';
    const directoryId = isRedirected ? report.directoryId : state.directoryIds[node];
    if (incarnation !== undefined) incarnations[node] = incarnation;
    if (directoryId !== undefined && !change.disowned?.includes(node)) directoryIds[node] = directoryId;
  }
  const leaderEpoch = change.newEpoch
    ? rules.nextLeaderEpoch(state.leaderEpoch, world.leaderEpochMax)
    : state.leaderEpoch;
  return {
    ...state,
    replicas: change.replicas ?? state.replicas,
    adding: change.adding ?? state.adding,
    removing: change.removing ?? state.removing,
    leader: change.leader === undefined ? state.leader : change.leader,
    isr,
    elr,
    incarnations,
    directoryIds,
    leaderEpoch,
    controllerEpoch: world.controllerEpoch,
    minInsync,
    recovery: change.recovery ?? state.recovery,
  };
}

export function write(
  reason: DecisionReason,
  next: PartitionState,
  world: PartitionWorld,
  candidates: readonly Candidate[] = [],
): Decision {
  return { kind: 'write', reason, next, versionAbove: world.versionMax, candidates };
}
