import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
  type Incarnation,
} from '../../model/numbers.ts';
import type {
  ClusterFacts,
  NodeRegistration,
  PartitionState,
  ReplicaReport,
  ReplicaVerdict,
} from '../../model/partition-state.ts';
import * as wire from '../generated/caskade/v1/control.ts';
import { nameOf } from './names.ts';

/** What is decided and what is reported, as it is on the wire, and back; null: not understood. */

const RECOVERIES: Readonly<Record<PartitionState['recovery'], wire.Recovery>> = {
  clean: wire.Recovery.RECOVERY_CLEAN,
  unclean: wire.Recovery.RECOVERY_UNCLEAN,
  regressed: wire.Recovery.RECOVERY_REGRESSED,
};

const FLUSH_MODES: Readonly<Record<ClusterFacts['flushMode'], wire.FlushMode>> = {
  always: wire.FlushMode.FLUSH_MODE_ALWAYS,
  interval: wire.FlushMode.FLUSH_MODE_INTERVAL,
  os: wire.FlushMode.FLUSH_MODE_OS,
};

const VERDICTS: Readonly<Record<ReplicaVerdict, wire.ReplicaVerdict>> = {
  whole: wire.ReplicaVerdict.REPLICA_VERDICT_WHOLE,
  lossy: wire.ReplicaVerdict.REPLICA_VERDICT_LOSSY,
  gone: wire.ReplicaVerdict.REPLICA_VERDICT_GONE,
};

export function partitionStateTo(state: PartitionState): wire.PartitionState {
  return {
    ...state,
    leader: state.leader ?? undefined,
    minInsync: state.minInsync,
    recovery: RECOVERIES[state.recovery],
  };
}

export function partitionStateFrom(state: wire.PartitionState): PartitionState | null {
  const recovery = nameOf(RECOVERIES, state.recovery);
  if (recovery === undefined) return null;
  return {
    id: asPartitionId(state.id),
    uuid: state.uuid,
    version: asPartitionVersion(state.version),
    replicas: state.replicas.map(asNodeId),
    adding: state.adding.map(asNodeId),
    removing: state.removing.map(asNodeId),
    leader: state.leader === undefined ? null : asNodeId(state.leader),
    leaderEpoch: asLeaderEpoch(state.leaderEpoch),
    isr: state.isr.map(asNodeId),
    elr: state.elr.map(asNodeId),
    incarnations: state.incarnations as Readonly<Record<number, Incarnation>>,
    directoryIds: state.directoryIds,
    controllerEpoch: asControllerEpoch(state.controllerEpoch),
    ...(state.minInsync === undefined ? {} : { minInsync: state.minInsync }),
    recovery,
  };
}

export function clusterFactsTo(facts: ClusterFacts): wire.ClusterFacts {
  return {
    ...facts,
    flushMode: FLUSH_MODES[facts.flushMode],
    slots: facts.slots.map(([first, last, partition]) => ({ first, last, partition })),
  };
}

export function clusterFactsFrom(facts: wire.ClusterFacts): ClusterFacts | null {
  const flushMode = nameOf(FLUSH_MODES, facts.flushMode);
  if (flushMode === undefined) return null;
  return {
    clusterId: facts.clusterId,
    version: facts.version,
    replicationFactor: facts.replicationFactor,
    minInsync: facts.minInsync,
    flushMode,
    leaseMsMax: facts.leaseMsMax,
    slots: facts.slots.map(({ first, last, partition }) => [first, last, partition] as const),
  };
}

export function nodeRegistrationFrom(node: wire.NodeRegistration): NodeRegistration {
  return {
    nodeId: asNodeId(node.nodeId),
    incarnation: asIncarnation(node.incarnation),
    addresses: node.addresses,
    rack: node.rack,
  };
}

export function replicaReportTo(report: ReplicaReport): wire.ReplicaReport {
  return { ...report, verdict: VERDICTS[report.verdict] };
}

export function replicaReportFrom(report: wire.ReplicaReport): ReplicaReport | null {
  const verdict = nameOf(VERDICTS, report.verdict);
  if (verdict === undefined) return null;
  return {
    partition: asPartitionId(report.partition),
    uuid: report.uuid,
    directoryId: report.directoryId,
    lastEpoch: asLeaderEpoch(report.lastEpoch),
    logEndOffset: asOffset(report.logEndOffset),
    verdict,
    leaderEpochMax: asLeaderEpoch(report.leaderEpochMax),
    versionMax: asPartitionVersion(report.versionMax),
  };
}
