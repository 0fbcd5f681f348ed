import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';

/** The answer that closes the connection. */
export const CLOSE = Symbol('close');

/** Answers one request with bytes, with nothing, or by closing the connection. */
export type Answer = (words: readonly string[], socket: Socket) => string | Buffer | null | typeof CLOSE;

/** A RESP server for tests of clients: it decodes requests and answers what it is told to. */
export class FakeServer {
  readonly requests: string[][] = [];
  readonly sockets = new Set<Socket>();
  readonly #server: Server;
  answer: Answer;

  private constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(answer: Answer, port = 0): Promise<FakeServer> {
    const server = new FakeServer(answer);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(port, '127.0.0.1', resolve);
    });
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.sockets.add(socket);
    const decoder = new ReplyDecoder();
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      decoder.feed(chunk);
      for (let request = decoder.next(); request !== undefined; request = decoder.next()) {
        this.#reply(socket, wordsOf(request));
      }
    });
  }

  #reply(socket: Socket, words: string[]): void {
    this.requests.push(words);
    const answer = this.answer(words, socket);
    if (answer === CLOSE) socket.destroy();
    else if (answer !== null) socket.write(answer);
  }
}

/** The words as latin1, one character a byte. */
function wordsOf(request: Reply): string[] {
  if (request.kind !== 'array') throw new Error(`a request is an array, not ${request.kind}`);
  return request.items.map((item) => (item.kind === 'bulk' ? item.bytes.toString('latin1') : item.kind));
}

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** A small store over a Map that knows the commands of the transcript; `now` is in seconds. */
export function tinyStore(clock: { now: number } = { now: 0 }): Answer {
  const values = new Map<string, { value: string; due: number | undefined }>();
  const commands: Record<string, (...args: string[]) => string> = {
    set: (key = '', value = '') => {
      values.set(key, { value, due: undefined });
      return '+OK\r\n';
    },
    get: (key = '') => {
      const found = values.get(key);
      return found === undefined ? '$-1\r\n' : bulk(found.value);
    },
    del: (...keys) => `:${keys.filter((key) => values.delete(key)).length}\r\n`,
    expire: (key = '', seconds = '0') => {
      const found = values.get(key);
      if (found === undefined) return ':0\r\n';
      found.due = clock.now + Number(seconds);
      return ':1\r\n';
    },
    ttl: (key = '') => {
      const found = values.get(key);
      if (found === undefined) return ':-2\r\n';
      return `:${found.due === undefined ? -1 : found.due - clock.now}\r\n`;
    },
    mget: (...keys) =>
      `*${keys.length}\r\n${keys.map((key) => (values.has(key) ? bulk(values.get(key)?.value ?? '') : '$-1\r\n')).join('')}`,
    strlen: (key = '') => `:${values.get(key)?.value.length ?? 0}\r\n`,
    ping: () => '+PONG\r\n',
  };
  return (words) => {
    const [name = '', ...args] = words;
    const run = commands[name.toLowerCase()];
    return run === undefined
      ? `-ERR unknown command '${name}', with args beginning with: \r\n`
      : run(...args);
  };
}
