import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { asOffset } from '../../src/model/numbers.ts';
import { EntryView } from '../../src/replication/leader-partition.ts';
import { BlockCache } from '../../src/storage/block-cache.ts';
import { EMPTY_MANIFEST, readManifest } from '../../src/storage/manifest.ts';
import { RecordReader } from '../../src/storage/record-reader.ts';
import type { Segment } from '../../src/storage/segment.ts';
import { SegmentedLog } from '../../src/storage/segmented-log.ts';
import { ZeroFill } from '../../src/storage/zero-fill.ts';
import { buildBatch } from '../support/batch-bytes.ts';
import {
  DIRECTORY,
  expectCode,
  failureOf,
  PARTITION_UUID,
  readFileBytes,
  StoreMachine,
  type TestStore,
  textOf,
} from '../support/store-fixture.ts';

const SEGMENT_BYTES = 8192;
const HEADER_BYTES = 96;

async function newLog(preallocationBytes = SEGMENT_BYTES, segmentBytesMax = SEGMENT_BYTES) {
  const machine = new StoreMachine();
  await machine.fileSystem.makeDirectory(DIRECTORY);
  for (const path of ['/', '/data', '/data/partitions']) await machine.fileSystem.syncDirectory(path);
  const settings = {
    directory: DIRECTORY,
    partitionUuid: PARTITION_UUID,
    directoryId: 'f'.repeat(32),
    segmentBytesMax,
    preallocationBytes,
  };
  const log = new SegmentedLog(settings, machine.fileSystem, machine.clock, machine.cache, EMPTY_MANIFEST);
  await log.createFirst();
  let nextOffset = 0;
  /** Writes one batch of one record and syncs it. */
  const append = async (valueLength: number): Promise<void> => {
    const batch = buildBatch([{ key: 'k', value: Buffer.alloc(valueLength, 7) }], nextOffset);
    await log.reserve(batch.length, batch.baseOffset);
    await log.append(batch);
    await log.sync();
    nextOffset = batch.nextOffset;
  };
  const manifest = async () => {
    const found = await readManifest(machine.fileSystem, DIRECTORY);
    if (found === null) throw new Error('there is no manifest');
    return found;
  };
  return { machine, log, append, manifest };
}

describe('the segmented log', () => {
  it('rolls when a batch does not fit, cuts the old file to its last batch, and names both durably (C9)', async () => {
    const { machine, log, append, manifest } = await newLog();
    await append(3000);
    const [first] = log.segments as [Segment];
    expect(await first.handle.size(), 'zeros ahead').to.equal(SEGMENT_BYTES);
    await append(3000);
    expect(log.segments).to.have.length(1);
    const { length } = first;
    await append(3000);
    expect(log.segments).to.have.length(2);
    expect(first).to.include({ base: 0, end: 2, length });
    expect(await first.handle.size()).to.equal(length);
    expect(log.active).to.include({ base: 2, end: 3 });
    machine.powerCut();
    const { segments } = await manifest();
    expect(segments.map(({ base, end, state }) => [base, end, state])).to.deep.equal([
      [0, 2, 'sealed'],
      [2, 2, 'active'],
    ]);
    expect(segments[0]?.length).to.equal(length);
  });

  it('gives a batch larger than a segment one of its own', async () => {
    const { log, append } = await newLog();
    await append(20_000);
    expect(log.segments, 'an empty segment is not rolled').to.have.length(1);
    await append(10);
    await append(20_000);
    expect(log.segments.map(({ base }) => base)).to.deep.equal([0, 1, 2]);
  });

  it('fails on a full disk before anything of the batch is written', async () => {
    const { machine, log, append } = await newLog(4096, 64 * 1024);
    await append(3000);
    await log.reserve(10, asOffset(1));
    const { active } = log;
    machine.disk.limitBytes(1);
    const before = await readFileBytes(machine.fileSystem, active.path);
    await expectCode(() => append(30_000), 'diskFull');
    expect(active.length).to.be.lessThan(3300);
    const after = await readFileBytes(machine.fileSystem, active.path);
    expect(after.subarray(0, before.length).equals(before)).to.equal(true);
    expect(after.subarray(active.length).every((byte) => byte === 0)).to.equal(true);
    machine.disk.clearFaults();
    await append(30_000);
    expect(active.batchCount).to.equal(2);
  });

  it('never repeats a generation while a merge and rolls interleave', async () => {
    const { machine, log, manifest } = await newLog();
    const used = new Set<number>(log.segments.map(({ generation }) => generation));
    const take = (generation: number): void => {
      expect(used.has(generation), `generation ${generation}`).to.equal(false);
      used.add(generation);
    };
    for (let round = 0; round < 6; round += 1) {
      take(log.takeGeneration());
      const rolled = log.roll(asOffset(round));
      take(log.takeGeneration());
      await rolled;
      take(log.active.generation);
      expect((await manifest()).nextGeneration).to.be.greaterThan(log.active.generation);
    }
    machine.powerCut();
    const stored = await manifest();
    const settings = { ...log.settings };
    const again = new SegmentedLog(settings, machine.fileSystem, machine.clock, machine.cache, stored);
    for (const { generation } of stored.segments)
      expect(again.takeGeneration(), 'a generation in use').to.be.greaterThan(generation);
  });

  it('refuses to exchange segments that have changed meanwhile (C13b)', async () => {
    const { log, append, manifest } = await newLog();
    for (let n = 0; n < 4; n += 1) await append(6000);
    const [first, second, third] = log.segments as [Segment, Segment, Segment];
    const before = await manifest();
    for (const inputs of [
      [second, first],
      [first, third],
      [third, second],
    ]) {
      expect(String(await failureOf(() => log.exchange(inputs, [], -1)))).to.contain('have changed');
    }
    const entry = {
      base: first.base,
      end: second.end,
      generation: 90,
      length: first.length,
      state: 'merged' as const,
    };
    const output = await log.admitMerged(entry, first.path).catch((error: unknown) => error);
    expect(output).to.include({ base: 0, end: 2, merged: true });
    expect(await manifest()).to.deep.equal(before);
  });

  it('frees the slot of a retired segment at once, and its file when its readers are done (C12)', async () => {
    const { machine, log, append } = await newLog();
    await append(6000);
    await append(6000);
    const [first] = log.segments as [Segment];
    first.pin();
    first.pin();
    let retired = false;
    const done = log.retire(first).then(() => {
      retired = true;
    });
    expect(() => log.bySlot(first.slot)).to.throw('which is free');
    const exists = (): Promise<boolean> => machine.fileSystem.exists(first.path);
    first.unpin();
    await machine.clock.settle();
    expect([retired, await exists()]).to.deep.equal([false, true]);
    expect((await first.load(0, 8)).toString()).to.equal('CSKDSEG\n');
    first.unpin();
    await done;
    expect(await exists()).to.equal(false);
    expect(() => first.unpin()).to.throw('unpinned more often');
  });

  it('counts what is dead', async () => {
    const machine = new StoreMachine();
    const test = await machine.openStore();
    await test.commit({ a: '1234', b: '1234' });
    const { active } = test.store.log;
    expect([active.liveBytes, active.deadBytes, active.tombstoneBytes]).to.deep.equal([58, 0, 0]);
    await test.commit({ a: '12345678' });
    expect([active.liveBytes, active.deadBytes]).to.deep.equal([62, 29]);
    test.remove('b');
    await test.flush();
    expect([active.liveBytes, active.deadBytes, active.tombstoneBytes]).to.deep.equal([33, 58, 25]);
    test.flushDatabase();
    await test.flush();
    expect([active.liveBytes, active.deadBytes, active.tombstoneBytes]).to.deep.equal([0, 91, 49]);
    const again = (await test.reopen()).store.log.active;
    expect([again.liveBytes, again.deadBytes, again.tombstoneBytes]).to.deep.equal([0, 91, 49]);
  });
});

describe('the zeros ahead of the tail', () => {
  async function newFile() {
    const machine = new StoreMachine();
    const { fileSystem } = machine;
    await (await fileSystem.open('/file', 'create')).close();
    const settings = { preallocationBytes: 4096, segmentBytesMax: 10_000 };
    const size = async (): Promise<number> => (await readFileBytes(fileSystem, '/file')).length;
    return { machine, size, zeros: new ZeroFill(fileSystem, '/file', settings, 0), settings };
  }

  it('are laid and synced before a batch needs them', async () => {
    const { machine, size, zeros } = await newFile();
    await zeros.reserve(96, 1000);
    expect(await size()).to.equal(1096);
    const lines = machine.disk.trace.lines().slice(-2);
    expect(lines[0]).to.contain('write');
    expect(lines[1]).to.contain('sync');
    machine.disk.trace.clear();
    await zeros.reserve(200, 896);
    expect(machine.disk.trace.lines(), 'there is room').to.deep.equal([]);
  });

  it('are laid in the background when less than half is left, up to the size of a segment', async () => {
    const { size, zeros } = await newFile();
    zeros.keepAhead(96);
    zeros.keepAhead(97);
    await zeros.settle();
    expect(await size()).to.equal(96 + 4096);
    zeros.keepAhead(96 + 2048);
    await zeros.settle();
    expect(await size(), 'half is left').to.equal(96 + 4096);
    zeros.keepAhead(96 + 2049);
    await zeros.settle();
    expect(await size()).to.equal(96 + 2049 + 4096);
    zeros.keepAhead(9000);
    await zeros.settle();
    expect(await size()).to.equal(10_000);
    zeros.keepAhead(9999);
    await zeros.settle();
    expect(await size()).to.equal(10_000);
  });

  it('whose background work met a full disk tell so who needs the room, and only them', async () => {
    const { machine, size, zeros } = await newFile();
    await zeros.reserve(0, 1000);
    machine.disk.limitBytes(1000);
    zeros.keepAhead(500);
    await zeros.settle();
    await zeros.reserve(500, 500);
    await expectCode(() => zeros.reserve(500, 501), 'diskFull');
    machine.disk.clearFaults();
    await zeros.reserve(500, 700);
    expect(await size()).to.equal(1200);
  });

  it('whose sync failed are never believed in', async () => {
    const { machine, zeros } = await newFile();
    machine.disk.arm({ operation: 'sync', path: '/file' });
    zeros.keepAhead(0);
    await zeros.settle();
    await expectCode(() => zeros.reserve(0, 10), 'syncFailed');
    await expectCode(() => zeros.reserve(0, 10), 'syncFailed');
  });

  it('are not laid where none are asked for', async () => {
    const { machine, size, settings } = await newFile();
    const none = new ZeroFill(machine.fileSystem, '/file', { ...settings, preallocationBytes: 0 }, 0);
    await none.reserve(0, 5000);
    none.keepAhead(0);
    await none.settle();
    await none.close();
    expect(await size()).to.equal(0);
  });
});

const { blockBytes } = LIMITS;
const lettersOf = (n: number, length: number): string => String.fromCharCode(97 + (n % 26)).repeat(length);

async function storeWith(
  lengths: readonly number[],
  cacheBytesMax: number,
): Promise<{ machine: StoreMachine; test: TestStore }> {
  const machine = new StoreMachine({ segmentBytesMax: 2 ** 22, cacheBytesMax });
  const test = await machine.openStore();
  for (const [n, length] of lengths.entries()) await test.commit({ [`k${n}`]: lettersOf(n, length) });
  return { machine, test };
}

describe('values from blocks', () => {
  const RECORD_BYTES = 24 + 2;
  const BATCH_BYTES = 56 + RECORD_BYTES;
  /** Values that end just before, at and just after a border of a block, lie over one, over two, and are large. */
  const toBorder = blockBytes - HEADER_BYTES - BATCH_BYTES;
  const shapes: Record<string, readonly number[]> = {
    'one byte before the border of a block': [toBorder - 1, 10],
    'at the border of a block': [toBorder, 10],
    'one byte over the border of a block': [toBorder + 1, 10],
    'with the header of a record over the border': [toBorder - 70, 10, 10],
    'over two blocks': [10, blockBytes + 100, 10],
    'over five blocks': [10, blockBytes * 4, 10, 10],
    'larger than what the cache takes': [10, LIMITS.largeValueBytes + 1, 10, LIMITS.largeValueBytes * 3, 0],
    'of a batch that is not remembered whole': [10, LIMITS.batchBytesTarget * 2 + 1000, 10],
    'of no bytes': [0, 0, 1],
  };
  for (const [name, lengths] of Object.entries(shapes)) {
    it(`are found ${name}: while written, after a roll, after a restart, with any cache`, async () => {
      for (const cacheBytesMax of [0, 2 ** 22]) {
        const { test } = await storeWith(lengths, cacheBytesMax);
        const check = async (store: TestStore): Promise<void> => {
          for (const [n, length] of lengths.entries()) {
            if ((await store.get(`k${n}`)) !== lettersOf(n, length)) expect.fail(`k${n} of ${length} bytes`);
          }
        };
        await check(test);
        await test.roll();
        await check(test);
        const again = await test.reopen();
        await check(again);
        await again.commit({ more: 'm' });
        await check(again);
        expect(await again.get('more')).to.equal('m');
        const resumed = await again.reopen();
        await resumed.commit({ tail: 't' });
        expect(await resumed.get('more')).to.equal('m');
        await check(resumed);
      }
    });
  }

  it('stay what they are while others are read in the same turn', async () => {
    const { test } = await storeWith([20_000, 20_000, 20_000], 2 ** 20);
    const entries = [0, 1, 2].map((n) => {
      const entry = new EntryView();
      expect(test.store.readCommitted(0, test.key(`k${n}`), entry, true)).to.equal(true);
      return entry;
    });
    expect(entries.map((entry) => textOf(entry))).to.deep.equal([0, 1, 2].map((n) => lettersOf(n, 20_000)));
  });

  it('go on in the tail block of a log that was opened again', async () => {
    const { machine, test } = await storeWith([1000, 1000], 2 ** 20);
    const again = await test.reopen();
    const { misses } = machine.cache;
    expect(await again.get('k1')).to.equal(lettersOf(1, 1000));
    await again.commit({ k2: 'x' });
    expect(await again.get('k2')).to.equal('x');
    expect(await again.get('k0')).to.equal(lettersOf(0, 1000));
    expect(machine.cache.misses, 'the tail block is in memory').to.equal(misses);
  });
});

describe('a record reader', () => {
  it('counts hits and misses, and loads a block once for all who wait', async () => {
    const { machine, test } = await storeWith(
      Array.from({ length: 40 }, () => 1000),
      2 ** 20,
    );
    const again = await test.reopen();
    const { cache } = machine;
    expect([cache.hits, cache.misses]).to.deep.equal([0, 0]);
    const reader = new RecordReader(cache, machine.clock);
    const { active } = again.store.log;
    expect(reader.find(active, 200, 100)).to.equal(false);
    expect(reader.find(active, 300, 100)).to.equal(false);
    expect([cache.hits, cache.misses]).to.deep.equal([0, 1]);
    await reader.loaded;
    expect(reader.find(active, 300, 100)).to.equal(true);
    expect(reader.trusted, 'bytes from the disk').to.equal(false);
    expect([cache.hits, cache.misses]).to.deep.equal([1, 1]);
    expect(reader.find(active, active.length - 10, 10)).to.equal(true);
    expect(reader.trusted, 'bytes that were just written').to.equal(true);
  });

  it('throws a failed load once and then tries again', async () => {
    const { machine, test } = await storeWith(
      Array.from({ length: 40 }, () => 1000),
      2 ** 20,
    );
    const again = await test.reopen();
    machine.disk.arm({ operation: 'read', path: '.log' });
    const key = again.key('k0');
    const entry = await again.committed('k39');
    expect(again.store.readCommitted(0, key, entry, true)).to.equal(false);
    await again.store.loaded;
    await expectCode(() => again.store.readCommitted(0, key, entry, true), 'diskIo');
    expect(again.store.readCommitted(0, key, entry, true)).to.equal(false);
    await again.store.loaded;
    expect(await again.get('k0')).to.equal(lettersOf(0, 1000));
  });

  it('finds what it waited for, even if the cache holds a single block', async () => {
    const { machine, test } = await storeWith(
      Array.from({ length: 80 }, () => 1000),
      0,
    );
    const again = await test.reopen();
    const reader = new RecordReader(machine.cache, machine.clock);
    const { active } = again.store.log;
    const positions = [0, 1, 2, 3].map((block) => block * blockBytes + 100);
    for (const position of positions) expect(reader.find(active, position, 50)).to.equal(false);
    await reader.loaded;
    for (const position of positions)
      expect(reader.find(active, position, 50), `at ${position}`).to.equal(true);
    expect(machine.cache.bytes).to.be.at.most(blockBytes);
  });
});

describe('the block cache', () => {
  const block = (byte: number, length: number = blockBytes) => ({
    bytes: Buffer.alloc(length, byte),
    trusted: true,
  });

  it('evicts what was used least recently, by bytes', () => {
    const cache = new BlockCache(blockBytes * 3);
    for (const index of [0, 1, 2]) cache.set(1, index, block(index));
    cache.get(1, 0);
    cache.set(1, 3, block(3));
    expect([0, 1, 2, 3].map((index) => cache.get(1, index)?.bytes[0])).to.deep.equal([0, undefined, 2, 3]);
    expect(cache.bytes).to.equal(blockBytes * 3);
  });

  it('keeps segments apart, and forgets one', () => {
    const cache = new BlockCache(blockBytes * 100);
    const [one, two] = [cache.newSegmentId(), cache.newSegmentId()];
    expect(one).to.not.equal(two);
    for (const index of [0, 5, 70_000]) {
      cache.set(one, index, block(1, 10));
      cache.set(two, index, block(2, 10));
    }
    cache.forget(one, 70_001);
    for (const index of [0, 5, 70_000]) {
      expect(cache.get(one, index)).to.equal(undefined);
      expect(cache.get(two, index)?.bytes[0]).to.equal(2);
    }
    expect(cache.bytes).to.equal(30);
  });

  it('takes at least one block, however small it is set', () => {
    const cache = new BlockCache(0);
    cache.set(1, 0, block(7));
    expect(cache.get(1, 0)?.bytes[0]).to.equal(7);
  });
});
