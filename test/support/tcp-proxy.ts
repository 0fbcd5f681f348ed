import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** What becomes of bytes that the server sends: all of them pass, none, or so many and then the connection is cut. */
export type Passage = 'all' | 'none' | { readonly cutAfterBytes: number };

/** Stands between clients and one server, and does to their connections what networks do. */
export class TcpProxy {
  readonly #listener: Server;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  #isRefusing = false;
  /** Of replies, from now on. */
  passage: Passage = 'all';
  /** Connections that clients have made so far. */
  connects = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#listener = createServer((client) => this.#accept(client));
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    const address = this.#listener.address();
    return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : '';
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Cuts every connection, and every later one at once, until `accept`. */
  refuse(): void {
    this.#isRefusing = true;
    this.cut();
  }

  accept(): void {
    this.#isRefusing = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  #accept(client: Socket): void {
    this.connects += 1;
    client.on('error', () => {});
    if (this.#isRefusing) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, '127.0.0.1');
    const pair = { client, server };
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    server.on('error', end).on('close', end);
    client.on('close', end);
    client.on('data', (bytes: Buffer) => server.write(bytes));
    server.on('data', (bytes: Buffer) => this.#pass(bytes, pair));
  }

  #pass(bytes: Buffer, { client, server }: Pair): void {
    const { passage } = this;
    if (passage === 'none') return;
    if (passage === 'all' || passage.cutAfterBytes >= bytes.length) {
      if (passage !== 'all') this.passage = { cutAfterBytes: passage.cutAfterBytes - bytes.length };
      client.write(bytes);
      return;
    }
    this.passage = 'all';
    client.end(bytes.subarray(0, passage.cutAfterBytes));
    server.destroy();
  }
}
