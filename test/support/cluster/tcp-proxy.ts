import { connect, createServer, type Server, type Socket } from 'node:net';

/** Which way bytes go: `forth` from who connected, `back` to it. */
export type Direction = 'forth' | 'back';

interface Link {
  /** Whose connection it is, by the function that tells; null: unknown. */
  readonly peer: string | null;
  readonly client: Socket;
  readonly target: Socket;
}

/** Tells who connected from this port of 127.0.0.1. */
export type PeerOf = (remotePort: number) => string | null;

/**
 * Stands on 127.0.0.1 in front of a server, and lets through what the network would: all, nothing, one way, or late.
 * Silence is what dropped packets are: connections stay, and new ones are taken, but nothing passes; what was held back
 * is delivered afterwards. Refused is what a dead process is: nobody listens, and what was connected is reset.
 */
export class TcpProxy {
  readonly #targetPort: number;
  readonly #peerOf: PeerOf;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** By peer, and by direction within: held back. `*` is everybody. */
  readonly #silent = new Set<string>();
  #port = 0;
  #delayMs = 0;
  #isRefused = false;

  private constructor(targetPort: number, peerOf: PeerOf) {
    this.#targetPort = targetPort;
    this.#peerOf = peerOf;
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  }

  /** Listens on a port that stays its own; 0 takes a free one. */
  static async start(targetPort: number, port = 0, peerOf: PeerOf = () => null): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, peerOf);
    await proxy.#listen(port);
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** How many connections pass through it now. */
  get linkCount(): number {
    return this.#links.size;
  }

  /** Holds back what goes to and comes from `peer`, by default everybody, in both directions or in one. */
  silence(peer = '*', directions: readonly Direction[] = ['forth', 'back']): void {
    for (const direction of directions) this.#silent.add(`${peer} ${direction}`);
    this.#flow();
  }

  /** Everything passes again. */
  async open(): Promise<void> {
    this.#silent.clear();
    this.#delayMs = 0;
    if (this.#isRefused) {
      this.#isRefused = false;
      await this.#listen(this.#port);
    }
    this.#flow();
  }

  /** Each packet from now on comes so much later. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /** Resets every connection and refuses new ones. */
  async refuse(): Promise<void> {
    if (this.#isRefused) return;
    this.#isRefused = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  /** Resets every connection; new ones are taken as before. */
  cut(): void {
    for (const { client, target } of this.#links) {
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
    this.#links.clear();
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        const address = this.#server.address();
        this.#port = typeof address === 'object' && address !== null ? address.port : port;
        resolve();
      });
    });
  }

  #accept(client: Socket): void {
    const target = connect({ port: this.#targetPort, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const link: Link = { peer: this.#peerOf(client.remotePort ?? 0), client, target };
    this.#links.add(link);
    const end = (): void => {
      this.#links.delete(link);
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (chunk) => this.#pass(target, chunk));
    target.on('data', (chunk) => this.#pass(client, chunk));
    this.#regulate(link);
  }

  #pass(to: Socket, chunk: Buffer): void {
    if (this.#delayMs === 0) to.write(chunk);
    else setTimeout(() => to.write(chunk), this.#delayMs);
  }

  #flow(): void {
    for (const link of this.#links) this.#regulate(link);
  }

  /** What is held back stays in the kernel's buffers: nothing is lost, nothing arrives. */
  #regulate({ peer, client, target }: Link): void {
    const isSilent = (direction: Direction): boolean =>
      this.#silent.has(`* ${direction}`) || this.#silent.has(`${peer} ${direction}`);
    if (isSilent('forth')) client.pause();
    else client.resume();
    if (isSilent('back')) target.pause();
    else target.resume();
  }
}
