import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { VALUE_BYTES, type Workload } from './workload.ts';

const CR = 0x0d;
const PLUS = 0x2b;
const COLON = 0x3a;
const DOLLAR = 0x24;
const CRLF_BYTES = 2;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Hears of every unit that was answered, with when it was sent, and once after each packet. */
export interface LaneListener {
  answered(sentAtMs: number): void;
  packetRead(): void;
  /** The lane can go on no more: an error reply, a wrong one, or a lost connection. */
  failed(reason: string): void;
}

/** One connection: units go out, and their replies are checked one by one as they come back in order. */
export class Lane {
  readonly #socket: Socket;
  readonly #workload: Workload;
  readonly #listener: LaneListener;
  readonly #repliesPerUnit: number;
  /** When each unit in flight was sent: a ring. */
  readonly #sentAtMs: Float64Array;
  #sent = 0;
  #answeredUnits = 0;
  /** Of the oldest unit in flight. */
  #repliesSeen = 0;
  #rest: Buffer = Buffer.alloc(0);
  #closed = false;

  private constructor(socket: Socket, workload: Workload, listener: LaneListener) {
    this.#socket = socket;
    this.#workload = workload;
    this.#listener = listener;
    this.#repliesPerUnit = workload.perUnit + (workload.wait > 0 ? 1 : 0);
    this.#sentAtMs = new Float64Array(workload.window);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the connection was closed'));
  }

  static async open(endpoint: Endpoint, workload: Workload, listener: LaneListener): Promise<Lane> {
    const socket = connect({ ...endpoint, noDelay: true });
    await once(socket, 'connect');
    return new Lane(socket, workload, listener);
  }

  /** Sends `units` units, encoded in `bytes`, which belong to the lane from now on. */
  send(bytes: Buffer, units: number, nowMs: number): void {
    for (let unit = 0; unit < units; unit += 1) {
      this.#sentAtMs[this.#sent % this.#workload.window] = nowMs;
      this.#sent += 1;
    }
    this.#socket.write(bytes);
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at < bytes.length && !this.#closed) {
      const end = replyEnd(bytes, at);
      if (end < 0) break;
      this.#check(bytes, at, end);
      at = end;
    }
    this.#rest = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
    if (!this.#closed) this.#listener.packetRead();
  }

  #check(bytes: Buffer, start: number, end: number): void {
    const ofWait = this.#repliesSeen === this.#workload.perUnit;
    const expected = ofWait
      ? bytes[start] === COLON && bytes[start + 1]! - 0x30 >= this.#workload.wait
      : this.#workload.command === 'SET'
        ? bytes[start] === PLUS
        : end - start > VALUE_BYTES && bytes[start] === DOLLAR;
    if (!expected) {
      this.#fail(
        `an answer that fails the row: ${bytes.toString('latin1', start, Math.min(end, start + 200))}`,
      );
      return;
    }
    this.#repliesSeen += 1;
    if (this.#repliesSeen < this.#repliesPerUnit) return;
    this.#repliesSeen = 0;
    const sentAtMs = this.#sentAtMs[this.#answeredUnits % this.#workload.window]!;
    this.#answeredUnits += 1;
    this.#listener.answered(sentAtMs);
  }

  #fail(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#listener.failed(reason);
  }
}

const EMPTY = Buffer.alloc(0);

/** Where the reply at `start` ends, or -1 when it is not all there. Simple, error, integer and bulk replies only. */
function replyEnd(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== CR) at += 1;
  const lineEnd = at + CRLF_BYTES;
  if (lineEnd > bytes.length) return -1;
  if (bytes[start] !== DOLLAR) return lineEnd;
  const length = Number(bytes.toString('latin1', start + 1, at));
  if (length < 0) return lineEnd;
  const end = lineEnd + length + CRLF_BYTES;
  return end > bytes.length ? -1 : end;
}
