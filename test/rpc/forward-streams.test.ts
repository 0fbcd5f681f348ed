import { Metadata } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { ForwardReply, ForwardRequest } from '../../src/cluster/forward/messages.ts';
import type { ForwardStream } from '../../src/cluster/forward/ports.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { LIMITS } from '../../src/model/limits.ts';
import {
  asDatabaseId,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asProducerSequence,
} from '../../src/model/numbers.ts';
import { ForwardLinks } from '../../src/rpc/forward-links.ts';
import { ForwardStreams } from '../../src/rpc/forward-streams.ts';
import * as wire from '../../src/rpc/generated/caskade/v1/forward.ts';
import type { NodeIdentity } from '../../src/rpc/hello.ts';
import type { ServerCall } from '../../src/rpc/incoming-stream.ts';
import { FORWARD_STREAM } from '../../src/rpc/methods.ts';
import { RpcServer, type RpcService } from '../../src/rpc/rpc-server.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { CLUSTER } from './rpc-nodes.ts';

const ONE = asNodeId(1);
const TWO = asNodeId(2);
const clock = new SystemClock();
const doors = { clock, logger: new CollectingLogger() };
const identityOf = (nodeId: NodeIdentity['nodeId']): NodeIdentity => ({
  nodeId,
  clusterId: () => CLUSTER,
  incarnation: () => asIncarnation(1),
});

/** Two of the large ones below find room. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;

const request = (id: number, command: Uint8Array = Buffer.from('*1\r\n$4\r\nPING\r\n')): ForwardRequest => ({
  id,
  forwarder: ONE,
  incarnation: asIncarnation(1),
  partition: asPartitionId(2),
  leaderEpoch: asLeaderEpoch(3),
  round: 0,
  sequence: asProducerSequence(id),
  timeoutMs: 4000,
  database: asDatabaseId(0),
  respVersion: 2,
  client: { id: 5, address: '127.0.0.1:50000', name: '' },
  command,
});

const replyTo = ({ id, partition, leaderEpoch, round }: ForwardRequest, reply: Uint8Array): ForwardReply => ({
  id,
  partition,
  round,
  outcome: 'done',
  isAbsent: false,
  leader: TWO,
  leaderEpoch,
  offset: asOffset(id),
  reply,
  error: null,
  expectedSequence: 0,
});

/** Runs what comes; a test says how. */
class Inbox {
  readonly received: ForwardRequest[] = [];
  endedCount = 0;
  run: (stream: ForwardStream, request: ForwardRequest) => void = () => {};

  readonly streams = new ForwardStreams(
    identityOf(TWO),
    doors,
    {
      received: (stream, got) => {
        this.received.push(got);
        this.run(stream, got);
      },
      ended: () => {
        this.endedCount += 1;
      },
    },
    QUEUE_BYTES_MAX,
  );
}

/** Answers each frame of requests with three replies, of which the second has an outcome that nobody knows here. */
class LaterVersion implements RpcService {
  readonly name = 'caskade.v1.Forward';
  readonly definition = { stream: FORWARD_STREAM };
  readonly implementation = { stream: (call: ServerCall) => this.#begin(call) };
  readonly #calls: ServerCall[] = [];

  endStreams(): void {
    for (const call of this.#calls) call.end();
  }

  #begin(call: ServerCall): void {
    this.#calls.push(call);
    call.sendMetadata(new Metadata());
    call.on('error', () => {});
    let isHello = true;
    call.on('data', () => {
      if (!isHello) call.write(this.#replies());
      isHello = false;
    });
  }

  #replies(): Buffer {
    const fields = { partition: 0, round: 0, isAbsent: false, leaderEpoch: 0, offset: 0, error: undefined };
    const replies = [1, 99, 1].map((outcome, at) => ({
      id: at + 1,
      ...fields,
      outcome,
      expectedSequence: 0,
    }));
    const frame = { hello: undefined, fragment: undefined, requests: [], replies };
    return Buffer.from(wire.ForwardFrame.encode(frame).finish());
  }
}

describe('the streams of forwarded commands', () => {
  let inbox: Inbox;
  let server: RpcServer;
  let links: ForwardLinks;
  let port: number;
  let events: string[];
  let replies: ForwardReply[];

  beforeEach(async () => {
    inbox = new Inbox();
    server = new RpcServer({ host: '127.0.0.1', port: 0 }, [inbox.streams], clock);
    port = await server.listen();
    events = [];
    replies = [];
    links = new ForwardLinks(
      identityOf(ONE),
      doors,
      {
        opened: (node) => events.push(`opened ${node}`),
        broken: (node) => events.push(`broken ${node}`),
        replied: (_from, reply) => replies.push(reply),
      },
      QUEUE_BYTES_MAX,
    );
    links.setPeers([{ nodeId: TWO, incarnation: asIncarnation(1), address: `127.0.0.1:${port}` }]);
  });

  afterEach(async () => {
    await links.stop(200);
    await server.stop(200);
  });

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await clock.sleep(2);
  }

  it('take nothing before they are open, and then keep the order both ways', async () => {
    expect(links.send(TWO, request(1))).to.equal(false);
    await until(() => events.length > 0);
    expect(events).to.deep.equal(['opened 2']);
    inbox.run = (stream, got) => stream.send(replyTo(got, Buffer.from('+PONG\r\n')));
    const requests = Array.from({ length: 300 }, (_, index) => request(index + 1));
    for (const each of requests) expect(links.send(TWO, each)).to.equal(true);
    await until(() => replies.length === 300);
    expect(inbox.received.map(({ id }) => id)).to.deep.equal(requests.map(({ id }) => id));
    expect(replies.map(({ id }) => id)).to.deep.equal(requests.map(({ id }) => id));
    expect(links.send(asNodeId(3), request(1))).to.equal(false);
  });

  it('carry commands and replies that are larger than a frame, in order among the others', async () => {
    await until(() => events.length > 0);
    const large = new Uint8Array(2 * LIMITS.frameBytesMax + 7).fill(5);
    inbox.run = (stream, got) => stream.send(replyTo(got, got.command));
    for (const each of [request(1), request(2, large), request(3)]) links.send(TWO, each);
    await until(() => replies.length === 3);
    expect(inbox.received.map(({ id }) => id)).to.deep.equal([1, 2, 3]);
    expect(replies.map(({ reply }) => reply?.length)).to.deep.equal([14, large.length, 14]);
  });

  it('tell of a break, after which no reply comes by the old stream, and open again', async () => {
    await until(() => events.length > 0);
    links.send(TWO, request(1));
    await until(() => inbox.received.length === 1);
    await server.stop(200);
    await until(() => events.length === 2);
    expect(events).to.deep.equal(['opened 2', 'broken 2']);
    expect(inbox.endedCount).to.equal(1);
    expect(links.send(TWO, request(2))).to.equal(false);
    server = new RpcServer({ host: '127.0.0.1', port }, [inbox.streams], clock);
    await server.listen();
    await until(() => events.length === 3);
    expect(events[2]).to.equal('opened 2');
    expect(links.send(TWO, request(2))).to.equal(true);
    await until(() => inbox.received.length === 2);
  });

  it('bring what was answered before the server stops', async () => {
    await until(() => events.length > 0);
    const large = new Uint8Array(3 * LIMITS.frameBytesMax);
    inbox.run = (stream, got) => {
      stream.send(replyTo(got, large));
      inbox.streams.endStreams();
    };
    links.send(TWO, request(1));
    await until(() => events.length > 1);
    expect(replies.map(({ reply }) => reply?.length)).to.deep.equal([large.length]);
  });

  it('tell of a break when the node leaves', async () => {
    await until(() => events.length > 0);
    links.setPeers([]);
    expect(events).to.deep.equal(['opened 2', 'broken 2']);
    await until(() => inbox.endedCount === 1);
  });

  it('lose nothing in silence: what finds no room breaks the stream', async () => {
    await until(() => events.length > 0);
    const large = new Uint8Array(24 * 1024 * 1024);
    const taken = [1, 2, 3].map((id) => links.send(TWO, request(id, large)));
    expect(taken).to.deep.equal([true, true, false]);
    expect(links.send(TWO, request(4))).to.equal(false);
    await until(() => events.length === 3);
    expect(events).to.deep.equal(['opened 2', 'broken 2', 'opened 2']);
    links.send(TWO, request(5));
    await until(() => inbox.received.some(({ id }) => id === 5));
    expect(inbox.received.map(({ id }) => id)).to.deep.equal([5]);
  });

  it('break where a reply cannot be understood: what it was for is asked again', async () => {
    await until(() => events.length > 0);
    await server.stop(200);
    const later = new LaterVersion();
    server = new RpcServer({ host: '127.0.0.1', port }, [later], clock);
    await server.listen();
    await until(() => events.length === 3);
    links.send(TWO, request(1));
    await until(() => events.length === 5);
    expect(events.slice(2)).to.deep.equal(['opened 2', 'broken 2', 'opened 2']);
    expect(replies.map(({ id }) => id)).to.deep.equal([1]);
  });

  it('end when the forwarder lets replies pile up', async () => {
    await until(() => events.length > 0);
    inbox.run = (stream, got) => {
      for (let count = 0; count < 4; count += 1) stream.send(replyTo(got, new Uint8Array(24 * 1024 * 1024)));
    };
    links.send(TWO, request(1));
    await until(() => events.length === 3);
    expect(events).to.deep.equal(['opened 2', 'broken 2', 'opened 2']);
    expect(inbox.endedCount).to.equal(1);
    expect(replies).to.deep.equal([]);
  });
});
