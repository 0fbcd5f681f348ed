import { connect, type Socket } from 'node:net';
import type { Reply } from '../../../src/resp/reply.ts';
import { ReplyDecoder } from '../../../src/resp/reply-decoder.ts';
import { encodeRequests } from '../../../src/resp/request-encoder.ts';
import type { Shard } from '../../peers/shard-cluster.ts';

/** From an answer to the next question, and from a lost connection to the next one: what a figure may be off by. */
const GAP_MS = 10;

export type ProbedCommand = 'SET' | 'GET';

/** Hears when a command was sent that did what it was to do. */
type OnSuccess = (sentAtMs: number) => void;

/**
 * Asks one server the same thing about one shard for as long as it lives: one command in flight, the next a moment after
 * the answer, on a new connection when the old one is lost. A server that does not lead the shard answers MOVED or an
 * error, which is no success; so a set of probes, one for each server, needs to know nothing of who leads.
 */
export class Probe {
  readonly #port: number;
  readonly #request: Buffer;
  readonly #onSuccess: OnSuccess;
  #socket: Socket | null = null;
  #timer: NodeJS.Timeout | undefined;
  #sentAtMs = 0;
  #stopped = false;

  constructor(port: number, command: ProbedCommand, shard: Shard, onSuccess: OnSuccess) {
    this.#port = port;
    const words = command === 'SET' ? ['SET', shard.key, 'v'] : ['GET', shard.key];
    this.#request = encodeRequests([words]);
    this.#onSuccess = onSuccess;
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    const decoder = new ReplyDecoder();
    this.#socket = socket;
    socket.on('connect', () => this.#ask(socket));
    socket.on('data', (chunk: Buffer) => {
      decoder.feed(chunk);
      const reply = decoder.next();
      if (reply !== undefined) this.#answered(socket, reply);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#later(() => this.#connect()));
  }

  #ask(socket: Socket): void {
    this.#sentAtMs = performance.now();
    socket.write(this.#request);
  }

  #answered(socket: Socket, reply: Reply): void {
    if (reply.kind === 'simple' || reply.kind === 'bulk') this.#onSuccess(this.#sentAtMs);
    this.#later(() => this.#ask(socket));
  }

  #later(act: () => void): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#stopped) act();
    }, GAP_MS);
  }
}
