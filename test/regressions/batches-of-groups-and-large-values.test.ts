import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { RecordFlag, RecordView } from '../../src/storage/format/record.ts';
import { StoreMachine, type TestStore } from '../support/store-fixture.ts';

const BATCH_AT = 96;
const RECORDS_AT = BATCH_AT + 56;

/** Flushes one batch after the other and returns how many records each has. */
async function batchCounts(test: TestStore): Promise<number[]> {
  const counts: number[] = [];
  for (let before = test.store.durableOffset; test.store.hasUnflushed; before = test.store.durableOffset) {
    await test.store.flushOne();
    counts.push(test.store.durableOffset - before);
  }
  return counts;
}

describe('batches of groups and of large values', () => {
  const large = 'x'.repeat(LIMITS.largeValueBytes + 1);
  const huge = 'x'.repeat(LIMITS.batchBytesTarget + 1);

  /** What came after a large value used to join its batch. */
  it('a large value shares its batch neither with what came before nor with what comes after', async () => {
    const test = await new StoreMachine({ segmentBytesMax: 2 ** 24 }).openStore();
    for (const value of ['1', large, '2', '3', large, large]) test.put('key', value);
    expect(await batchCounts(test)).to.deep.equal([1, 1, 2, 1, 1]);
  });

  /** Only single records looked at the size: a row of groups made one batch of up to all the unflushed bytes. */
  it('a group does not join a batch that is full', async () => {
    const test = await new StoreMachine({ segmentBytesMax: 2 ** 24 }).openStore();
    for (const values of [
      [huge, '1'],
      ['2', '3'],
    ]) {
      test.store.beginGroup();
      for (const value of values) test.put('key', value);
      test.store.endGroup();
    }
    expect(await batchCounts(test)).to.deep.equal([2, 2]);
  });

  /** The inner group began anew, and its first record said that nothing came before it. */
  it('a group inside a group continues it', async () => {
    const test = await new StoreMachine().openStore();
    test.store.beginGroup();
    test.put('a', '1');
    test.store.beginGroup();
    test.put('b', '2');
    test.store.endGroup();
    test.put('c', '3');
    test.store.endGroup();
    await test.flush();
    const { active } = test.store.log;
    const bytes = Buffer.alloc(active.length);
    await active.handle.readAt(bytes, 0);
    const view = new RecordView();
    const continues: boolean[] = [];
    for (let at = RECORDS_AT; at < bytes.length; at += view.length) {
      expect(view.decode(bytes, at, bytes.length, true)).to.equal(null);
      continues.push((view.flags & RecordFlag.continues) !== 0);
    }
    expect(continues).to.deep.equal([false, true, true]);
  });
});
