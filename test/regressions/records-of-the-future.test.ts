import { expect } from 'chai';
import { RECORD_AT, RecordKind } from '../../src/storage/format/record.ts';
import { batchBytes, reseal } from '../support/batch-bytes.ts';
import { expectCode, overwrite, StoreMachine } from '../support/store-fixture.ts';

const BATCH_AT = 96;
const RECORD_IN_BATCH = 56;

/** What a start says of a log whose only batch, of one record, was changed like that (its checksums are right). */
async function openWith(
  change: (batch: Buffer) => void,
  kind: RecordKind = RecordKind.put,
): Promise<unknown> {
  const machine = new StoreMachine();
  const test = await machine.openStore();
  const path = test.store.log.active.path;
  await test.close();
  const batch = batchBytes([{ kind, key: kind === RecordKind.flush ? '' : 'key' }]);
  change(batch);
  await overwrite(machine.fileSystem, path, BATCH_AT, reseal(batch));
  return machine.openStore();
}

const set =
  (at: number, value: number) =>
  (batch: Buffer): void => {
    batch[at] = value;
  };

describe('a log that a newer version wrote is refused, not misread', () => {
  const cases: Record<string, (batch: Buffer) => void> = {
    'a batch of another version': set(4, 2),
    'a batch with a flag that must be understood': set(7, 1),
    'a record kind beyond the known ones': set(RECORD_IN_BATCH + RECORD_AT.kind, 9),
    'a reserved record kind: database map': set(RECORD_IN_BATCH + RECORD_AT.kind, RecordKind.databaseMap),
    'an unknown record flag': set(RECORD_IN_BATCH + RECORD_AT.flags, 8),
    // It was served as the value: the compressed bytes as they are.
    'a value in a reserved codec': set(RECORD_IN_BATCH + RECORD_AT.codec, 1),
  };
  for (const [name, change] of Object.entries(cases)) {
    it(name, async () => {
      const error = await expectCode(() => openWith(change), 'futureFormat');
      expect(error.message).to.contain('.log: position ').and.contain('newer');
    });
  }

  it('but flags that may be ignored are', async () => {
    await openWith(set(6, 0x80));
  });
});

describe('a flush of all databases (R15)', () => {
  /** It named no keydir and so cleared none: deleted keys came back. */
  it('kills what is older in every database', async () => {
    const machine = new StoreMachine();
    const test = await machine.openStore();
    await test.commit({ a: '1', b: '2' });
    const { active } = test.store.log;
    const { path, length } = active;
    await test.close();
    const flush = batchBytes([{ kind: RecordKind.flush, key: '', database: 0xffffffff }], 2, 1);
    await overwrite(machine.fileSystem, path, length, flush);
    const again = await machine.openStore();
    expect(again.store.logEndOffset).to.equal(3);
    expect(await again.get('a')).to.equal(null);
    expect(again.store.log.active.liveBytes).to.equal(0);
  });

  it('hides them before it is committed', async () => {
    const test = await new StoreMachine().openStore();
    await test.commit({ a: '1' });
    test.put('b', '2');
    const offset = test.store.flushDatabase(0xffffffff);
    test.put('c', '3');
    expect((await test.appended('a')).found).to.equal(false);
    expect((await test.appended('b')).uncommittedOffset).to.equal(offset);
    expect((await test.appended('c')).found).to.equal(true);
    expect((await test.committed('a')).found).to.equal(true);
    await test.flush();
    expect(await test.get('a')).to.equal(null);
    expect(await test.get('b')).to.equal(null);
    expect(await test.get('c')).to.equal('3');
  });
});
