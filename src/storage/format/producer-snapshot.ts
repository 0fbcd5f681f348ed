import { InvariantError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { asOffset, asProducerSequence, type Offset, type ProducerSequence } from '../../model/numbers.ts';
import type { Producer } from '../../model/producer.ts';
import { crcOf } from './crc.ts';
import { readUint16, readUint32, readUint64, writeUint16, writeUint32, writeUint64 } from './integers.ts';
import { decodeProducer, encodeProducer, PRODUCER_FORM_MAX, producerForm } from './outcome.ts';
import { RECORD_AT, RECORD_HEADER_BYTES, RecordKind } from './record.ts';

/** One remembered command of a producer. */
export interface SeenSequence {
  readonly sequence: ProducerSequence;
  /** Of the first record of the command. */
  readonly offset: Offset;
  readonly outcome: Uint8Array | null;
}

/** What is remembered of one producer: the sequences in its window that were seen, ascending, the newest always among them. */
export interface ProducerState {
  readonly producer: Producer;
  readonly seen: readonly SeenSequence[];
}

/** The value of a record of kind `producerSnapshot`. Its own offset says nothing: merge puts it where it has room. */
export interface ProducerSnapshot {
  /** Everything that the log says of producers below this offset is in here; something of above it may be, too. */
  readonly asOf: Offset;
  /** Whether the log ever forgot a client: then one that is unknown is not surely new. */
  readonly hasForgotten: boolean;
  /** The one that was silent longest first. */
  readonly producers: readonly ProducerState[];
}

export type SnapshotFault = 'short' | 'version' | 'layout';

const VERSION = 1;
const FLAG_FORGOTTEN = 1;
const HEADER_BYTES = 16;
const PRODUCER_BYTES = 16;
const SEEN_BYTES = 12;
const NOT_KEPT = 0xffff;

/** The snapshot's first bytes; what `encodeProducerState` gives of each producer follows, up to the end of the value. */
export function encodeSnapshotHeader(asOf: Offset, hasForgotten: boolean): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  writeUint16(bytes, 0, VERSION);
  writeUint16(bytes, 2, hasForgotten ? FLAG_FORGOTTEN : 0);
  writeUint64(bytes, 8, asOf);
  return bytes;
}

export function encodeProducerState({ producer, seen }: ProducerState): Buffer {
  const id = encodeProducer(producer);
  const high = seen.at(-1)?.sequence;
  if (high === undefined) throw new InvariantError('a producer of which nothing is known is remembered');
  const outcomeBytes = seen.reduce((sum, each) => sum + (each.outcome?.length ?? 0), 0);
  const bytes = Buffer.allocUnsafe(PRODUCER_BYTES + id.length + seen.length * SEEN_BYTES + outcomeBytes);
  bytes[0] = producerForm(producer);
  bytes[1] = 0;
  writeUint16(bytes, 2, id.length);
  writeUint32(bytes, 4, seen.length);
  writeUint64(bytes, 8, high);
  bytes.set(id, PRODUCER_BYTES);
  let at = PRODUCER_BYTES + id.length;
  for (const { sequence, offset, outcome } of seen) {
    writeUint16(bytes, at, high - sequence);
    writeUint16(bytes, at + 2, outcome?.length ?? NOT_KEPT);
    writeUint64(bytes, at + 4, offset);
    if (outcome !== null) bytes.set(outcome, at + SEEN_BYTES);
    at += SEEN_BYTES + (outcome?.length ?? 0);
  }
  return bytes;
}

/** A whole record with this snapshot, for a merge that puts it into the place of a record it drops. */
export function encodeSnapshotRecord(offsetDelta: number, parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, RECORD_HEADER_BYTES);
  if (length > LIMITS.batchBytesMax) throw new InvariantError(`a producer snapshot of ${length} bytes`);
  const bytes = Buffer.concat([Buffer.alloc(RECORD_HEADER_BYTES), ...parts], length);
  writeUint32(bytes, RECORD_AT.length, length);
  writeUint32(bytes, RECORD_AT.delta, offsetDelta);
  bytes[RECORD_AT.kind] = RecordKind.producerSnapshot;
  writeUint32(bytes, 0, crcOf(bytes, 4, length));
  return bytes;
}

/** Outcomes are copies. */
export function decodeProducerSnapshot(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): ProducerSnapshot | SnapshotFault {
  if (start + HEADER_BYTES > end) return 'short';
  const flags = readUint16(bytes, start + 2);
  if (readUint16(bytes, start) !== VERSION || flags > FLAG_FORGOTTEN) return 'version';
  const asOf = readUint64(bytes, start + 8);
  if (!Number.isSafeInteger(asOf)) return 'layout';
  const producers: ProducerState[] = [];
  let at = start + HEADER_BYTES;
  while (at < end) {
    const part = new StateReader(bytes, at, end);
    const state = part.read();
    if (typeof state === 'string') return state;
    producers.push(state);
    at = part.end;
  }
  return { asOf: asOffset(asOf), hasForgotten: flags === FLAG_FORGOTTEN, producers };
}

/** Reads one producer of a snapshot. Every length is checked before it is used. */
class StateReader {
  /** After `read`: where the next producer begins. */
  end: number;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #limit: number;

  constructor(bytes: Uint8Array, start: number, limit: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#limit = limit;
    this.end = start;
  }

  read(): ProducerState | SnapshotFault {
    const at = this.#start;
    if (at + PRODUCER_BYTES > this.#limit) return 'short';
    const form = this.#bytes[at] as number;
    const count = readUint32(this.#bytes, at + 4);
    const high = readUint64(this.#bytes, at + 8);
    if (form === 0 || form > PRODUCER_FORM_MAX) return 'version';
    if (count === 0 || count > LIMITS.producerWindow || !Number.isSafeInteger(high)) return 'layout';
    const body = at + PRODUCER_BYTES + readUint16(this.#bytes, at + 2);
    if (body > this.#limit) return 'short';
    const producer = decodeProducer(form, this.#bytes.subarray(at + PRODUCER_BYTES, body));
    if (producer === null) return 'layout';
    const seen = this.#readSeen(body, count, high);
    return typeof seen === 'string' ? seen : { producer, seen };
  }

  #readSeen(from: number, count: number, high: number): SeenSequence[] | SnapshotFault {
    const seen: SeenSequence[] = [];
    let at = from;
    let previous = 0;
    for (let index = 0; index < count; index += 1) {
      if (at + SEEN_BYTES > this.#limit) return 'short';
      const sequence = high - readUint16(this.#bytes, at);
      const length = readUint16(this.#bytes, at + 2);
      const offset = readUint64(this.#bytes, at + 4);
      if (sequence <= previous || !Number.isSafeInteger(offset)) return 'layout';
      if (length !== NOT_KEPT && length > LIMITS.producerOutcomeBytesMax) return 'layout';
      const outcomeEnd = at + SEEN_BYTES + (length === NOT_KEPT ? 0 : length);
      if (outcomeEnd > this.#limit) return 'short';
      const outcome = length === NOT_KEPT ? null : this.#bytes.slice(at + SEEN_BYTES, outcomeEnd);
      seen.push({ sequence: asProducerSequence(sequence), offset: asOffset(offset), outcome });
      previous = sequence;
      at = outcomeEnd;
    }
    this.end = at;
    return previous === high ? seen : 'layout';
  }
}
