import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { asMonotonicMillis } from '../../src/model/numbers.ts';
import { Harness } from '../commands/harness.ts';
import { FakeCluster } from '../support/fake-cluster.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const KEYS = 3 * 2 * LIMITS.keysPerStep;

/**
 * A KEYS that works in slices remembered which of the partitions led here it stood in by its place among them. When one
 * before it was led elsewhere from then on, it went on in the next partition at the position of the last one.
 */
describe('KEYS while the partitions that are led here change', () => {
  function world() {
    const clock = new SimulatedClock();
    const cluster = new FakeCluster({ commit: 'now', wallMs: () => clock.wallMs() });
    for (const { id } of cluster.partitions) cluster.lead(id, 1);
    for (let count = 0; count < KEYS; count += 1) cluster.partitionOf(`key${count}`).seed(`key${count}`, '1');
    // Every look at the clock takes a slice: each has one step.
    let nowMs = clock.monotonicMs();
    clock.monotonicMs = () => {
      nowMs = asMonotonicMillis(nowMs + LIMITS.sliceMsMax);
      return nowMs;
    };
    return { clock, cluster, client: new Harness({ node: cluster.node(1), clock }) };
  }

  /** Names that a KEYS lists of partitions, sorted, when `change` happens after `slices` slices. */
  async function listed(slices: number, before: readonly number[], change: readonly [number, number][]) {
    const { clock, cluster, client } = world();
    for (const partition of before) cluster.lead(partition, 2);
    let reply = client.run('keys', '*');
    for (let slice = 1; client.context.suspension !== null; slice += 1) {
      if (slice === slices) for (const [partition, leader] of change) cluster.lead(partition, leader);
      await clock.until(client.context.suspension);
      reply = client.runAgain();
    }
    const names = [...reply.matchAll(/key\d+/g)].map(([name]) => name);
    return { names, of: (id: number) => names.filter((name) => cluster.partitionOf(name).id === id).length };
  }

  async function countOf(id: number): Promise<number> {
    return (await listed(0, [], [])).of(id);
  }

  for (const slices of [1, 2, 3, 4]) {
    it(`lists every key of those that stay, once: one goes after ${slices} slices`, async () => {
      const { names, of } = await listed(slices, [], [[0, 2]]);
      expect(of(1)).to.equal(await countOf(1));
      expect(of(2)).to.equal(await countOf(2));
      expect(new Set(names).size).to.equal(names.length);
    });

    it(`lists every key of those that stay, once: one comes after ${slices} slices`, async () => {
      const { names, of } = await listed(slices, [0], [[0, 1]]);
      expect(of(1)).to.equal(await countOf(1));
      expect(of(2)).to.equal(await countOf(2));
      expect(new Set(names).size).to.equal(names.length);
    });
  }
});
