import { expect } from 'chai';
import { ReadOutcome } from '../../src/cluster/index.ts';
import { Harness } from '../commands/harness.ts';
import { FakeCluster, slot } from '../support/fake-cluster.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

/** A walk that was over began anew, into the same list, when its reply was not confirmed at once (R3). */
describe('the keys of a slot, confirmed late', () => {
  const { suspended } = ReadOutcome;

  function world() {
    const clock = new SimulatedClock();
    const cluster = new FakeCluster({ commit: 'now', wallMs: () => clock.wallMs() });
    const key = cluster.keyOf(1);
    const partition = cluster.partitionOf(key);
    const names = [0, 1, 2].map((count) => `{${key}}${count}`);
    for (const name of names) partition.seed(name, '1');
    partition.confirmations.push(suspended, suspended);
    return { client: new Harness({ node: cluster.node(1), clock }), names, slot: String(slot(key)) };
  }

  it('are counted once', async () => {
    const { client, slot } = world();
    expect(await client.complete('cluster', 'countkeysinslot', slot)).to.equal(':3\r\n');
    expect(await client.complete('cluster', 'countkeysinslot', slot)).to.equal(':3\r\n');
  });

  it('are listed once', async () => {
    const { client, names, slot } = world();
    const reply = await client.complete('cluster', 'getkeysinslot', slot, '100');
    expect(reply.match(/\{[^\r]*/g)?.sort()).to.deep.equal(names);
  });
});
