import { expect } from 'chai';
import { asPartitionId, type PartitionId } from '../../src/model/numbers.ts';
import { MemoryCoordinator } from '../support/memory-coordinator.ts';
import { NodeOverRpc } from './cluster-over-rpc.ts';

const SHAPE = { nodeCount: 3, partitionCount: 3 };
const PARTITIONS: readonly PartitionId[] = [0, 1, 2].map(asPartitionId);

describe('three nodes over real sockets', () => {
  let nodes: NodeOverRpc[] = [];

  beforeEach(async () => {
    const coordinator = new MemoryCoordinator();
    nodes = [];
    for (const id of [1, 2, 3]) nodes.push(await NodeOverRpc.start(id, coordinator, SHAPE));
  });

  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    for (const { fatal, logger } of nodes) {
      expect(fatal).to.deep.equal([]);
      expect(logger.events.filter(({ level }) => level === 'error')).to.deep.equal([]);
    }
  });

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await nodes[0]?.clock.sleep(5);
  }

  const leaderOf = (partition: PartitionId): NodeOverRpc | undefined =>
    nodes.find((node) => node.leading(partition)?.writeRefusal() === null);

  /** Until one is committed: refusals and doubts are what clients live with. */
  async function written(partition: PartitionId, name: string): Promise<void> {
    for (;;) {
      await until(() => leaderOf(partition) !== undefined);
      if (await leaderOf(partition)?.put(partition, name, Buffer.from(`value of ${name}`))) return;
    }
  }

  it('commit writes on each of them, and go on when one has left', async () => {
    await until(() => new Set(PARTITIONS.map(leaderOf)).size === 3);
    await until(() =>
      PARTITIONS.every((partition) => leaderOf(partition)?.leading(partition)?.stats().isr.length === 3),
    );
    for (const partition of PARTITIONS) {
      const writes = Array.from({ length: 100 }, (_, index) => written(partition, `key ${index}`));
      await Promise.all(writes);
    }
    const [first, ...others] = nodes;
    await first?.stop();
    nodes = others;
    for (const partition of PARTITIONS) await written(partition, 'one more');
  }).timeout(60_000);
});
