import { expect } from 'chai';
import { ServerFinder } from '../../src/cli/server-finder.ts';
import { findByZooKeeper } from '../../src/cli/zookeeper-finder.ts';
import type { CoordinatorSession } from '../../src/coordination/coordinator.ts';
import { encodeNode, encodePartition } from '../../src/coordination/documents.ts';
import { NODES_PATH, nodePath, PARTITIONS_PATH, partitionPath } from '../../src/coordination/paths.ts';
import { ZooKeeperCoordinator } from '../../src/coordination/zookeeper/zookeeper-coordinator.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { NullLogger } from '../../src/env/logger.ts';
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { asIncarnation, asNodeId, asPartitionId } from '../../src/model/numbers.ts';
import { freePorts } from '../support/free-ports.ts';
import { partitionState } from '../support/partition-states.ts';
import { ZooKeeperServer } from '../support/zookeeper-server.ts';
import { FakeServer } from './fake-server.ts';
import { TestIo } from './test-io.ts';

describe('a client that looks into ZooKeeper', () => {
  let server: ZooKeeperServer;
  let session: CoordinatorSession;

  before(async function () {
    this.timeout(30_000);
    server = await ZooKeeperServer.start();
    session = await sessionAt('/cluster');
  });
  after(async () => {
    await session.close();
    await server.destroy();
  });

  function sessionAt(chroot: string): Promise<CoordinatorSession> {
    const settings = {
      servers: [server.address],
      chroot,
      sessionTimeoutMs: 2000,
      auth: '',
      dataDirectory: '/',
    };
    const doors = {
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: new NullLogger(),
      fileSystem: new MemoryFileSystem(),
    };
    const opened = new ZooKeeperCoordinator(settings, doors).open();
    return new Promise((resolve) => {
      opened.onState((state) => {
        if (state === 'connected') resolve(opened);
      });
    });
  }

  const place = (chroot: string) => ({ servers: [server.address], chroot, auth: '' });

  async function refusal(chroot: string): Promise<string> {
    const error = await findByZooKeeper(place(chroot)).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(CaskadeError).with.property('code', 'coordinatorUnavailable');
    return (error as CaskadeError).message;
  }

  async function register(id: number, resp: string): Promise<void> {
    const registration = {
      nodeId: asNodeId(id),
      incarnation: asIncarnation(1),
      addresses: { resp },
      rack: '',
    };
    await session.create(nodePath(asNodeId(id)), encodeNode(registration), { ephemeral: true });
  }

  it('is told that no cluster lies there, and makes nothing', async () => {
    expect(await refusal('/elsewhere')).to.match(/\/elsewhere knows no node of a running cluster$/);
    const root = await sessionAt('');
    expect(await root.read('/elsewhere')).to.deep.equal({ ok: false, failure: 'noNode' });
    await root.close();
  });

  it('finds the live nodes, those that lead most first, and talks to one that answers', async () => {
    const [gone = 0, other = 0] = await freePorts(2);
    const fake = await FakeServer.start(() => '+PONG\r\n');
    await session.create(NODES_PATH, null, { ephemeral: false });
    await session.create(PARTITIONS_PATH, null, { ephemeral: false });
    await register(1, `127.0.0.1:${other}`);
    await register(2, `127.0.0.1:${fake.port}`);
    await register(3, `127.0.0.1:${gone}`);
    for (const [id, leader] of [3, 3, 2, null].entries()) {
      const state = partitionState({ id, leader });
      await session.create(partitionPath(asPartitionId(id)), encodePartition(state), { ephemeral: false });
    }
    const ports = (await findByZooKeeper(place('/cluster'))).map(({ port }) => port);
    expect(ports).to.deep.equal([gone, fake.port, other]);
    const finder = new ServerFinder({ kind: 'zooKeeper', place: place('/cluster') }, new TestIo());
    expect((await finder.find()).port).to.equal(fake.port);
    await fake.stop();
  });

  it('says that ZooKeeper does not answer', async () => {
    const [port = 0] = await freePorts(1);
    const error = await findByZooKeeper({ ...place('/c'), servers: [`127.0.0.1:${port}`] }, 500).catch(
      (thrown: unknown) => thrown,
    );
    expect((error as CaskadeError).message).to.equal(`ZooKeeper at 127.0.0.1:${port}/c does not answer`);
    expect((error as CaskadeError).row.exitCode).to.equal(6);
  });
});
