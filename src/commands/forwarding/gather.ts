import type { ForwardAnswer } from '../../cluster/index.ts';
import { CaskadeError } from '../../model/errors.ts';
import type { PartitionId } from '../../model/numbers.ts';
import { headerOfArray, isError, itemsOfArray, lineOf } from '../../resp/reply-span.ts';
import { refusalText } from '../errors.ts';
import type { Scatter } from '../spec.ts';

/** One part of a command over several partitions, and what became of it. */
export interface GatheredPart {
  readonly partition: PartitionId;
  /** Arguments that are the part's keys, in order. */
  readonly keys: readonly number[];
  readonly answer: ForwardAnswer;
}

const OK = Buffer.from('+OK\r\n');

/** The reply of a command that was forwarded whole. */
export function replyOf(partition: PartitionId, answer: ForwardAnswer): Uint8Array {
  return answer.kind === 'done' && answer.reply !== null
    ? answer.reply
    : errorReply(textOf(partition, answer));
}

/** The reply of a command of which each partition has done its part. Each part's reply is of the kind that is gathered. */
export function gather(
  kind: Scatter['gather'],
  isWrite: boolean,
  parts: readonly GatheredPart[],
): Uint8Array {
  const failed = parts.filter(({ answer }) => !isDone(answer));
  if (failed.length > 0) return errorReply(failureText(isWrite, parts, failed));
  const replies = parts.map(({ answer }) => bytesOf(answer));
  switch (kind) {
    case 'sum':
      return Buffer.from(`:${replies.reduce((sum, reply) => sum + Number(lineOf(reply)), 0)}\r\n`);
    case 'concatenation':
      return concatenated(replies);
    case 'keyOrder':
      return inKeyOrder(parts, replies);
    case 'allOk':
      return OK;
    case 'cursor':
      return replies[0] as Buffer;
  }
}

/**
 * R21: "refused" only if no part was done and none may be. Of reads nothing is done: the first that failed is the
 * answer.
 */
function failureText(
  isWrite: boolean,
  parts: readonly GatheredPart[],
  failed: readonly GatheredPart[],
): string {
  const [first] = failed;
  if (first === undefined) return '';
  const known = parts.find(({ answer }) => answer.kind === 'inDoubt' || hasRun(answer));
  if (!isWrite || known === undefined || known.answer.kind === 'refused')
    return textOf(first.partition, first.answer);
  const { leaderEpoch, offset } = known.answer;
  const list = parts.map(({ partition, answer }) => `${partition} ${stateOf(partition, answer)}`).join(', ');
  return `INDOUBT ${known.partition} ${leaderEpoch} ${offset} not all parts are done; by partition: ${list}`;
}

function stateOf(partition: PartitionId, answer: ForwardAnswer): string {
  if (hasRun(answer)) return 'done';
  return answer.kind === 'inDoubt' ? `in doubt (${answer.reason})` : `refused (${textOf(partition, answer)})`;
}

function textOf(partition: PartitionId, answer: ForwardAnswer): string {
  switch (answer.kind) {
    case 'inDoubt':
      return `INDOUBT ${partition} ${answer.leaderEpoch} ${answer.offset} ${answer.reason}`;
    case 'refused':
      return refusalText(new CaskadeError(answer.error.code, answer.error.message));
    case 'done':
      return answer.reply === null
        ? `INDOUBT ${partition} ${answer.leaderEpoch} ${answer.offset} it was done, and its reply was not kept`
        : lineOf(bytesOf(answer));
  }
}

function hasRun(answer: ForwardAnswer): boolean {
  return answer.kind === 'done' && (answer.reply === null || !isError(answer.reply));
}

/** An error that a part answers with, of its arguments or of the disk, is no more done than a refusal. */
function isDone(answer: ForwardAnswer): boolean {
  return answer.kind === 'done' && answer.reply !== null && !isError(answer.reply);
}

function bytesOf(answer: ForwardAnswer): Buffer {
  const { buffer, byteOffset, byteLength } = (answer.kind === 'done' ? answer.reply : null) ?? OK;
  return Buffer.from(buffer, byteOffset, byteLength);
}

export function errorReply(text: string): Buffer {
  return Buffer.from(`-${text.replace(/[\r\n]/g, ' ')}\r\n`);
}

function concatenated(replies: readonly Buffer[]): Buffer {
  let count = 0;
  const bodies: Buffer[] = [];
  for (const reply of replies) {
    const header = headerOfArray(reply);
    if (header === null) continue;
    count += header.count;
    bodies.push(reply.subarray(header.first));
  }
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...bodies]);
}

function inKeyOrder(parts: readonly GatheredPart[], replies: readonly Buffer[]): Buffer {
  const items: (readonly [key: number, item: Buffer])[] = [];
  for (const [at, { keys }] of parts.entries()) {
    const reply = replies[at] as Buffer;
    const array = itemsOfArray(reply);
    let start = array?.first ?? 0;
    for (const [index, end] of (array?.ends ?? []).entries()) {
      items.push([keys[index] as number, reply.subarray(start, end)]);
      start = end;
    }
  }
  items.sort(([left], [right]) => left - right);
  return Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items.map(([, item]) => item)]);
}
