import type {
  HandOverReady,
  HandOverRequest,
  IsrProposal,
  IsrProposalReply,
  ProposalResult,
  ReplicaQuery,
  ReplicaQueryReply,
  ReplicaTrouble,
  ShutdownReply,
  ShutdownRequest,
  StatePush,
  StatePushAck,
} from '../../model/control-messages.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
} from '../../model/numbers.ts';
import * as wire from '../generated/caskade/v1/control.ts';
import { allOf, nameOf } from './names.ts';
import {
  clusterFactsFrom,
  clusterFactsTo,
  nodeRegistrationFrom,
  partitionStateFrom,
  partitionStateTo,
  replicaReportFrom,
  replicaReportTo,
} from './partition-state.ts';

/** Messages of controller and nodes as they are on the wire, and back; null: not understood, to be ignored. */

const RESULTS: Readonly<Record<ProposalResult, wire.ProposalResult>> = {
  ok: wire.ProposalResult.PROPOSAL_RESULT_OK,
  notController: wire.ProposalResult.PROPOSAL_RESULT_NOT_CONTROLLER,
  fencedEpoch: wire.ProposalResult.PROPOSAL_RESULT_FENCED_EPOCH,
  invalidVersion: wire.ProposalResult.PROPOSAL_RESULT_INVALID_VERSION,
  ineligible: wire.ProposalResult.PROPOSAL_RESULT_INELIGIBLE,
  unknownPartition: wire.ProposalResult.PROPOSAL_RESULT_UNKNOWN_PARTITION,
};

const TROUBLES: Readonly<Record<ReplicaTrouble['trouble'], wire.Trouble>> = {
  disk: wire.Trouble.TROUBLE_DISK,
  corrupt: wire.Trouble.TROUBLE_CORRUPT,
  stuck: wire.Trouble.TROUBLE_STUCK,
};

export function statePushTo(message: StatePush): wire.StatePush {
  const { facts, partitions } = message;
  return { ...message, facts: clusterFactsTo(facts), partitions: partitions.map(partitionStateTo) };
}

export function statePushFrom(message: wire.StatePush): StatePush | null {
  const facts = message.facts === undefined ? null : clusterFactsFrom(message.facts);
  const partitions = allOf(message.partitions, partitionStateFrom);
  if (facts === null || partitions === null) return null;
  return {
    kind: 'statePush',
    controller: asNodeId(message.controller),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    targetIncarnation: asIncarnation(message.targetIncarnation),
    facts,
    nodes: message.nodes.map(nodeRegistrationFrom),
    nodesSequence: message.nodesSequence,
    partitions,
  };
}

export function statePushAckTo(message: StatePushAck): wire.StatePushAck {
  const versions = message.versions.map(([partition, version]) => ({ partition, version }));
  return { ...message, versions };
}

export function statePushAckFrom(message: wire.StatePushAck): StatePushAck {
  return {
    kind: 'statePushAck',
    node: asNodeId(message.node),
    incarnation: asIncarnation(message.incarnation),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    versions: message.versions.map(
      ({ partition, version }) => [asPartitionId(partition), asPartitionVersion(version)] as const,
    ),
  };
}

export function isrProposalFrom(message: wire.IsrProposal): IsrProposal {
  return {
    kind: 'isrProposal',
    proposalId: message.proposalId,
    partition: asPartitionId(message.partition),
    uuid: message.uuid,
    leader: asNodeId(message.leader),
    leaderIncarnation: asIncarnation(message.leaderIncarnation),
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    version: asPartitionVersion(message.version),
    isr: message.isr.map(({ node, incarnation, directoryId }) => ({
      node: asNodeId(node),
      incarnation: asIncarnation(incarnation),
      directoryId,
    })),
  };
}

export function isrProposalReplyTo(message: IsrProposalReply): wire.IsrProposalReply {
  const state = message.state === null ? undefined : partitionStateTo(message.state);
  return { ...message, result: RESULTS[message.result], state };
}

export function isrProposalReplyFrom(message: wire.IsrProposalReply): IsrProposalReply | null {
  const result = nameOf(RESULTS, message.result);
  const state = message.state === undefined ? null : partitionStateFrom(message.state);
  const isStateUnknown = message.state !== undefined && state === null;
  if (result === undefined || isStateUnknown) return null;
  return {
    kind: 'isrProposalReply',
    proposalId: message.proposalId,
    partition: asPartitionId(message.partition),
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    result,
    state,
  };
}

export function replicaQueryFrom(message: wire.ReplicaQuery): ReplicaQuery {
  return {
    kind: 'replicaQuery',
    controller: asNodeId(message.controller),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    queryId: message.queryId,
    partitions: message.partitions.map(asPartitionId),
  };
}

export function replicaQueryReplyTo(message: ReplicaQueryReply): wire.ReplicaQueryReply {
  return { ...message, reports: message.reports.map(replicaReportTo) };
}

export function replicaQueryReplyFrom(message: wire.ReplicaQueryReply): ReplicaQueryReply | null {
  const reports = allOf(message.reports, replicaReportFrom);
  if (reports === null) return null;
  return {
    kind: 'replicaQueryReply',
    node: asNodeId(message.node),
    incarnation: asIncarnation(message.incarnation),
    queryId: message.queryId,
    queryEpoch: asControllerEpoch(message.queryEpoch),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    reports,
  };
}

export function shutdownRequestFrom(message: wire.ShutdownRequest): ShutdownRequest {
  return {
    kind: 'shutdownRequest',
    node: asNodeId(message.node),
    incarnation: asIncarnation(message.incarnation),
  };
}

export function shutdownReplyFrom(message: wire.ShutdownReply): ShutdownReply {
  return {
    kind: 'shutdownReply',
    incarnation: asIncarnation(message.incarnation),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    remaining: message.remaining,
  };
}

export function replicaTroubleTo(message: ReplicaTrouble): wire.ReplicaTrouble {
  return { ...message, trouble: TROUBLES[message.trouble] };
}

export function replicaTroubleFrom(message: wire.ReplicaTrouble): ReplicaTrouble | null {
  const trouble = nameOf(TROUBLES, message.trouble);
  if (trouble === undefined) return null;
  return {
    kind: 'replicaTrouble',
    node: asNodeId(message.node),
    incarnation: asIncarnation(message.incarnation),
    partition: asPartitionId(message.partition),
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    directoryId: message.directoryId,
    trouble,
  };
}

export function handOverRequestFrom(message: wire.HandOverRequest): HandOverRequest {
  return {
    kind: 'handOverRequest',
    controller: asNodeId(message.controller),
    controllerEpoch: asControllerEpoch(message.controllerEpoch),
    partition: asPartitionId(message.partition),
    uuid: message.uuid,
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    incarnation: asIncarnation(message.incarnation),
  };
}

export function handOverReadyFrom(message: wire.HandOverReady): HandOverReady {
  return {
    kind: 'handOverReady',
    node: asNodeId(message.node),
    incarnation: asIncarnation(message.incarnation),
    partition: asPartitionId(message.partition),
    uuid: message.uuid,
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    lastEpoch: asLeaderEpoch(message.lastEpoch),
    logEndOffset: asOffset(message.logEndOffset),
  };
}
