import type { Socket } from 'node:net';
import { CaskadeError } from '../model/errors.ts';
import type { Reply } from '../resp/reply.ts';
import { ReplyDecoder } from '../resp/reply-decoder.ts';
import type { RespVersion } from '../resp/reply-writer.ts';
import { encodeRequest, type RequestArgument } from '../resp/request-encoder.ts';
import { type Address, formatAddress } from './address.ts';
import { CONNECT_TIMEOUT_MS, openConnection } from './connection.ts';

interface Waiter {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export interface RespClientOptions {
  /** 3 is asked for with HELLO; a server that does not know it is spoken to in RESP2. */
  readonly version?: RespVersion;
  readonly timeoutMs?: number;
}

/** One connection: requests are pipelined in the order of the calls, replies resolve in the same order. */
export class RespClient {
  readonly address: Address;
  readonly #socket: Socket;
  readonly #decoder = new ReplyDecoder();
  readonly #waiters: Waiter[] = [];
  #failure: Error | undefined;
  /** RESP version that was agreed on. */
  version: RespVersion = 2;
  /** Called with each push message, which answers no request. */
  onPush: (push: Reply) => void = () => {};
  /** Called once, when the connection has ended for whatever reason. */
  onClose: () => void = () => {};

  private constructor(address: Address, socket: Socket) {
    this.address = address;
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => this.#end('the server closed the connection'));
  }

  /** Throws CaskadeError `connectionFailed`. */
  static async connect(address: Address, options: RespClientOptions = {}): Promise<RespClient> {
    const client = new RespClient(
      address,
      await openConnection(address, options.timeoutMs ?? CONNECT_TIMEOUT_MS),
    );
    if (options.version === 3) await client.#negotiate();
    return client;
  }

  get open(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Sends a command. An error reply is a reply; what rejects is CaskadeError `connectionFailed`, when nothing was
   * sent, or `inDoubt`, when the connection ended before the reply came.
   */
  request(command: readonly RequestArgument[]): Promise<Reply> {
    if (this.#failure !== undefined) {
      return Promise.reject(new CaskadeError('connectionFailed', `not sent: ${this.#failure.message}`));
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#socket.write(encodeRequest(command));
    });
  }

  close(): void {
    this.#end('closed by the client');
  }

  async #negotiate(): Promise<void> {
    const reply = await this.request(['HELLO', '3']).catch((cause: Error) => {
      throw new CaskadeError(
        'connectionFailed',
        `no answer to HELLO: ${this.#failure?.message ?? cause.message}`,
        {
          cause,
        },
      );
    });
    if (reply.kind === 'map') this.version = 3;
  }

  #receive(chunk: Buffer): void {
    this.#decoder.feed(chunk);
    try {
      for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next())
        this.#take(reply);
    } catch (error) {
      this.#end(`the server's reply is not RESP (${(error as Error).message})`);
    }
  }

  #take(reply: Reply): void {
    if (reply.kind === 'push') {
      this.onPush(reply);
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter.resolve(reply);
    // An error without a request is the server's reason for closing, as at its limit of clients.
    else if (reply.kind === 'error') this.#end(`the server said: ${reply.text}`);
    else this.#end('the server sent a reply to no request');
  }

  #end(reason: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new Error(`connection to ${formatAddress(this.address)} lost: ${reason}`);
    this.#socket.destroy();
    for (const waiter of this.#waiters.splice(0)) {
      waiter.reject(
        new CaskadeError(
          'inDoubt',
          `${this.#failure.message}; whether the command was carried out is not known`,
        ),
      );
    }
    this.onClose();
  }
}
