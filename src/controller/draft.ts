import { InvariantError } from '../model/errors.ts';
import type { ControllerEpoch, Incarnation, NodeId, PartitionId } from '../model/numbers.ts';
import type { ClusterFacts, NodeRegistration } from '../model/partition-state.ts';
import type { ControllerEffect, StepResult } from './controller-event.ts';
import {
  type ControllerSettings,
  type ControllerState,
  idleState,
  type PartitionRecord,
  type PushRecord,
  type QueryRecord,
} from './controller-state.ts';
import { DEAD_MEMBER, type MemberView } from './rules/partition-world.ts';
import type { ControllerRules } from './rules/rules.ts';

/** The next state of the controller while one event is being worked on. Lives no longer than one `step`. */
export class Draft {
  readonly rules: ControllerRules;
  readonly nowMs: number;
  readonly nodeId: NodeId;
  readonly settings: ControllerSettings;
  readonly effects: ControllerEffect[] = [];
  controllerEpoch: ControllerEpoch | null;
  facts: ClusterFacts | null;
  isFactsFlight: boolean;
  wantedMinInsync: number | null;
  nodes: Map<NodeId, NodeRegistration>;
  nodesSequence: number;
  refused: Map<NodeId, { readonly incarnation: Incarnation; readonly untilMs: number }>;
  shuttingDown: Map<NodeId, { readonly incarnation: Incarnation; readonly told: number | null }>;
  partitions: Map<PartitionId, PartitionRecord>;
  pushes: Map<NodeId, PushRecord>;
  queries: Map<number, QueryRecord>;
  nextQueryId: number;
  settleUntilMs: number | null;

  constructor(rules: ControllerRules, state: ControllerState, nowMs: number) {
    this.rules = rules;
    this.nowMs = nowMs;
    this.nodeId = state.nodeId;
    this.settings = state.settings;
    this.controllerEpoch = state.controllerEpoch;
    this.facts = state.facts;
    this.isFactsFlight = state.isFactsFlight;
    this.wantedMinInsync = state.wantedMinInsync;
    this.nodes = new Map(state.nodes);
    this.nodesSequence = state.nodesSequence;
    this.refused = new Map(state.refused);
    this.shuttingDown = new Map(state.shuttingDown);
    this.partitions = new Map(state.partitions);
    this.pushes = new Map(state.pushes);
    this.queries = new Map(state.queries);
    this.nextQueryId = state.nextQueryId;
    this.settleUntilMs = state.settleUntilMs;
  }

  /** Everything of the reign is dropped. */
  resign(reason: string, epochSeen: ControllerEpoch | null): void {
    if (this.controllerEpoch === null) return;
    this.effects.push({ kind: 'resign', reason, epochSeen });
    this.forget();
  }

  forget(): void {
    this.controllerEpoch = null;
    this.effects.push({ kind: 'wake', atMs: null });
  }

  get reign(): { readonly controllerEpoch: ControllerEpoch; readonly facts: ClusterFacts } {
    const { controllerEpoch, facts } = this;
    if (controllerEpoch === null || facts === null) throw new InvariantError('the controller does not reign');
    return { controllerEpoch, facts };
  }

  update(record: PartitionRecord, change: Partial<PartitionRecord>): PartitionRecord {
    const next = { ...record, ...change };
    this.partitions.set(record.state.id, next);
    return next;
  }

  /** The life under which a node is alive; null: dead, or as good as dead (R7). */
  aliveAs(node: NodeId): Incarnation | null {
    const registration = this.nodes.get(node);
    if (registration === undefined) return null;
    const refused = this.refused.get(node);
    const isRefused = refused?.incarnation === registration.incarnation && this.nowMs < refused.untilMs;
    return isRefused ? null : registration.incarnation;
  }

  member(record: PartitionRecord, node: NodeId): MemberView {
    const incarnation = this.aliveAs(node);
    if (incarnation === null) return DEAD_MEMBER;
    const known = record.troubles.get(node);
    const trouble = known?.incarnation === incarnation ? known.directoryId : null;
    const isTroubled =
      trouble !== null && (trouble === undefined || trouble === record.state.directoryIds[node]);
    const isStuck = isStuckLeader(record, node, incarnation);
    const heard = record.reports.get(node);
    const isFresh =
      heard?.incarnation === incarnation &&
      heard.askedVersion === record.state.version &&
      this.nowMs - heard.askedMs <= this.settings.reportMsMax;
    return {
      incarnation,
      isShuttingDown: this.shuttingDown.get(node)?.incarnation === incarnation,
      isTroubled: isTroubled || isStuck,
      ...(isStuck && !isTroubled && { staysMember: true }),
      ...(typeof trouble === 'string' && { troubledDirectoryId: trouble }),
      report: isFresh ? heard.report : null,
    };
  }

  finish(): StepResult<ControllerState> {
    const { controllerEpoch, effects } = this;
    if (controllerEpoch === null)
      return { state: idleState(this.nodeId, this.settings, this.nextQueryId), effects };
    return {
      state: {
        nodeId: this.nodeId,
        settings: this.settings,
        controllerEpoch,
        facts: this.facts,
        isFactsFlight: this.isFactsFlight,
        wantedMinInsync: this.wantedMinInsync,
        nodes: this.nodes,
        nodesSequence: this.nodesSequence,
        refused: this.refused,
        shuttingDown: this.shuttingDown,
        partitions: this.partitions,
        pushes: this.pushes,
        queries: this.queries,
        nextQueryId: this.nextQueryId,
        settleUntilMs: this.settleUntilMs,
      },
      effects,
    };
  }
}

/** It cannot begin the epoch in which it is to lead, and no other epoch is meant. */
function isStuckLeader(
  { state, stuckLeader }: PartitionRecord,
  node: NodeId,
  incarnation: Incarnation,
): boolean {
  return (
    node === state.leader &&
    node === stuckLeader?.node &&
    incarnation === stuckLeader.incarnation &&
    state.leaderEpoch === stuckLeader.leaderEpoch
  );
}
