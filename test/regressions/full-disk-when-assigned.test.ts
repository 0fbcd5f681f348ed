import { expect } from 'chai';
import { TestCluster, type TestNode } from '../replication/node/replica-cluster.ts';

const list = (cluster: TestCluster): Promise<string[]> =>
  cluster.clock.until(cluster.node(1).disk.fileSystem.list('/data/partitions'));

/** Files of a node that are open; from now on. */
function countOpen({ disk }: TestNode): () => number {
  const { fileSystem } = disk;
  const open = fileSystem.open.bind(fileSystem);
  let count = 0;
  fileSystem.open = async (path, mode) => {
    const handle = await open(path, mode);
    const close = handle.close.bind(handle);
    count += 1;
    handle.close = () => {
      count -= 1;
      return close();
    };
    return handle;
  };
  return () => count;
}

/** A replica that is assigned to a full disk left what it had made so far, at every push another directory. */
describe('a replica that cannot be made', () => {
  for (const path of ['META', 'MANIFEST', '.log']) {
    it(`leaves no directory and no open file behind when there is no room for ${path}`, async () => {
      const cluster = new TestCluster(1);
      await cluster.start();
      const { disk, manager } = cluster.node(1);
      const openFiles = countOpen(cluster.node(1));
      disk.arm({ operation: 'write', path, errno: 'ENOSPC', times: 3 });
      for (let round = 0; round < 3; round += 1) {
        await cluster.push({ ...cluster.state(null, 0, 1), isr: [] });
        expect(manager.partitions).to.have.length(0);
        expect(await list(cluster)).to.deep.equal([]);
        expect(openFiles()).to.equal(0);
      }
      disk.clearFaults();
      await cluster.push({ ...cluster.state(null, 0, 1), isr: [] });
      expect(await list(cluster)).to.deep.equal(['0']);
      expect(manager.reports([])[0]?.verdict).to.equal('whole');
    });
  }

  it('keeps the one that the state of the node may name, and places it as soon as that can be written', async () => {
    const cluster = new TestCluster(1);
    await cluster.start();
    const node = cluster.node(1);
    node.disk.arm({ operation: 'write', path: 'STATE', errno: 'ENOSPC', times: 100 });
    for (let round = 0; round < 3; round += 1) {
      await cluster.push({ ...cluster.state(null, 0, 1), isr: [] });
      expect(node.manager.partitions).to.have.length(0);
      expect(await list(cluster)).to.deep.equal(['0']);
    }
    node.disk.clearFaults();
    await cluster.push({ ...cluster.state(null, 0, 1), isr: [] });
    expect(await list(cluster)).to.deep.equal(['0']);
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
  });
});
