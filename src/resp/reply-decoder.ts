import { ProtocolError } from './protocol-error.ts';
import type { Reply } from './reply.ts';

/**
 * Turns received bytes into replies, RESP2 and RESP3, fed in any split. Pure: no socket, no clock. What it keeps
 * between two chunks is the unfinished reply only; a length that is merely claimed allocates nothing.
 *
 * `next` throws a ProtocolError once the bytes stop making sense; the decoder is of no use afterwards.
 */
export class ReplyDecoder {
  readonly #limits: ReplyLimits;
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** What earlier chunks held of a line or bulk that spans several: `#kept[0, #keptBytes)`. */
  #kept: Buffer = EMPTY;
  #keptBytes = 0;
  /** Bytes of a bulk's payload with its line end, or -1 while a line is read. */
  #bulkBytes = -1;
  #bulkType = 0;
  readonly #open: Aggregate[] = [];

  constructor(limits: ReplyLimits = DEFAULT_REPLY_LIMITS) {
    this.#limits = limits;
  }

  /** Ask `next` until it answers undefined before the next `feed`; `chunk` may be reused then. */
  feed(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#chunk =
      this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /** The next whole reply, or undefined: feed more. */
  next(): Reply | undefined {
    for (;;) {
      const value = this.#bulkBytes >= 0 ? this.#bulk() : this.#line();
      if (value === 'incomplete') {
        this.#at = 0;
        this.#chunk = EMPTY;
        return undefined;
      }
      if (value === 'opened') continue;
      const reply = this.#deliver(value);
      if (reply !== undefined) return reply;
    }
  }

  /** Adds a value to the aggregate it belongs to; the outermost one complete is the reply. */
  #deliver(value: Reply): Reply | undefined {
    let current = value;
    for (;;) {
      const aggregate = this.#open.at(-1);
      if (aggregate === undefined) return current;
      aggregate.items.push(current);
      if (aggregate.items.length < aggregate.count) return undefined;
      this.#open.pop();
      current = close(aggregate);
    }
  }

  #line(): Step {
    const end = this.#chunk.indexOf(LF, this.#at);
    if (end < 0) {
      this.#keep();
      if (this.#keptBytes > this.#limits.lineBytesMax)
        throw new ProtocolError('the reply has a line without an end');
      return 'incomplete';
    }
    const line = this.#taken(end + 1);
    if (line.length < 3 || line[line.length - 2] !== CR)
      throw new ProtocolError('a line of the reply does not end in CR LF');
    return this.#parse(line[0] as number, line.toString('utf8', 1, line.length - 2));
  }

  #bulk(): Step {
    const missing = this.#bulkBytes - this.#keptBytes;
    if (this.#chunk.length - this.#at < missing) {
      this.#keep();
      return 'incomplete';
    }
    const bytes = this.#taken(this.#at + missing);
    const end = bytes.length - 2;
    if (bytes[end] !== CR || bytes[end + 1] !== LF)
      throw new ProtocolError('a bulk string of the reply is longer than it says');
    this.#bulkBytes = -1;
    return bulkReply(this.#bulkType, bytes.subarray(0, end));
  }

  /** Keeps a copy of the rest of the chunk; room doubles, so that a value of many chunks is not copied for each. */
  #keep(): void {
    const rest = this.#chunk.length - this.#at;
    const needed = this.#keptBytes + rest;
    if (needed > this.#kept.length) {
      const room = Buffer.allocUnsafe(Math.max(64, needed, this.#kept.length * 2));
      this.#kept.copy(room, 0, 0, this.#keptBytes);
      this.#kept = room;
    }
    this.#chunk.copy(this.#kept, this.#keptBytes, this.#at);
    this.#keptBytes = needed;
    this.#at = this.#chunk.length;
  }

  /** What was kept, with the chunk's bytes up to `end`, in memory of its own. */
  #taken(end: number): Buffer {
    if (this.#keptBytes === 0) {
      const bytes = Buffer.from(this.#chunk.subarray(this.#at, end));
      this.#at = end;
      return bytes;
    }
    const kept = this.#keptBytes;
    const whole = Buffer.concat([this.#kept.subarray(0, kept), this.#chunk.subarray(this.#at, end)]);
    this.#at = end;
    this.#kept = EMPTY;
    this.#keptBytes = 0;
    return whole;
  }

  #parse(type: number, text: string): Step {
    switch (type) {
      case 0x2b: // +
        return { kind: 'simple', text };
      case 0x2d: // -
        return { kind: 'error', text };
      case 0x3a: // :
        return { kind: 'integer', value: parseInteger(text) };
      case 0x5f: // _
        return { kind: 'nil' };
      case 0x23: // #
        if (text !== 't' && text !== 'f') throw new ProtocolError(`'${shown(text)}' is not a boolean`);
        return { kind: 'boolean', value: text === 't' };
      case 0x2c: // ,
        return { kind: 'double', value: parseDouble(text), text };
      case 0x28: // (
        if (!/^[+-]?\d+$/.test(text)) throw new ProtocolError(`'${shown(text)}' is not a big number`);
        return { kind: 'bigNumber', text };
      case 0x24: // $
      case 0x3d: // =
      case 0x21: // !
        return this.#openBulk(type, text);
      case 0x2a: // *
      case 0x7e: // ~
      case 0x3e: // >
      case 0x25: // %
      case 0x7c: // |
        return this.#openAggregate(type, text);
      default:
        throw new ProtocolError(`a reply cannot begin with byte 0x${type.toString(16).padStart(2, '0')}`);
    }
  }

  #openBulk(type: number, text: string): Step {
    const length = parseLength(text);
    if (length === -1) return { kind: 'nil' };
    if (length > this.#limits.bulkBytesMax)
      throw new ProtocolError(`a bulk string of ${length} bytes is too long`);
    this.#bulkType = type;
    this.#bulkBytes = length + 2;
    return 'opened';
  }

  #openAggregate(type: number, text: string): Step {
    const length = parseLength(text);
    if (length === -1) return { kind: 'nilArray' };
    if (this.#open.length >= this.#limits.depthMax) throw new ProtocolError('the reply is nested too deeply');
    const count = type === MAP ? length * 2 : type === ATTRIBUTE ? length * 2 + 1 : length;
    const aggregate: Aggregate = { type, count, items: [] };
    if (count === 0) return close(aggregate);
    this.#open.push(aggregate);
    return 'opened';
  }
}

/** What a reply may not exceed; each breach is a ProtocolError. */
export interface ReplyLimits {
  readonly bulkBytesMax: number;
  /** Of a simple string, error or number. */
  readonly lineBytesMax: number;
  readonly depthMax: number;
}

export const DEFAULT_REPLY_LIMITS: ReplyLimits = {
  bulkBytesMax: 512 * 1024 * 1024,
  lineBytesMax: 1024 * 1024,
  depthMax: 512,
};

type Step = Reply | 'incomplete' | 'opened';

interface Aggregate {
  readonly type: number;
  readonly count: number;
  readonly items: Reply[];
}

const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const SET = 0x7e;
const PUSH = 0x3e;
const MAP = 0x25;
const ATTRIBUTE = 0x7c;
const VERBATIM = 0x3d;
const BULK_ERROR = 0x21;

function bulkReply(type: number, bytes: Buffer): Reply {
  if (type === BULK_ERROR) return { kind: 'error', text: bytes.toString() };
  if (type !== VERBATIM) return { kind: 'bulk', bytes };
  if (bytes[3] !== 0x3a) throw new ProtocolError('a verbatim string has no format');
  return { kind: 'verbatim', format: bytes.toString('latin1', 0, 3), bytes: bytes.subarray(4) };
}

function close(aggregate: Aggregate): Reply {
  const { items } = aggregate;
  switch (aggregate.type) {
    case SET:
      return { kind: 'set', items };
    case PUSH:
      return { kind: 'push', items };
    case MAP:
      return { kind: 'map', entries: pairs(items, items.length) };
    case ATTRIBUTE:
      return { kind: 'attribute', entries: pairs(items, items.length - 1), reply: items.at(-1) as Reply };
    default:
      return { kind: 'array', items };
  }
}

function pairs(items: readonly Reply[], length: number): (readonly [Reply, Reply])[] {
  const found: (readonly [Reply, Reply])[] = [];
  for (let at = 0; at < length; at += 2) found.push([items[at] as Reply, items[at + 1] as Reply]);
  return found;
}

function parseInteger(text: string): number | bigint {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw new ProtocolError(`'${shown(text)}' is not an integer`);
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text.startsWith('+') ? text.slice(1) : text);
}

function parseLength(text: string): number {
  if (!/^(-1|\d{1,15})$/.test(text)) throw new ProtocolError(`'${shown(text)}' is not a length`);
  return Number(text);
}

function parseDouble(text: string): number {
  if (text === 'inf' || text === '+inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  if (text === 'nan' || text === '-nan') return Number.NaN;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text))
    throw new ProtocolError(`'${shown(text)}' is not a double`);
  return Number(text);
}

function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
