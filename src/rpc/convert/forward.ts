import type {
  ForwardError,
  ForwardOutcome,
  ForwardReply,
  ForwardRequest,
} from '../../cluster/forward/messages.ts';
import { ERROR_TABLE, type ErrorCode } from '../../model/errors.ts';
import {
  asDatabaseId,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asProducerSequence,
} from '../../model/numbers.ts';
import type { FramePart } from '../frame.ts';
import * as wire from '../generated/caskade/v1/forward.ts';
import { encodeMessage } from '../message-writer.ts';
import { COMMAND_FIELD, REPLIES_FIELD, REPLY_FIELD, REQUESTS_FIELD } from '../methods.ts';
import { nameOf } from './names.ts';

/**
 * Forwarded commands as they are on the wire, and back; null: not understood. Command and reply are not copied before
 * they lie in a frame: they must not change until then.
 */

const OUTCOMES: Readonly<Record<ForwardOutcome, wire.ForwardOutcome>> = {
  done: wire.ForwardOutcome.FORWARD_OUTCOME_DONE,
  refused: wire.ForwardOutcome.FORWARD_OUTCOME_REFUSED,
  inDoubt: wire.ForwardOutcome.FORWARD_OUTCOME_IN_DOUBT,
};

/** What an error is called that only a later version knows. */
const UNKNOWN_ERROR: ErrorCode = 'invalidArgument';

const NO_BYTES = new Uint8Array(0);

export function encodeForwardRequest(request: ForwardRequest): FramePart {
  const { sequence, command } = request;
  const fields = { ...request, sequence: sequence ?? undefined, command: NO_BYTES };
  const head = encodeMessage(wire.ForwardRequest, fields);
  return { field: REQUESTS_FIELD, head, tailField: COMMAND_FIELD, tail: [command] };
}

export function forwardRequestFrom(request: wire.ForwardRequest): ForwardRequest | null {
  const { client, respVersion, sequence } = request;
  if (client === undefined || (respVersion !== 2 && respVersion !== 3)) return null;
  return {
    id: request.id,
    forwarder: asNodeId(request.forwarder),
    incarnation: asIncarnation(request.incarnation),
    partition: asPartitionId(request.partition),
    leaderEpoch: asLeaderEpoch(request.leaderEpoch),
    round: request.round,
    sequence: sequence === undefined ? null : asProducerSequence(sequence),
    timeoutMs: request.timeoutMs,
    database: asDatabaseId(request.database),
    respVersion,
    client: { id: client.id, address: client.address, name: client.name },
    command: request.command,
  };
}

export function encodeForwardReply(reply: ForwardReply): FramePart {
  const { outcome, leader, error } = reply;
  const fields = {
    ...reply,
    outcome: OUTCOMES[outcome],
    leader: leader ?? undefined,
    // An empty reply is another than none.
    reply: reply.reply === null || reply.reply.length > 0 ? undefined : NO_BYTES,
    error: error === null ? undefined : { number: ERROR_TABLE[error.code].number, message: error.message },
  };
  const head = encodeMessage(wire.ForwardReply, fields);
  return {
    field: REPLIES_FIELD,
    head,
    tailField: REPLY_FIELD,
    tail: reply.reply === null ? [] : [reply.reply],
  };
}

export function forwardReplyFrom(reply: wire.ForwardReply): ForwardReply | null {
  const outcome = nameOf(OUTCOMES, reply.outcome);
  if (outcome === undefined) return null;
  return {
    id: reply.id,
    partition: asPartitionId(reply.partition),
    round: reply.round,
    outcome,
    isAbsent: reply.isAbsent,
    leader: reply.leader === undefined ? null : asNodeId(reply.leader),
    leaderEpoch: asLeaderEpoch(reply.leaderEpoch),
    offset: asOffset(reply.offset),
    reply: reply.reply ?? null,
    error: reply.error === undefined ? null : errorFrom(reply.error),
    expectedSequence: reply.expectedSequence,
  };
}

function errorFrom({ number, message }: wire.ForwardError): ForwardError {
  for (const code in ERROR_TABLE) {
    if (isCode(code) && ERROR_TABLE[code].number === number) return { code, message };
  }
  return { code: UNKNOWN_ERROR, message };
}

const isCode = (name: string): name is ErrorCode => name in ERROR_TABLE;
