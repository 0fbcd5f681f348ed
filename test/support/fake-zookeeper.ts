import { createServer, type Server, type Socket } from 'node:net';

/** One request, as far as a test decides by it. */
export interface FakeRequest {
  readonly xid: number;
  /** ZooKeeper's operation code: 3 exists, 4 get data, 14 multi, -11 close, ... */
  readonly type: number;
}

/** What to do with a request: an error code (0: an empty success), these bytes as they are, silence, or the end. */
export type FakeReply = number | Buffer | 'silence' | 'cut';

export interface FakeBehaviour {
  /** The session's timeout; 0: it has expired; null: no answer to the connect. */
  readonly timeoutMs?: number | null;
  /** Cuts the connection right after its session was granted. */
  readonly cutsAfterConnect?: boolean;
  readonly reply?: (request: FakeRequest) => FakeReply;
}

const NO_NODE = -101;
const EXISTS = 3;
const CLOSE = -11;
const PING_XID = -2;

/** Speaks just as much of ZooKeeper's protocol as it takes to be a bad server. */
export class FakeZooKeeper {
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  behaviour: FakeBehaviour;
  address = '';
  connects = 0;
  /** Of the session that the last client asked for, in hexadecimal. */
  askedFor = '';

  private constructor(behaviour: FakeBehaviour) {
    this.behaviour = behaviour;
    this.#listener = createServer((socket) => this.#accept(socket));
  }

  static async start(behaviour: FakeBehaviour = {}): Promise<FakeZooKeeper> {
    const fake = new FakeZooKeeper(behaviour);
    await new Promise<void>((resolve) => fake.#listener.listen(0, '127.0.0.1', resolve));
    const address = fake.#listener.address();
    if (typeof address === 'object' && address !== null) fake.address = `127.0.0.1:${address.port}`;
    return fake;
  }

  get open(): number {
    return this.#sockets.size;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.connects += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let pending = Buffer.alloc(0);
    let isGranted = false;
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const frame = pending.subarray(4, 4 + pending.readInt32BE(0));
        pending = pending.subarray(4 + frame.length);
        if (isGranted) this.#answer(socket, frame);
        else this.#grant(socket, frame);
        isGranted = true;
      }
    });
  }

  #grant(socket: Socket, request: Buffer): void {
    const { timeoutMs = 2_000, cutsAfterConnect = false } = this.behaviour;
    // protocol version, last zxid, timeout, session id
    this.askedFor = request.subarray(16, 24).toString('hex');
    if (timeoutMs === null) return;
    const body = Buffer.alloc(4 + 4 + 8 + 4 + 16);
    body.writeInt32BE(timeoutMs, 4);
    body.writeBigInt64BE(timeoutMs === 0 ? 0n : 0x1234n, 8);
    body.writeInt32BE(16, 16);
    socket.write(framed(body));
    if (cutsAfterConnect) socket.end();
  }

  #answer(socket: Socket, frame: Buffer): void {
    const request = { xid: frame.readInt32BE(0), type: frame.readInt32BE(4) };
    const reply = this.behaviour.reply?.(request) ?? defaultReply(request);
    if (reply === 'silence') return;
    if (reply === 'cut') socket.destroy();
    else socket.write(Buffer.isBuffer(reply) ? reply : framed(header(request.xid, reply)));
    if (request.type === CLOSE) socket.end();
  }
}

function defaultReply({ xid, type }: FakeRequest): FakeReply {
  if (xid === PING_XID || type === CLOSE) return 0;
  return type === EXISTS ? NO_NODE : 0;
}

/** xid, zxid, error. */
function header(xid: number, code: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32BE(xid, 0);
  bytes.writeInt32BE(code, 12);
  return bytes;
}

export function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length, 0);
  return Buffer.concat([length, body]);
}
