import { expect } from 'chai';
import { KeyValueClient } from '../../src/client/key-value-client.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts';
import type { CaskadeError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { StoreNode } from '../../src/server/store-node.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { configOf, NODE_DIRECTORY } from '../support/node-machine.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { KeyValueNode } from './kv-node.ts';

const clock = new SystemClock();
const MODES = ['all', 'leader', 'none'] as const;

describe('KeyValue service over a real store', () => {
  let store: StoreNode;
  let node: KeyValueNode;
  let client: KeyValueClient;

  async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const config = configOf({ 'data.dir': NODE_DIRECTORY, 'merge.enabled': 'false', ...settings });
    const doors = {
      fileSystem: new MemoryFileSystem(),
      clock,
      random: new SeededRandom(1),
      logger: new CollectingLogger(),
    };
    store = await StoreNode.open(config, doors);
    const { valueBytesMax } = config.storage;
    node = await KeyValueNode.start(store.router, { valueBytesMax });
    client = new KeyValueClient([node.address], { clock, random: new SeededRandom(2) });
  }

  afterEach(async () => {
    client.close();
    await node.stop();
    await store.close();
  });

  it('versions grow with every write of a key, whatever its acks', async () => {
    await start({ 'cluster.partitions': '4' });
    let newest = -1;
    for (const acks of MODES) {
      for (const write of [
        () => client.set('k', acks, { acks }),
        () => client.expire('k', { ttlMs: 60_000 }, { acks }),
        () => client.delete('k', { acks }),
      ]) {
        const { found, version } = await write();
        expect(found).to.equal(true);
        expect(version.offset).to.be.above(newest);
        newest = version.offset ?? -1;
      }
    }
    // What follows in the partition is committed after it.
    const { version } = await client.set('k{k}', 'v');
    expect(version.offset).to.equal(newest + 1);
    expect(await client.get('k')).to.include({ value: null });
  });

  it('a value of the largest size goes in and comes out; one byte more is refused', async () => {
    await start();
    const value = Buffer.alloc(LIMITS.valueBytesMaxDefault, 'caskade');
    await client.set('k', value, { timeoutMs: 30_000 });
    const read = await client.get('k', { timeoutMs: 30_000 });
    expect(Buffer.compare(value, read.value ?? Buffer.alloc(0))).to.equal(0);
    for (const excess of [1, 2 * LIMITS.keyValueOverheadBytesMax]) {
      const large = Buffer.alloc(LIMITS.valueBytesMaxDefault + excess);
      const error: CaskadeError = await client.set('k', large, { timeoutMs: 30_000 }).then(
        () => expect.fail('it was stored'),
        (thrown: CaskadeError) => thrown,
      );
      expect(error.code).to.equal('limitExceeded');
    }
  }).timeout(60_000);

  it('is a map, however calls are mixed', async () => {
    await start({
      'cluster.partitions': '3',
      'storage.segmentBytesMax': '4096',
      'storage.cacheBytesMax': '0',
    });
    const mirror = new Mirror(client, new SeededRandom(3));
    for (let step = 0; step < 500; step += 1) await mirror.step(step);
    await mirror.compareAll();
  }).timeout(30_000);

  it('calls that run side by side are each answered once, and the last record of each key is read', async () => {
    await start({ 'cluster.partitions': '3' });
    const writes = Array.from({ length: 600 }, (_, index) => ({
      key: `key${index % 20}`,
      value: `v${index}`,
    }));
    const results = await Promise.all(writes.map(({ key, value }) => client.set(key, value)));
    for (let key = 0; key < 20; key += 1) {
      const own = results
        .map(({ version }, index) => ({ offset: version.offset ?? -1, write: writes[index] }))
        .filter(({ write }) => write?.key === `key${key}`);
      expect(new Set(own.map(({ offset }) => offset)).size).to.equal(30);
      const newest = own.reduce((best, one) => (one.offset > best.offset ? one : best));
      const read = await client.get(`key${key}`);
      expect(read.version.offset).to.equal(newest.offset);
      expect(Buffer.from(read.value ?? '').toString()).to.equal(newest.write?.value);
    }
  });
});

interface Mirrored {
  readonly value: string;
  readonly expires: boolean;
}

/** Calls at random, each compared with a Map. Nothing expires meanwhile, but by a time that is over. */
class Mirror {
  readonly #client: KeyValueClient;
  readonly #random: SeededRandom;
  readonly #entries = new Map<string, Mirrored>();
  /** Keys whose newest write may not be committed yet: reads do not see it before it is. */
  readonly #uncommitted = new Set<string>();

  constructor(client: KeyValueClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
  }

  async step(step: number): Promise<void> {
    const key = `key${this.#random.below(24)}`;
    const isRead = this.#random.below(3) === 0;
    if (!isRead) await this.#write(key, step);
    else if (!this.#uncommitted.has(key)) await this.#compare(key);
  }

  /** After a committed write to every partition, behind which everything is. */
  async compareAll(): Promise<void> {
    expect(this.#entries.size).to.be.above(5);
    for (let number = 0; number < 24; number += 1) {
      await this.#client.set(`behind{key${number}}`, '');
      await this.#compare(`key${number}`);
    }
  }

  async #compare(key: string): Promise<void> {
    const known = this.#entries.get(key);
    const { value } = await this.#client.get(key);
    expect(value === null ? undefined : Buffer.from(value).toString()).to.equal(known?.value);
    const { found, ttlMs } = await this.#client.ttl(key);
    expect([found, ttlMs !== null]).to.deep.equal([known !== undefined, known?.expires === true]);
  }

  async #write(key: string, step: number): Promise<void> {
    const known = this.#entries.get(key);
    const acks = MODES[this.#random.below(6)] ?? 'all';
    const isOver = this.#random.below(3) === 0;
    const choice = this.#random.below(4);
    if (choice === 0) {
      expect(await this.#client.delete(key, { acks })).to.include({ found: known !== undefined });
      this.#entries.delete(key);
    } else if (choice === 1) {
      const { found } = await this.#client.expire(key, { ttlMs: isOver ? 0 : 600_000 }, { acks });
      expect(found).to.equal(known !== undefined);
      if (known !== undefined && isOver) this.#entries.delete(key);
      else if (known !== undefined) this.#entries.set(key, { ...known, expires: true });
    } else {
      const value = `${step}-`.repeat(1 + this.#random.below(40));
      await this.#client.set(key, value, { acks, ...(isOver ? { ttlMs: 600_000 } : {}) });
      this.#entries.set(key, { value, expires: isOver });
    }
    if (acks === 'all') this.#uncommitted.delete(key);
    else this.#uncommitted.add(key);
  }
}
