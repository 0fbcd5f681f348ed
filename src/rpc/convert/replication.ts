import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
} from '../../model/numbers.ts';
import type {
  Fetch,
  FetchOutcome,
  FetchProgress,
  FetchReply,
  LeaderReleased,
  LeaseEcho,
  LeaseStamp,
} from '../../replication/messages.ts';
import * as wire from '../generated/caskade/v1/replication.ts';
import { nameOf } from './names.ts';

/**
 * Messages between replicas as they are on the wire, and back. Those of the same shape go as they are: the encoder
 * looks only at the fields that it knows. The way back is total; null: not understood, to be ignored.
 */

type Data = Extract<FetchOutcome, { result: 'data' }>;
type RefusalName = Exclude<FetchOutcome['result'], 'data' | 'diverging'>;
type WireOutcome = NonNullable<wire.FetchReply['outcome']>;

const REFUSALS: Readonly<Record<RefusalName, wire.FetchRefusal>> = {
  resync: wire.FetchRefusal.FETCH_REFUSAL_RESYNC,
  fenced: wire.FetchRefusal.FETCH_REFUSAL_FENCED,
  unknownEpoch: wire.FetchRefusal.FETCH_REFUSAL_UNKNOWN_EPOCH,
  notLeader: wire.FetchRefusal.FETCH_REFUSAL_NOT_LEADER,
  outOfRange: wire.FetchRefusal.FETCH_REFUSAL_OUT_OF_RANGE,
};

export function fetchFrom(message: wire.Fetch): Fetch {
  return {
    kind: 'fetch',
    from: asNodeId(message.from),
    fromIncarnation: asIncarnation(message.fromIncarnation),
    partition: asPartitionId(message.partition),
    uuid: message.uuid,
    directoryId: message.directoryId,
    fetchId: message.fetchId,
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    fetchOffset: asOffset(message.fetchOffset),
    durableOffset: asOffset(message.durableOffset),
    lastFetchedEpoch: asLeaderEpoch(message.lastFetchedEpoch),
    partitionVersion: asPartitionVersion(message.partitionVersion),
    rebuildId: message.rebuildId,
    bytesMax: message.bytesMax,
  };
}

export function fetchProgressFrom(message: wire.FetchProgress): FetchProgress {
  return {
    kind: 'fetchProgress',
    from: asNodeId(message.from),
    fromIncarnation: asIncarnation(message.fromIncarnation),
    partition: asPartitionId(message.partition),
    uuid: message.uuid,
    directoryId: message.directoryId,
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    durableOffset: asOffset(message.durableOffset),
    partitionVersion: asPartitionVersion(message.partitionVersion),
  };
}

/** Without the batches, which are the payload of the message around it. */
export function fetchReplyTo(message: FetchReply): wire.FetchReply {
  return {
    from: message.from,
    fromIncarnation: message.fromIncarnation,
    toIncarnation: message.toIncarnation,
    partition: message.partition,
    fetchId: message.fetchId,
    leaderEpoch: message.leaderEpoch,
    outcome: outcomeTo(message.outcome),
  };
}

function outcomeTo(outcome: FetchOutcome): WireOutcome {
  switch (outcome.result) {
    case 'data':
      return { $case: 'data', data: outcome };
    case 'diverging':
      return { $case: 'diverging', diverging: outcome };
    default:
      return { $case: 'refusal', refusal: REFUSALS[outcome.result] };
  }
}

export function fetchReplyFrom(message: wire.FetchReply, payload: Uint8Array): FetchReply | null {
  const outcome = outcomeFrom(message.outcome, payload);
  if (outcome === null) return null;
  return {
    kind: 'fetchReply',
    from: asNodeId(message.from),
    fromIncarnation: asIncarnation(message.fromIncarnation),
    toIncarnation: asIncarnation(message.toIncarnation),
    partition: asPartitionId(message.partition),
    fetchId: message.fetchId,
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
    outcome,
  };
}

function outcomeFrom(outcome: WireOutcome | undefined, payload: Uint8Array): FetchOutcome | null {
  switch (outcome?.$case) {
    case 'data':
      return dataFrom(outcome.data, payload);
    case 'diverging': {
      const { epoch, endOffset } = outcome.diverging;
      return { result: 'diverging', epoch: asLeaderEpoch(epoch), endOffset: asOffset(endOffset) };
    }
    case 'refusal': {
      const result = nameOf(REFUSALS, outcome.refusal);
      return result === undefined ? null : { result };
    }
    case undefined:
      return null;
  }
}

function dataFrom(data: wire.FetchData, bytes: Uint8Array): Data {
  return {
    result: 'data',
    bytes,
    byteCount: data.byteCount,
    nextOffset: asOffset(data.nextOffset),
    epochs: data.epochs.map(({ epoch, startOffset }) => ({
      epoch: asLeaderEpoch(epoch),
      startOffset: asOffset(startOffset),
    })),
    highWatermark: asOffset(data.highWatermark),
    isCurrent: data.isCurrent,
    logStartOffset: asOffset(data.logStartOffset),
    removedFloor: data.removedFloor,
    tombstoneRemoveOffset: asOffset(data.tombstoneRemoveOffset),
    partitionVersion: asPartitionVersion(data.partitionVersion),
    controllerEpoch: asControllerEpoch(data.controllerEpoch),
  };
}

export function leaseStampFrom(message: wire.LeaseStamp): LeaseStamp {
  return {
    kind: 'leaseStamp',
    from: asNodeId(message.from),
    fromIncarnation: asIncarnation(message.fromIncarnation),
    sequence: message.sequence,
    leaseMs: message.leaseMs,
    wallMs: message.wallMs,
  };
}

export function leaseEchoFrom(message: wire.LeaseEcho): LeaseEcho {
  return {
    kind: 'leaseEcho',
    from: asNodeId(message.from),
    fromIncarnation: asIncarnation(message.fromIncarnation),
    leaderIncarnation: asIncarnation(message.leaderIncarnation),
    sequence: message.sequence,
    leaseMs: message.leaseMs,
    wallMs: message.wallMs,
    partitions: message.partitions.map(({ partition, uuid, leaderEpoch }) => ({
      partition: asPartitionId(partition),
      uuid,
      leaderEpoch: asLeaderEpoch(leaderEpoch),
    })),
  };
}

export function leaderReleasedFrom(message: wire.LeaderReleased): LeaderReleased {
  return {
    kind: 'leaderReleased',
    from: asNodeId(message.from),
    fromIncarnation: asIncarnation(message.fromIncarnation),
    partition: asPartitionId(message.partition),
    uuid: message.uuid,
    leaderEpoch: asLeaderEpoch(message.leaderEpoch),
  };
}
