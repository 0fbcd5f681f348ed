import { type ClientHttp2Session, connect } from 'node:http2';
import { LoadMeter } from './load-meter.ts';
import { type LoadOptions, type LoadResult, measureLoad, type RunningLoad } from './run-load.ts';
import { KEY_BYTES, KeyNumbers, keyOf, VALUE_BYTES } from './workload.ts';

/**
 * KV.Put over gRPC with Node's own HTTP/2 client, one request in flight per client. The few bytes of a PutRequest are
 * encoded here, since a full gRPC library costs the client several times as much, on cores that the servers need.
 */
const PUT_PATH = '/etcdserverpb.KV/Put';
/** Of gRPC: uncompressed, and the message's length in four bytes. */
const FRAME_HEAD_BYTES = 5;
/** Of protobuf: field 1 and field 2, both length-delimited. */
const TAG_KEY = 0x0a;
const TAG_VALUE = 0x12;
const MESSAGE_BYTES = 2 + KEY_BYTES + 2 + VALUE_BYTES;
const CLIENTS_PER_SESSION = 50;
const HEADERS = {
  ':method': 'POST',
  ':path': PUT_PATH,
  'content-type': 'application/grpc',
  te: 'trailers',
};

function putFrame(key: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + MESSAGE_BYTES, 'v');
  frame[0] = 0;
  frame.writeUInt32BE(MESSAGE_BYTES, 1);
  let at = FRAME_HEAD_BYTES;
  frame[at] = TAG_KEY;
  frame[at + 1] = KEY_BYTES;
  at += 2 + frame.write(keyOf(key), at + 2, 'latin1');
  frame[at] = TAG_VALUE;
  frame[at + 1] = VALUE_BYTES;
  return frame;
}

/** `options.connections` clients, each with one Put in flight, over as many HTTP/2 sessions as they need. */
class EtcdLoad implements RunningLoad {
  readonly #sessions: readonly ClientHttp2Session[];
  readonly #keys: KeyNumbers;
  readonly #meter: LoadMeter;
  readonly #clients: number;
  #inFlight = 0;

  constructor(addresses: readonly string[], options: LoadOptions, meter: LoadMeter) {
    const sessions = Math.max(addresses.length, Math.ceil(options.connections / CLIENTS_PER_SESSION));
    this.#sessions = Array.from({ length: sessions }, (_, index) => {
      const session = connect(`http://${addresses[index % addresses.length]}`);
      session.on('error', (error) => meter.fail(error.message));
      return session;
    });
    this.#keys = new KeyNumbers(options.keys, 1);
    this.#meter = meter;
    this.#clients = options.connections;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  start(): void {
    for (let client = 0; client < this.#clients; client += 1)
      this.#put(this.#sessions[client % this.#sessions.length]!);
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #put(session: ClientHttp2Session): void {
    if (!this.#meter.isOpen) return;
    this.#inFlight += 1;
    const sentAtMs = performance.now();
    const stream = session.request(HEADERS);
    let status: unknown;
    let message: unknown;
    const heard = (headers: Record<string, unknown>): void => {
      status ??= headers['grpc-status'];
      message ??= headers['grpc-message'];
    };
    stream.on('response', heard);
    stream.on('trailers', heard);
    stream.on('error', (error: Error) => this.#meter.fail(error.message));
    stream.on('close', () => {
      this.#inFlight -= 1;
      if (status !== '0') this.#meter.fail(`etcd answered ${String(status)}: ${String(message)}`);
      this.#meter.answered(sentAtMs, 1);
      this.#put(session);
    });
    stream.resume();
    stream.end(putFrame(this.#keys.next()));
  }
}

export async function runEtcdLoad(
  addresses: readonly string[],
  options: LoadOptions,
  serverCpuSeconds: () => number,
): Promise<LoadResult> {
  const meter = new LoadMeter();
  const load = new EtcdLoad(addresses, options, meter);
  return await measureLoad(load, meter, options, serverCpuSeconds);
}
