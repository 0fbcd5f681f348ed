import { expect } from 'chai';
import { BatchScan } from '../../src/storage/batch-scan.ts';
import { IndexedRecord } from '../../src/storage/committed-index.ts';
import { BatchFlag, type BatchHeader } from '../../src/storage/format/batch.ts';
import { RecordKind } from '../../src/storage/format/record.ts';
import type { Segment } from '../../src/storage/segment.ts';
import { SegmentRecords } from '../../src/storage/segment-records.ts';
import { DIRECTORY, failureOf, overwrite, StoreMachine, type TestStore } from '../support/store-fixture.ts';

interface Found {
  readonly offset: number;
  readonly kind: number;
  readonly key: string;
}

/** What a segment file holds, read from the disk. */
async function contentOf(
  test: TestStore,
  segment: Segment,
): Promise<{ headers: BatchHeader[]; records: Found[] }> {
  const headers: BatchHeader[] = [];
  const records: Found[] = [];
  const record = new IndexedRecord();
  const walk = new SegmentRecords(test.store.hasher);
  for await (const batch of new BatchScan(segment.handle, segment.length).batches()) {
    headers.push(batch.header);
    for (const _place of walk.of(batch, segment.path, record)) {
      const key = Buffer.from(record.bytes.subarray(record.keyStart, record.keyEnd)).toString();
      records.push({ offset: record.offset, kind: record.kind, key });
    }
  }
  return { headers, records };
}

const sealed = (test: TestStore): readonly Segment[] => test.store.log.segments.slice(0, -1);

async function sealedRecords(test: TestStore): Promise<Found[]> {
  const all = await Promise.all(sealed(test).map((segment) => contentOf(test, segment)));
  return all.flatMap(({ records }) => records);
}

async function newStore(options: ConstructorParameters<typeof StoreMachine>[0] = {}) {
  const machine = new StoreMachine(options);
  return { machine, test: await machine.openStore() };
}

const logNames = async (machine: StoreMachine): Promise<string[]> =>
  (await machine.fileSystem.list(DIRECTORY)).filter((name) => /\.(log|hint|tmp)$/.test(name));

describe('a merge', () => {
  it('keeps base offset, last delta, epoch and timestamps of each batch (R16)', async () => {
    const { machine, test } = await newStore();
    for (const [one, two, three] of [
      ['a', 'b', 'c'],
      ['b', 'c', 'd'],
      ['c', 'd', 'e'],
    ] as const) {
      for (const key of [one, two, three]) test.put(key, `value of ${key}`);
      await machine.clock.advance(3);
      await test.flush();
    }
    await test.roll();
    const before = await contentOf(test, sealed(test)[0] as Segment);
    const outcome = await test.merge();
    expect(outcome).to.include({ inputs: 1, recordsKept: 5, recordsDropped: 4 });
    const after = await contentOf(test, sealed(test)[0] as Segment);
    expect(after.headers).to.have.length(3);
    for (const [index, header] of after.headers.entries()) {
      const { crc: _crc, length: _length, count, flags, ...same } = header;
      expect(before.headers[index]).to.deep.include(same);
      expect(flags).to.equal(count === 3 ? 0 : BatchFlag.merged);
    }
    expect(after.records.map(({ offset }) => offset)).to.deep.equal([0, 3, 6, 7, 8]);
    for (const key of ['a', 'b', 'c', 'd', 'e']) expect(await test.get(key)).to.equal(`value of ${key}`);
  });

  it('of a prefix drops tombstones and raises removedFloor; the keys stay away (C4a, C5)', async () => {
    const { test } = await newStore();
    await test.commit({ a: '1', b: '2' });
    await test.roll();
    test.remove('a');
    await test.roll();
    expect(test.store.log.manifest.removedFloor).to.equal(-1);
    await test.merge();
    expect(await sealedRecords(test)).to.deep.equal([{ offset: 1, kind: RecordKind.put, key: 'b' }]);
    expect(test.store.log.manifest.removedFloor).to.equal(2);
    const again = await test.reopen();
    expect(await again.get('a')).to.equal(null);
    expect(await again.get('b')).to.equal('2');
    expect(again.store.log.manifest.removedFloor).to.equal(2);
    expect(again.store.logEndOffset).to.equal(3);
  });

  it('elsewhere keeps tombstones, or the key came back (bitcask #82)', async () => {
    const { test } = await newStore();
    await test.commit({ a: '1' });
    await test.roll();
    test.remove('a');
    await test.roll();
    await test.merge(1, 1);
    expect(await sealedRecords(test)).to.deep.include({ offset: 1, kind: RecordKind.tombstone, key: 'a' });
    expect(test.store.log.manifest.removedFloor).to.equal(-1);
    expect(await (await test.reopen()).get('a')).to.equal(null);
  });

  it('never lowers removedFloor (I10)', async () => {
    const { test } = await newStore();
    for (const round of [1, 2]) {
      await test.commit({ a: `${round}` });
      test.remove('a');
      await test.roll();
      await test.merge();
    }
    expect(test.store.log.manifest.removedFloor).to.equal(3);
    await test.commit({ b: '1' });
    await test.roll();
    await test.merge();
    expect(test.store.log.manifest.removedFloor).to.equal(3);
  });

  it('drops a record only for a committed newer one (C2)', async () => {
    const { test } = await newStore();
    await test.commit({ a: 'old' });
    await test.roll();
    test.put('a', 'uncommitted');
    await test.merge();
    test.store.discardUnwritten();
    expect(await test.get('a')).to.equal('old');
    expect(await (await test.reopen()).get('a')).to.equal('old');
  });

  it('keeps an expiry change exactly as long as the keydir knows it', async () => {
    const { machine, test } = await newStore();
    const dueMs = machine.clock.wallMs() + 60_000;
    await test.commit({ kept: 'k', replaced: 'r', removed: 'x', twice: 't' });
    for (const key of ['kept', 'replaced', 'removed', 'twice']) test.changeExpiry(key, dueMs);
    test.changeExpiry('twice', dueMs + 1);
    test.put('replaced', 'new');
    test.remove('removed');
    await test.roll();
    await test.merge();
    const changes = (await sealedRecords(test)).filter(({ kind }) => kind === RecordKind.expiryChange);
    expect(changes.map(({ key, offset }) => [key, offset])).to.deep.equal([
      ['kept', 4],
      ['twice', 8],
    ]);
    const expiries = async (store: TestStore): Promise<number[]> => {
      const found: number[] = [];
      for (const key of ['kept', 'replaced', 'twice']) found.push((await store.committed(key)).expiresAtMs);
      return found;
    };
    expect(await expiries(test)).to.deep.equal([dueMs, 0, dueMs + 1]);
    expect(await expiries(await test.reopen())).to.deep.equal([dueMs, 0, dueMs + 1]);
  });

  it('keeps PERSIST, the change to no expiry, or the key would expire after a restart', async () => {
    const { machine, test } = await newStore();
    const dueMs = machine.clock.wallMs() + 1000;
    test.put('a', 'v', dueMs);
    test.changeExpiry('a', 0);
    await test.roll();
    await test.merge();
    expect((await test.committed('a')).expiresAtMs).to.equal(0);
    const again = await test.reopen();
    expect(again.store.report.fromHints).to.equal(1);
    expect((await again.committed('a')).expiresAtMs).to.equal(0);
    expect(await again.get('a')).to.equal('v');
    for (const name of await machine.fileSystem.list(DIRECTORY))
      if (name.endsWith('.hint')) machine.disk.flipBit(`${DIRECTORY}/${name}`, 70, 1);
    const scanned = await again.reopen();
    expect(scanned.store.report).to.include({ fromHints: 0, badHints: 1 });
    expect((await scanned.committed('a')).expiresAtMs).to.equal(0);
    await scanned.roll();
    await scanned.merge();
    expect((await (await scanned.reopen()).committed('a')).expiresAtMs).to.equal(0);
  });

  it('keeps a flush unless it is of a prefix (R15)', async () => {
    const { test } = await newStore();
    await test.commit({ a: '1' });
    await test.roll();
    test.flushDatabase();
    await test.commit({ b: '2' });
    await test.roll();
    await test.merge(1, 1);
    expect((await sealedRecords(test)).map(({ kind }) => kind)).to.deep.equal([
      RecordKind.put,
      RecordKind.flush,
      RecordKind.put,
    ]);
    const again = await test.reopen();
    expect(await again.get('a')).to.equal(null);
    await again.merge();
    expect(await sealedRecords(again)).to.deep.equal([{ offset: 2, kind: RecordKind.put, key: 'b' }]);
    expect(again.store.log.manifest.removedFloor).to.equal(1);
    const last = await again.reopen();
    expect(await last.get('a')).to.equal(null);
    expect(await last.get('b')).to.equal('2');
  });

  it('of an expired newer value over an older one leaves neither (e of 3.4)', async () => {
    const { machine, test } = await newStore();
    await test.commit({ a: 'forever' });
    await test.roll();
    test.put('a', 'short', machine.clock.wallMs() + 1000);
    await test.roll();
    await machine.clock.advance(5000);
    await test.merge(1, 1);
    expect((await test.committed('a')).found, 'live until its tombstone is committed (R4)').to.equal(true);
    test.remove('a', 1);
    await test.roll();
    await test.merge(1, 2);
    machine.clock.wallJump(-60_000);
    expect(await (await test.reopen()).get('a')).to.equal(null);
  });

  it('splits its output at batch borders when it does not fit one file', async () => {
    const { test } = await newStore({ segmentBytesMax: 4096 });
    for (let n = 0; n < 12; n += 1) await test.commit({ [`k${n}`]: 'v'.repeat(800) });
    await test.roll();
    const count = sealed(test).length;
    expect(count).to.be.greaterThan(2);
    const outcome = await test.merge();
    expect(outcome).to.include({ inputs: count, recordsKept: 12, recordsDropped: 0 });
    expect(sealed(test).length).to.be.greaterThan(1);
    for (const segment of sealed(test)) expect(segment.length).to.be.at.most(4096);
    const again = await test.reopen();
    for (let n = 0; n < 12; n += 1) expect(await again.get(`k${n}`)).to.equal('v'.repeat(800));
  });

  it('of which nothing is left stands for its offsets still', async () => {
    const { test } = await newStore();
    await test.commit({ a: '1' });
    test.remove('a');
    await test.roll();
    await test.merge();
    expect(await sealedRecords(test)).to.deep.equal([]);
    expect(sealed(test)[0]).to.include({ base: 0, end: 2 });
    expect((await test.reopen()).store.logEndOffset).to.equal(2);
  });

  it('leaves no dead bytes, and the files of its inputs are gone', async () => {
    const { machine, test } = await newStore();
    for (let n = 0; n < 30; n += 1) await test.commit({ [`k${n % 3}`]: `${n}`.repeat(50) });
    await test.roll();
    expect(test.store.log.deadBytes).to.be.greaterThan(0);
    const path = sealed(test)[0]?.path as string;
    await test.merge();
    expect(test.store.log.deadBytes).to.equal(0);
    expect(await machine.fileSystem.exists(path)).to.equal(false);
    expect(await logNames(machine)).to.have.length(3);
    expect(test.store.log.opened).to.have.length(2);
  });
});

describe('a merge that is cancelled or fails (C13b)', () => {
  const filled = async (): Promise<{ machine: StoreMachine; test: TestStore; names: string[] }> => {
    const { machine, test } = await newStore({ segmentBytesMax: 4096 });
    for (let n = 0; n < 12; n += 1) await test.commit({ [`k${n % 6}`]: `${n}`.repeat(400) });
    await test.roll();
    return { machine, test, names: await logNames(machine) };
  };
  const unchanged = async (machine: StoreMachine, test: TestStore, names: string[]): Promise<void> => {
    expect(await logNames(machine)).to.deep.equal(names);
    expect(test.store.log.opened).to.have.length(test.store.log.segments.length);
    for (let n = 6; n < 12; n += 1) expect(await test.get(`k${n % 6}`)).to.equal(`${n}`.repeat(400));
    const outcome = await test.merge();
    expect(outcome?.recordsKept).to.equal(6);
    const again = await test.reopen();
    for (let n = 6; n < 12; n += 1) expect(await again.get(`k${n % 6}`)).to.equal(`${n}`.repeat(400));
  };

  it('leaves nothing behind, whenever it is cancelled', async () => {
    for (let allowed = 0; ; allowed += 1) {
      const { machine, test, names } = await filled();
      let looked = 0;
      const outcome = await test.merge(0, undefined, { isCancelled: () => looked++ >= allowed });
      if (outcome !== null) {
        expect(allowed).to.be.greaterThan(5);
        return;
      }
      await unchanged(machine, test, names);
    }
  });

  it('leaves nothing behind when its output cannot be written or synced', async () => {
    for (const operation of ['write', 'sync', 'create'] as const) {
      const { machine, test, names } = await filled();
      machine.disk.arm({ operation, path: '.log', errno: operation === 'write' ? 'ENOSPC' : 'EIO' });
      expect(await failureOf(() => test.merge()), operation).to.be.instanceOf(Error);
      machine.disk.clearFaults();
      await unchanged(machine, test, names);
    }
  });

  it('on a bad input says where, and keeps the input (C11)', async () => {
    const { machine, test, names } = await filled();
    const [first] = sealed(test);
    await overwrite(machine.fileSystem, first?.path as string, 500, Buffer.from([0xff, 0x00, 0xff]));
    const error = await failureOf(() => test.merge());
    expect(error).to.include({ code: 'corruptSegment' });
    expect((error as Error).message).to.contain(`${first?.path}: position`);
    expect(await logNames(machine)).to.deep.equal(names);
  });

  it('whose manifest cannot be written leaves a log that is whole either way', async () => {
    const { machine, test } = await filled();
    machine.disk.arm({ operation: 'rename', path: 'MANIFEST' });
    expect(await failureOf(() => test.merge())).to.include({ code: 'diskIo' });
    const again = await test.reopen();
    for (let n = 6; n < 12; n += 1) expect(await again.get(`k${n % 6}`)).to.equal(`${n}`.repeat(400));
    expect(again.store.report.removedFiles).to.be.greaterThan(0);
  });
});

describe('the throttle of a merge', () => {
  it('reads no faster than allowed', async () => {
    const { machine, test } = await newStore({ segmentBytesMax: 64 * 1024 });
    for (let n = 0; n < 20; n += 1) await test.commit({ [`k${n}`]: 'v'.repeat(1000) });
    await test.roll();
    const bytes = sealed(test)[0]?.length as number;
    const startMs = machine.clock.monotonicMs();
    let doneAtMs = Number.NaN;
    void test.merge(0, 1, {}, 10_000).then(() => {
      doneAtMs = machine.clock.monotonicMs();
    });
    await machine.clock.advance(10_000);
    expect(doneAtMs - startMs).to.be.within((bytes / 10_000) * 1000 - 100, (bytes / 10_000) * 1000 + 100);
  });
});
