import { expect } from 'chai';
import { RULES } from '../../src/replication/rules/rules.ts';
import { PARTITION, TestCluster, type TestNode } from '../replication/node/replica-cluster.ts';

const KEYS = 5;

const directoryIdOf = (node: TestNode): string => node.manager.replica(PARTITION)?.store?.directoryId ?? '';

const wroteState = (node: TestNode): boolean =>
  node.disk.trace.operations.some(({ path }) => path.includes('STATE'));

/** Node 2 has built a fresh directory, and is about to have it named by its STATE, whose next sync will fail. */
async function adopting(): Promise<{ readonly cluster: TestCluster; readonly old: string }> {
  const resync = new Set<string>();
  const cluster = new TestCluster(2, {
    rules: {
      ...RULES,
      checkFetch: (view, fetch, log, known) =>
        resync.has(fetch.directoryId)
          ? { outcome: { result: 'resync' }, suspectsSelf: false }
          : RULES.checkFetch(view, fetch, log, known),
    },
  });
  await cluster.found(1);
  for (let number = 0; number < KEYS; number += 1) cluster.node(1).put(`key${number}`, 'old');
  await cluster.clock.advance(500);
  const node = cluster.node(2);
  const old = directoryIdOf(node);
  node.disk.trace.clear();
  node.disk.slow({ syncMs: 20 });
  node.disk.arm({ operation: 'sync', path: 'STATE' });
  resync.add(old);
  while (!wroteState(node)) await cluster.clock.advance(1);
  resync.clear();
  return { cluster, old };
}

/** A role that ended while its rebuild was being named took no notice of the failure: the next one went on in the directory that a start removes. */
describe('a node state that is not written when the role has just ended', () => {
  it('costs nothing that is acknowledged: the replica rests until the next start, which has its old directory', async () => {
    const { cluster, old } = await adopting();
    const node = cluster.node(2);
    await cluster.push(cluster.state(1, 2, 3));
    await cluster.clock.advance(1000);
    cluster.node(1).put('late', 'value');
    await cluster.clock.advance(1000);
    expect(cluster.node(1).leading().highWatermark, 'it acknowledges nothing').to.equal(KEYS);
    expect(node.told.at(-1)).to.include({ kind: 'replicaTrouble', trouble: 'disk' });
    node.disk.clearFaults();
    node.kill();
    await node.start();
    expect(directoryIdOf(node)).to.equal(old);
    expect(node.manager.reports([])[0]).to.include({ verdict: 'whole', logEndOffset: KEYS });
  });

  it('nor where the old name cannot be written again: one of the two is there, whole', async () => {
    const { cluster } = await adopting();
    const node = cluster.node(2);
    node.disk.arm({ operation: 'sync', path: 'STATE', times: 100 });
    await cluster.push(cluster.state(1, 2, 3));
    await cluster.clock.advance(1000);
    node.disk.clearFaults();
    cluster.node(1).put('late', 'value');
    await cluster.push(cluster.state(1, 2, 4));
    await cluster.clock.advance(1000);
    expect(cluster.node(1).leading().highWatermark, 'it acknowledges nothing').to.equal(KEYS);
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]).to.include({ verdict: 'whole', logEndOffset: KEYS });
  });
});
