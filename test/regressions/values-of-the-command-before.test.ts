import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { asMonotonicMillis } from '../../src/model/numbers.ts';
import type { FakeCluster } from '../support/fake-cluster.ts';
import { ForwardingCluster } from '../support/forwarding-cluster.ts';

/**
 * What a suspended command had collected was kept when it was placed again and somebody else answered it. The next
 * command of the connection took it for its own: it answered with a value of another key, which had the same argument
 * and, in another partition, the same offset.
 */
describe('a suspended command that is answered elsewhere', () => {
  const inPartition = (fake: FakeCluster, id: number): ((name: string) => boolean) => {
    return (name) => fake.partitionOf(name).id === id;
  };

  function keysOf(fake: FakeCluster, id: number): [string, string] {
    const names = Array.from({ length: 100 }, (_, index) => `key${index}`).filter(inPartition(fake, id));
    return [names[0] as string, names[1] as string];
  }

  it('leaves no value to the next MGET', async () => {
    const cluster = new ForwardingCluster();
    const { fake } = cluster;
    fake.lead(1, 1);
    const [x, y] = keysOf(fake, 0);
    const [u, v] = keysOf(fake, 1);
    for (const key of [x, y, u, v]) fake.partitionOf(key).seed(key, `of ${key}`);
    for (const key of [y, v]) fake.partitionOf(key).cold.add(key);
    const client = cluster.client(1);
    expect(client.run('mget', x, y)).to.equal('');
    fake.lead(0, 2);
    const { suspension } = client.context;
    await cluster.clock.until(suspension as Promise<void>);
    expect(client.runAgain()).to.equal('');
    expect(client.context.deferred).to.not.equal(null);
    const reply = await client.complete('mget', u, v);
    expect(reply).to.equal(`*2\r\n$${3 + u.length}\r\nof ${u}\r\n$${3 + v.length}\r\nof ${v}\r\n`);
  });

  it('leaves no keys to the next KEYS', async () => {
    const cluster = new ForwardingCluster({ nodes: 2, partitions: 2 });
    const { fake, clock } = cluster;
    fake.lead(1, 1);
    const [partition] = fake.partitions;
    for (let count = 0; count < 2 * LIMITS.keysPerStep; count += 1) partition?.seed(`many:${count}`, '1');
    partition?.seed('one', '1');
    // Every look at the clock takes a slice: each has one step.
    let nowMs = clock.monotonicMs();
    clock.monotonicMs = () => {
      nowMs = asMonotonicMillis(nowMs + LIMITS.sliceMsMax);
      return nowMs;
    };
    const client = cluster.client(1);
    expect(client.run('keys', 'many:*')).to.equal('');
    fake.lead(1, 2);
    await clock.until(client.context.suspension as Promise<void>);
    expect(client.runAgain()).to.equal('');
    const { deferred } = client.context;
    await clock.until(new Promise<void>((done) => deferred?.whenAnswered(() => done())));
    fake.lead(1, 1);
    expect(await client.complete('keys', 'one')).to.equal('*1\r\n$3\r\none\r\n');
  });
});
