import { InvariantError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { asIncarnation, asNodeId, asProducerSequence } from '../../model/numbers.ts';
import type { Producer, ProducerNote } from '../../model/producer.ts';
import { readUint16, readUint32, readUint64, writeUint16, writeUint32, writeUint64 } from './integers.ts';

/** Detail of a record of kind `outcome`. `forgotten`: the log forgets its producer; the sequence is 0. */
export const OutcomeDetail = { outcome: 0, forgotten: 1 } as const;

const FORM_CLIENT = 1;
const FORM_NODE = 2;
export const PRODUCER_FORM_MAX = FORM_NODE;
const FLAG_OUTCOME = 1;
const HEADER_BYTES = 12;
const NODE_BYTES = 12;

/** What can be wrong with a producer extra. `form`: a newer version wrote it. */
export type ProducerFault = 'short' | 'form' | 'layout';

/** The producer extra: who, which command, what came of it. An outcome that is too long is left out here. */
export function encodeProducerExtra({ producer, sequence, outcome }: ProducerNote): Buffer {
  const id = encodeProducer(producer);
  const kept = outcome !== null && outcome.length <= LIMITS.producerOutcomeBytesMax ? outcome : null;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + id.length + (kept?.length ?? 0));
  bytes[0] = producerForm(producer);
  bytes[1] = kept === null ? 0 : FLAG_OUTCOME;
  writeUint16(bytes, 2, id.length);
  writeUint64(bytes, 4, sequence);
  bytes.set(id, HEADER_BYTES);
  if (kept !== null) bytes.set(kept, HEADER_BYTES + id.length);
  return bytes;
}

/** The outcome is a view into `bytes`: copy what is to be kept. */
export function decodeProducerExtra(bytes: Uint8Array): ProducerNote | ProducerFault {
  if (bytes.length < HEADER_BYTES) return 'short';
  const idLength = readUint16(bytes, 2);
  const sequence = readUint64(bytes, 4);
  const hasOutcome = bytes[1] === FLAG_OUTCOME;
  const form = bytes[0] as number;
  if (form === 0 || form > PRODUCER_FORM_MAX || (bytes[1] as number) > FLAG_OUTCOME) return 'form';
  const outcomeAt = HEADER_BYTES + idLength;
  if (outcomeAt > bytes.length || !Number.isSafeInteger(sequence)) return 'layout';
  const outcomeLength = bytes.length - outcomeAt;
  if (outcomeLength > (hasOutcome ? LIMITS.producerOutcomeBytesMax : 0)) return 'layout';
  const producer = decodeProducer(form, bytes.subarray(HEADER_BYTES, outcomeAt));
  if (producer === null) return 'layout';
  return {
    producer,
    sequence: asProducerSequence(sequence),
    outcome: hasOutcome ? bytes.subarray(outcomeAt) : null,
  };
}

export function producerForm(producer: Producer): number {
  return producer.kind === 'client' ? FORM_CLIENT : FORM_NODE;
}

export function encodeProducer(producer: Producer): Buffer {
  if (producer.kind === 'node') {
    const bytes = Buffer.allocUnsafe(NODE_BYTES);
    writeUint32(bytes, 0, producer.node);
    writeUint64(bytes, 4, producer.incarnation);
    return bytes;
  }
  const bytes = Buffer.from(producer.id, 'utf8');
  if (bytes.length === 0 || bytes.length > LIMITS.producerIdBytesMax)
    throw new InvariantError(`a producer id of ${bytes.length} bytes passed its admission`);
  return bytes;
}

/** Null: not an id of this form. */
export function decodeProducer(form: number, bytes: Uint8Array): Producer | null {
  if (form === FORM_NODE) {
    if (bytes.length !== NODE_BYTES) return null;
    const incarnation = readUint64(bytes, 4);
    if (!Number.isSafeInteger(incarnation)) return null;
    return { kind: 'node', node: asNodeId(readUint32(bytes, 0)), incarnation: asIncarnation(incarnation) };
  }
  if (bytes.length === 0 || bytes.length > LIMITS.producerIdBytesMax) return null;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const id = buffer.toString('utf8');
  // An id that is no UTF-8 would not come out as it went in, and two of them could become one.
  return Buffer.from(id, 'utf8').equals(buffer) ? { kind: 'client', id } : null;
}
