import { expect } from 'chai';
import { encodeCluster, encodeNode, encodePartition } from '../../src/coordination/documents.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionId,
  asPartitionVersion,
} from '../../src/model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../../src/model/partition-state.ts';
import type { CoordinatorRead } from '../../src/replication/node/ports.ts';
import { CoordinatorReader } from '../../src/server/coordinator-reader.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { MemoryCoordinator, type MemorySession } from '../support/memory-coordinator.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const RETRY_MS = 50;
const FACTS: ClusterFacts = {
  clusterId: 'c',
  version: 0,
  replicationFactor: 1,
  minInsync: 1,
  flushMode: 'always',
  leaseMsMax: 600,
  slots: [[0, 16383, 0]],
};
const STATE: PartitionState = {
  id: asPartitionId(0),
  uuid: '0123456789abcdef0123456789abcdef',
  version: asPartitionVersion(0),
  replicas: [asNodeId(1)],
  adding: [],
  removing: [],
  leader: null,
  leaderEpoch: asLeaderEpoch(0),
  isr: [],
  elr: [],
  incarnations: {},
  directoryIds: {},
  controllerEpoch: asControllerEpoch(0),
  recovery: 'clean',
};
const NODE = { nodeId: asNodeId(1), incarnation: asIncarnation(7), addresses: {}, rack: '' };

describe('what a node reads of the coordinator', () => {
  let clock: SimulatedClock;
  let session: MemorySession;
  let other: MemorySession;
  let logger: CollectingLogger;
  let reads: CoordinatorRead[];
  let reader: CoordinatorReader;

  beforeEach(async () => {
    clock = new SimulatedClock();
    const coordinator = new MemoryCoordinator();
    session = coordinator.open();
    other = coordinator.open();
    logger = new CollectingLogger();
    reads = [];
    await clock.settle();
    for (const [path, data] of [
      ['/cluster', encodeCluster(FACTS)],
      ['/nodes', null],
      ['/nodes/1', encodeNode(NODE)],
      ['/partitions', null],
      ['/partitions/0', encodePartition(STATE)],
    ] as const) {
      await other.create(path, data, { ephemeral: false });
    }
    const onRead = (read: CoordinatorRead): void => void reads.push(read);
    const epochKnown = () => asControllerEpoch(3);
    reader = new CoordinatorReader({ session, clock, logger, retryMs: RETRY_MS, epochKnown, onRead });
    await clock.settle();
  });

  it('is everything, at once where the session is connected', () => {
    expect(reads).to.deep.equal([{ controllerEpoch: 3, facts: FACTS, nodes: [NODE], partitions: [STATE] }]);
  });

  it('is read again after every reconnect', async () => {
    session.disconnect();
    await other.set('/partitions/0', encodePartition({ ...STATE, leaderEpoch: asLeaderEpoch(4) }), 0);
    await clock.advance(RETRY_MS * 3);
    expect(reads.length).to.equal(1);
    session.reconnect();
    await clock.advance(RETRY_MS);
    expect(reads.at(-1)?.partitions[0]?.leaderEpoch).to.equal(4);
    expect(reads.at(-1)?.partitions[0]?.version).to.equal(1);
  });

  it('is read again when asked, once for many who ask at a time, and once more for who asks meanwhile', async () => {
    reader.readSoon();
    reader.readSoon();
    reader.readSoon();
    await clock.settle();
    expect(reads.length).to.equal(3);
    await clock.advance(RETRY_MS * 10);
    expect(reads.length, 'nothing goes on by itself').to.equal(3);
  });

  it('is tried again until it succeeds', async () => {
    await other.remove('/cluster', 0);
    reader.readSoon();
    await clock.advance(RETRY_MS * 2);
    expect(reads.length).to.equal(1);
    await other.create('/cluster', encodeCluster(FACTS), { ephemeral: false });
    await clock.advance(RETRY_MS);
    expect(reads.length).to.equal(2);
  });

  it('leaves out, and says, what cannot be decoded', async () => {
    await other.create('/partitions/1', { format: 99 }, { ephemeral: false });
    await other.create('/partitions/notes', 'by hand', { ephemeral: false });
    reader.readSoon();
    await clock.settle();
    expect(reads.at(-1)?.partitions.map(({ id }) => id)).to.deep.equal([0]);
    expect(logger.texts('error').length).to.equal(1);
  });

  it('ends with its session', async () => {
    reader.stop();
    reader.readSoon();
    await clock.advance(RETRY_MS * 2);
    expect(reads.length).to.equal(1);
    expect(clock.timerCount).to.equal(0);
  });
});
