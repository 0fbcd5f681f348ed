import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ClusterLoad } from '../../support/cluster/load/cluster-load.ts';
import { judgeLoad } from '../../support/cluster/load/load-verdict.ts';
import { readBack } from '../../support/cluster/load/read-back.ts';
import { NodeProcess } from '../../support/cluster/node-process.ts';
import { freePorts } from '../../support/free-ports.ts';
import { eventually, withClient } from '../../support/pipelined-client.ts';

const SLOTS = [
  [0, 8191, 0],
  [8192, 16383, 1],
] as const;

/** The instrument itself, on a node alone, where it is known what must be found. */
describe('the load of the cluster tests', function () {
  this.timeout(60_000);
  let directory: string;
  let node: NodeProcess;
  let load: ClusterLoad;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-load-'));
    const [plainPort = 0] = await freePorts(1);
    const flags = ['--cluster.partitions=2'];
    node = new NodeProcess({ id: 1, plainPort, clusterPort: 0, rpcPort: 0, directory, flags });
    await node.start();
    load = new ClusterLoad({
      name: 'test',
      seed: 1,
      facts: { slots: SLOTS },
      nodes: [node.addresses],
      clientsPerPartition: 4,
      actionsPerSecond: 2000,
      timeoutMs: 2000,
      listeners: ['plain'],
    });
  });
  afterEach(async () => {
    await load.stop();
    await node.kill();
    rmSync(directory, { recursive: true, force: true });
  });

  async function acknowledged(count: number): Promise<void> {
    await eventually(`${count} acknowledged`, async () => load.record.count('done') >= count, 10_000);
  }

  async function verdict(): Promise<ReturnType<typeof judgeLoad>> {
    const { plainPort } = node.addresses;
    // A node alone has one listener.
    return judgeLoad(load, await readBack(load, [{ ...node.addresses, clusterPort: plainPort }]));
  }

  it('finds nothing where nothing was lost, over a kill; what was in flight is in doubt', async () => {
    load.start();
    await acknowledged(500);
    await node.kill();
    await node.start();
    await acknowledged(load.record.count('done') + 500);
    await load.stop();
    const found = await verdict();
    expect(found).to.deep.include({ lost: [], violations: [], defects: [], refused: 0 });
    expect(found.inDoubt).to.be.within(1, load.clients.length);
    expect(found.acknowledgedWrites).to.be.above(300);
  });

  it('finds what is lost, and the reads that no order explains', async () => {
    load.start();
    await acknowledged(500);
    await withClient(node.addresses.plainPort, (client) => client.run('FLUSHALL'));
    await acknowledged(load.record.count('done') + 100);
    await load.stop();
    const found = await verdict();
    expect(found.lost).to.have.length.above(100);
    expect(found.violations).to.have.length.above(100);
  });
});
