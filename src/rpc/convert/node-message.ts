import type { ControlMessage } from '../../model/control-messages.ts';
import type { PeerMessage } from '../../replication/messages.ts';
import * as wire from '../generated/caskade/v1/peer.ts';
import { encodeMessage } from '../message-writer.ts';
import {
  handOverReadyFrom,
  handOverRequestFrom,
  isrProposalFrom,
  isrProposalReplyFrom,
  isrProposalReplyTo,
  replicaQueryFrom,
  replicaQueryReplyFrom,
  replicaQueryReplyTo,
  replicaTroubleFrom,
  replicaTroubleTo,
  shutdownReplyFrom,
  shutdownRequestFrom,
  statePushAckFrom,
  statePushAckTo,
  statePushFrom,
  statePushTo,
} from './control.ts';
import {
  fetchFrom,
  fetchProgressFrom,
  fetchReplyFrom,
  fetchReplyTo,
  leaderReleasedFrom,
  leaseEchoFrom,
  leaseStampFrom,
} from './replication.ts';

type WireKind = NonNullable<wire.PeerMessage['kind']>;

/** What came: for the replicas, or for controller and node. */
export type NodeMessage =
  | { readonly family: 'peer'; readonly message: PeerMessage }
  | { readonly family: 'control'; readonly message: ControlMessage };

/** A message in bytes, without its payload (the batches of a fetch reply), which is not copied. */
export interface EncodedMessage {
  readonly head: Uint8Array;
  readonly payload: Uint8Array | null;
}

export function encodeNodeMessage(message: PeerMessage | ControlMessage): EncodedMessage {
  const head = encodeMessage(wire.PeerMessage, { kind: kindOf(message), payload: NO_BYTES });
  return { head, payload: payloadOf(message) };
}

const NO_BYTES = new Uint8Array(0);

function payloadOf(message: PeerMessage | ControlMessage): Uint8Array | null {
  if (message.kind !== 'fetchReply' || message.outcome.result !== 'data') return null;
  return message.outcome.bytes.length === 0 ? null : message.outcome.bytes;
}

function kindOf(message: PeerMessage | ControlMessage): WireKind {
  switch (message.kind) {
    case 'fetch':
      return { $case: 'fetch', fetch: message };
    case 'fetchProgress':
      return { $case: 'fetchProgress', fetchProgress: message };
    case 'fetchReply':
      return { $case: 'fetchReply', fetchReply: fetchReplyTo(message) };
    case 'leaseStamp':
      return { $case: 'leaseStamp', leaseStamp: message };
    case 'leaseEcho':
      return { $case: 'leaseEcho', leaseEcho: message };
    case 'leaderReleased':
      return { $case: 'leaderReleased', leaderReleased: message };
    case 'statePush':
      return { $case: 'statePush', statePush: statePushTo(message) };
    case 'statePushAck':
      return { $case: 'statePushAck', statePushAck: statePushAckTo(message) };
    case 'isrProposal':
      return { $case: 'isrProposal', isrProposal: message };
    case 'isrProposalReply':
      return { $case: 'isrProposalReply', isrProposalReply: isrProposalReplyTo(message) };
    case 'replicaQuery':
      return { $case: 'replicaQuery', replicaQuery: message };
    case 'replicaQueryReply':
      return { $case: 'replicaQueryReply', replicaQueryReply: replicaQueryReplyTo(message) };
    case 'shutdownRequest':
      return { $case: 'shutdownRequest', shutdownRequest: message };
    case 'shutdownReply':
      return { $case: 'shutdownReply', shutdownReply: message };
    case 'replicaTrouble':
      return { $case: 'replicaTrouble', replicaTrouble: replicaTroubleTo(message) };
    case 'handOverRequest':
      return { $case: 'handOverRequest', handOverRequest: message };
    case 'handOverReady':
      return { $case: 'handOverReady', handOverReady: message };
  }
}

/** Null: a kind, or a value in it, that this version does not know. */
export function nodeMessageFrom({ kind, payload }: wire.PeerMessage): NodeMessage | null {
  if (kind === undefined) return null;
  const peer = peerMessageFrom(kind, payload);
  if (peer !== undefined) return peer === null ? null : { family: 'peer', message: peer };
  const control = controlMessageFrom(kind);
  return control === undefined || control === null ? null : { family: 'control', message: control };
}

/** Undefined: of the other family. */
function peerMessageFrom(kind: WireKind, payload: Uint8Array): PeerMessage | null | undefined {
  switch (kind.$case) {
    case 'fetch':
      return fetchFrom(kind.fetch);
    case 'fetchProgress':
      return fetchProgressFrom(kind.fetchProgress);
    case 'fetchReply':
      return fetchReplyFrom(kind.fetchReply, payload);
    case 'leaseStamp':
      return leaseStampFrom(kind.leaseStamp);
    case 'leaseEcho':
      return leaseEchoFrom(kind.leaseEcho);
    case 'leaderReleased':
      return leaderReleasedFrom(kind.leaderReleased);
    default:
      return undefined;
  }
}

function controlMessageFrom(kind: WireKind): ControlMessage | null | undefined {
  switch (kind.$case) {
    case 'statePush':
      return statePushFrom(kind.statePush);
    case 'statePushAck':
      return statePushAckFrom(kind.statePushAck);
    case 'isrProposal':
      return isrProposalFrom(kind.isrProposal);
    case 'isrProposalReply':
      return isrProposalReplyFrom(kind.isrProposalReply);
    case 'replicaQuery':
      return replicaQueryFrom(kind.replicaQuery);
    case 'replicaQueryReply':
      return replicaQueryReplyFrom(kind.replicaQueryReply);
    case 'shutdownRequest':
      return shutdownRequestFrom(kind.shutdownRequest);
    case 'shutdownReply':
      return shutdownReplyFrom(kind.shutdownReply);
    case 'replicaTrouble':
      return replicaTroubleFrom(kind.replicaTrouble);
    case 'handOverRequest':
      return handOverRequestFrom(kind.handOverRequest);
    case 'handOverReady':
      return handOverReadyFrom(kind.handOverReady);
    default:
      return undefined;
  }
}
