import { connect, type Socket } from 'node:net';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import { encodeRequests, type RequestArgument } from '../../src/resp/request-encoder.ts';

export type Command = readonly RequestArgument[];
/** Null: the connection ended before the reply. */
type Waiter = (reply: Reply | null) => void;

/** A connection of the tests: several commands in one packet, replies in order. */
export class PipelinedClient {
  readonly #socket: Socket;
  readonly #decoder = new ReplyDecoder();
  #waiters: Waiter[] = [];
  #answered = 0;
  #open = true;
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#open = false;
        const unanswered = this.#waiters.slice(this.#answered);
        this.#waiters = [];
        this.#answered = 0;
        for (const waiter of unanswered) waiter(null);
        resolve();
      });
    });
  }

  static async connect(port: number): Promise<PipelinedClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new PipelinedClient(socket);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** One packet; `onReply` hears each reply in order, or null for each that never came. */
  sendEach(commands: readonly Command[], onReply: Waiter): void {
    for (let index = 0; index < commands.length; index += 1) this.#waiters.push(onReply);
    this.#socket.write(encodeRequests(commands));
  }

  /** One packet; all replies. Rejects when the connection ends first. */
  pipeline(commands: readonly Command[]): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      const replies: Reply[] = [];
      if (commands.length === 0) resolve(replies);
      if (!this.#open) reject(new Error('the connection is closed'));
      this.sendEach(commands, (reply) => {
        if (reply === null) reject(new Error('the connection ended before the reply'));
        else if (replies.push(reply) === commands.length) resolve(replies);
      });
    });
  }

  async run(...command: RequestArgument[]): Promise<Reply> {
    return (await this.pipeline([command]))[0] as Reply;
  }

  /** The reply as a plain value: bulk strings as UTF-8, errors as their text. */
  async ask(...command: RequestArgument[]): Promise<PlainReply> {
    return plain(await this.run(...command));
  }

  /** A field of INFO. */
  async info(field: string): Promise<string> {
    const text = await this.ask('INFO');
    return new RegExp(`^${field}:(.*)$`, 'm').exec(String(text).replaceAll('\r', ''))?.[1] ?? '';
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#decoder.feed(chunk);
    for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next()) {
      const waiter = this.#waiters[this.#answered];
      if (waiter === undefined) throw new Error(`a reply to no request: ${JSON.stringify(reply)}`);
      this.#answered += 1;
      waiter(reply);
    }
    if (this.#answered > 4096) this.#forgetAnswered();
    else if (this.#answered === this.#waiters.length) this.#forgetAnswered();
  }

  #forgetAnswered(): void {
    this.#waiters.splice(0, this.#answered);
    this.#answered = 0;
  }
}

export type PlainReply = string | number | bigint | null | boolean | PlainReply[];

/** A reply of RESP2 as a plain value. */
export function plain(reply: Reply): PlainReply {
  switch (reply.kind) {
    case 'simple':
    case 'error':
      return reply.text;
    case 'integer':
      return reply.value;
    case 'bulk':
      return reply.bytes.toString();
    case 'nil':
    case 'nilArray':
      return null;
    case 'array':
      return reply.items.map(plain);
    default:
      throw new Error(`not a reply of RESP2: ${reply.kind}`);
  }
}

export async function withClient<Result>(
  port: number,
  use: (client: PipelinedClient) => Promise<Result>,
): Promise<Result> {
  const client = await PipelinedClient.connect(port);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Asks until the answer holds. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  deadlineMs = 5000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
