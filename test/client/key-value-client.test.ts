import { createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { KeyValueClient, type KeyValueClientOptions } from '../../src/client/key-value-client.ts';
import { NO_PARTITION, ReadOutcome, type Router } from '../../src/cluster/index.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { CaskadeError, type ErrorCode } from '../../src/model/errors.ts';
import { InDoubtError } from '../../src/rpc/kv-errors.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { KeyValueNode, type KeyValueNodeOptions, mapOf } from '../rpc/kv-node.ts';
import type { FakePartition, FakePartitionOptions } from '../support/fake-partition.ts';
import { FakeRouter } from '../support/fake-router.ts';
import { SeededRandom } from '../support/seeded-random.ts';

/** Waits for a condition, not for a time. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function errorOf(call: Promise<unknown>): Promise<CaskadeError> {
  try {
    await call;
  } catch (error) {
    expect(error).to.be.instanceOf(CaskadeError);
    return error as CaskadeError;
  }
  throw new Error('the call was answered');
}

const clock = new SystemClock();

describe('KeyValueClient', () => {
  const stops: (() => Promise<void> | void)[] = [];

  async function node(router: Router, options: KeyValueNodeOptions = {}): Promise<KeyValueNode> {
    const started = await KeyValueNode.start(router, options);
    stops.push(() => started.stop());
    return started;
  }

  async function leader(fake: FakePartitionOptions = {}): Promise<[KeyValueNode, FakePartition]> {
    const router = new FakeRouter(1, fake);
    return [await node(router), router.partitions[0] as FakePartition];
  }

  /** A node that leads nothing, and has heard that node 2 leads at `address`. */
  function follower(address: () => string): Promise<KeyValueNode> {
    const { arrivals } = new FakeRouter();
    const elsewhere = { partitions: [], arrivals, partitionOf: () => NO_PARTITION };
    return node(elsewhere, { map: mapOf(1, 2, address) });
  }

  function clientOf(addresses: readonly string[], options: KeyValueClientOptions = {}): KeyValueClient {
    const client = new KeyValueClient(addresses, { clock, random: new SeededRandom(1) }, options);
    stops.push(() => client.close());
    return client;
  }

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  it('speaks with one node', async () => {
    const [{ address }] = await leader();
    const client = clientOf([address]);
    await client.connect();
    expect(await client.set('k', 'v', { ttlMs: 60_000 })).to.deep.equal({
      found: true,
      version: { partition: 0, leaderEpoch: 1, offset: 0 },
      guarantee: 'committed',
    });
    const { value, expiresAtMs, version } = await client.get('k');
    expect(Buffer.from(value ?? '').toString()).to.equal('v');
    expect(expiresAtMs).to.be.within(Date.now() + 50_000, Date.now() + 60_000);
    expect(version.offset).to.equal(0);
    expect((await client.ttl('k')).ttlMs).to.be.within(50_000, 60_000);
    expect(await client.expire('k', { ttlMs: 1_000 })).to.include({ found: true });
    expect(await client.delete('k')).to.include({ found: true, guarantee: 'committed' });
    expect(await client.get('k')).to.include({ value: null, expiresAtMs: null });
    expect(await client.ttl('k')).to.include({ found: false, ttlMs: null });
    expect(await client.expire('k', { ttlMs: 1_000 })).to.include({ found: false });
    expect((await client.get('never')).version.offset).to.equal(null);
  });

  it('weaker acks, of a call or of all calls, come back with what they do not promise', async () => {
    const [{ address }, partition] = await leader({ commit: 'manual' });
    expect(await clientOf([address], { acks: 'none' }).set('k', 'v')).to.include({
      guarantee: 'leaderMemoryOnly',
    });
    expect(await clientOf([address]).delete('k', { acks: 'leader' })).to.include({
      guarantee: 'leaderDiskOnly',
    });
    expect(partition.highWatermark).to.equal(0);
  });

  it('follows the node that says who leads, and goes there at once the next time', async () => {
    const [led] = await leader();
    const other = await follower(() => led.address);
    const client = clientOf([other.address]);
    await client.set('k', 'v');
    await client.get('k');
    await client.delete('k');
    expect(other.callCount).to.equal(1);
    expect(led.callCount).to.equal(3);
  });

  it('comes back when the leader that it knew leads no more', async () => {
    const [first, before] = await leader();
    const [second] = await leader();
    const other = await follower(() => second.address);
    const client = clientOf([first.address, other.address]);
    await client.set('k', 'v');
    before.isOver = true;
    await client.set('k', 'w');
    expect(second.callCount).to.equal(1);
  });

  it('two nodes that name each other are not asked for ever', async () => {
    const nodes: KeyValueNode[] = [];
    nodes.push(await follower(() => nodes[1]?.address ?? ''));
    nodes.push(await follower(() => nodes[0]?.address ?? ''));
    const client = clientOf([nodes[0]?.address ?? ''], { timeoutMs: 400 });
    expect(await errorOf(client.set('k', 'v'))).to.include({ code: 'notLeader' });
    expect((nodes[0]?.callCount ?? 0) + (nodes[1]?.callCount ?? 0)).to.be.within(4, 16);
  });

  it('sends again what was refused before anything was done', async () => {
    const [{ address }, partition] = await leader();
    const client = clientOf([address]);
    const codes: ErrorCode[] = ['notEnoughReplicas', 'tryAgain', 'overloaded', 'noLeader', 'shuttingDown'];
    for (const code of codes) {
      partition.refuseWrites = new CaskadeError(code, 'not now');
      const written = client.set('k', 'v');
      const before = partition.records.length;
      setImmediate(() => {
        partition.refuseWrites = null;
      });
      expect(await written).to.include({ guarantee: 'committed' });
      expect(partition.records).to.have.length(before + 1);
    }
    partition.confirmations.push(ReadOutcome.refused, ReadOutcome.refused);
    expect(await client.get('k'))
      .to.have.property('value')
      .that.is.not.equal(null);
  });

  it('stops sending when its time is over, with the last refusal', async () => {
    const [served, partition] = await leader();
    partition.refuseWrites = new CaskadeError('notEnoughReplicas', 'one is missing');
    const error = await errorOf(clientOf([served.address], { timeoutMs: 300 }).set('k', 'v'));
    expect(error).to.include({ code: 'notEnoughReplicas', message: 'one is missing' });
    expect(served.callCount).to.be.within(3, 10);
  });

  it('never sends again what cannot succeed', async () => {
    const [served, partition] = await leader();
    partition.refuseWrites = new CaskadeError('partitionFenced', 'fenced');
    const client = clientOf([served.address]);
    expect(await errorOf(client.set('k', 'v'))).to.include({ code: 'partitionFenced' });
    expect(await errorOf(client.set('k'.repeat(70_000), 'v'))).to.include({ code: 'limitExceeded' });
    expect(await errorOf(client.set('k', 'v', { ttlMs: 0 }))).to.include({ code: 'invalidArgument' });
    expect(served.callCount).to.equal(3);
    for (const expiry of [{ ttlMs: 1.5 }, { ttlMs: -1 }, { ttlMs: 1, expiresAtMs: 1 }])
      expect(await errorOf(client.set('k', 'v', expiry))).to.include({ code: 'invalidArgument' });
    expect(served.callCount).to.equal(3);
  });

  it('never sends again what is in doubt', async () => {
    const [served, partition] = await leader({ commit: 'manual' });
    const client = clientOf([served.address]);
    const failure = errorOf(client.set('k', 'v'));
    await until(() => partition.records.length === 1);
    partition.fail();
    const error = await failure;
    expect(error).to.be.instanceOf(InDoubtError);
    expect(error.respText).to.equal('INDOUBT 0 1 0 the batch was not committed');
    expect((error as InDoubtError).version).to.deep.equal({ partition: 0, leaderEpoch: 1, offset: 0 });
    expect(served.callCount).to.equal(1);
  });

  it('a write that is not committed within its time is in doubt, with its version', async () => {
    const [served] = await leader({ commit: 'manual' });
    const error = await errorOf(clientOf([served.address], { timeoutMs: 500 }).set('k', 'v'));
    expect((error as InDoubtError).version).to.deep.equal({ partition: 0, leaderEpoch: 1, offset: 0 });
    expect(served.callCount).to.equal(1);
  });

  it('a connection that ends under a write leaves it in doubt; a read is sent again', async () => {
    const [served, partition] = await leader({ commit: 'manual' });
    const [other] = await leader();
    const client = clientOf([served.address, other.address]);
    partition.seed('due', 'v', 1);
    const write = errorOf(client.set('k', 'v'));
    await until(() => partition.records.length === 2);
    const reader = clientOf([served.address, other.address]);
    const read = reader.get('due');
    await until(() => partition.records.length === 3);
    await served.server.stop(0);
    const error = await write;
    expect(error).to.include({ code: 'inDoubt' });
    expect((error as InDoubtError).version).to.equal(null);
    expect(error.respText).to.match(/^INDOUBT -1 -1 -1 no answer from 127\.0\.0\.1:\d+: /);
    expect(await read).to.include({ value: null });
    expect(other.callCount).to.equal(1);
  });

  it('a call that cannot connect leaves those alone that are under way there', async () => {
    const [served, partition] = await leader({ commit: 'manual' });
    const client = clientOf([served.address], { timeoutMs: 5_000 });
    const write = client.set('k', 'v');
    await until(() => partition.records.length === 1);
    const stopped = served.server.stop(5_000);
    const lonely = new KeyValueClient([served.address], { clock, random: new SeededRandom(1) });
    stops.push(() => lonely.close());
    expect(await errorOf(lonely.connect(200))).to.include({ code: 'connectionFailed' });
    expect(await errorOf(client.connect(200))).to.include({ code: 'connectionFailed' });
    partition.commitAll();
    expect(await write).to.include({ guarantee: 'committed' });
    await stopped;
  });

  it('closed under a write, that is in doubt; afterwards nothing is sent', async () => {
    const [served, partition] = await leader({ commit: 'manual' });
    const client = clientOf([served.address]);
    const write = errorOf(client.set('k', 'v'));
    await until(() => partition.records.length === 1);
    client.close();
    expect(await write).to.be.instanceOf(InDoubtError);
    expect(await errorOf(client.get('k'))).to.include({ code: 'connectionFailed' });
    expect(served.callCount).to.equal(1);
  });

  it('asks the next address where nobody listens', async () => {
    const gone = await node(new FakeRouter());
    await gone.stop();
    const [served] = await leader();
    const client = clientOf([gone.address, served.address]);
    await client.connect();
    expect(await client.set('k', 'v')).to.include({ guarantee: 'committed' });
    const lonely = clientOf([gone.address], { timeoutMs: 200 });
    expect(await errorOf(lonely.connect())).to.include({ code: 'connectionFailed' });
    expect(await errorOf(lonely.set('k', 'v'))).to.include({ code: 'connectionFailed' });
  });

  it('many addresses where nobody listens cost no pauses, and are not asked again and again', async () => {
    const gone = await node(new FakeRouter());
    await gone.stop();
    const [served, partition] = await leader();
    const dead = Array.from({ length: 20 }, () => gone.address);
    const client = clientOf([...dead, served.address], { timeoutMs: 2_000 });
    await client.set('k', 'v');
    partition.refuseReads = new CaskadeError('noLeader', 'not now');
    const read = client.get('k');
    setImmediate(() => {
      partition.refuseReads = null;
    });
    expect(await read)
      .to.have.property('value')
      .that.is.not.equal(null);
    expect(await client.set('another', 'v')).to.include({ guarantee: 'committed' });
  });

  it('a server that accepts and says nothing costs a second, not the call', async () => {
    const silent: Server = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    stops.push(() => {
      silent.close();
    });
    const { port } = silent.address() as { port: number };
    const sockets = new Set<{ destroy(): void }>();
    silent.on('connection', (socket) => sockets.add(socket));
    stops.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    const [served] = await leader();
    const client = clientOf([`127.0.0.1:${port}`, served.address]);
    expect(await client.set('k', 'v')).to.include({ guarantee: 'committed' });
  });

  it('a server without the service is named', async () => {
    const server = new RpcServer({ host: '127.0.0.1', port: 0 }, [], clock);
    const port = await server.listen();
    stops.push(() => server.stop(0));
    const error = await errorOf(clientOf([`127.0.0.1:${port}`]).set('k', 'v'));
    expect(error).to.include({ code: 'usage' });
    expect(error.message).to.contain('does not offer caskade.v1.KeyValue');
  });

  it('a message above the bound of gRPC was refused', async () => {
    const [served, partition] = await leader();
    const error = await errorOf(clientOf([served.address]).set('k', Buffer.alloc(5 * 1024 * 1024)));
    expect(error).to.include({ code: 'limitExceeded' });
    expect(partition.records).to.have.length(0);
  });

  it('needs an address', () => {
    expect(() => clientOf([]))
      .to.throw('no address')
      .with.property('code', 'usage');
  });
});
