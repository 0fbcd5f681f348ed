import { expect } from 'chai';
import { StoreMachine, type TestStore } from '../support/store-fixture.ts';

/** Index of the sealed segment that holds this offset. */
function segmentOf(store: TestStore, offset: number): number {
  return store.store.log.segments.findIndex((segment) => offset >= segment.base && offset < segment.end);
}

/** One committed batch, in a segment that is sealed after it. Returns the index of that segment. */
async function inOwnSegment(store: TestStore, append: (store: TestStore) => number): Promise<number> {
  const offset = append(store);
  await store.roll();
  return segmentOf(store, offset);
}

async function restarted(machine: StoreMachine): Promise<TestStore> {
  machine.powerCut();
  return machine.openStore();
}

describe('merge and the history of a key (PROTOCOL 3.4)', () => {
  it('(a) a tombstone stays when only its own segment is merged: the key stays deleted', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'old'));
    const second = await inOwnSegment(store, (each) => each.remove('K'));
    await store.merge(second, 1);
    expect(await store.get('K')).to.equal(null);
    const after = await restarted(machine);
    expect(await after.get('K')).to.equal(null);
    // And for good, once the prefix is merged and the tombstone itself goes.
    await after.merge();
    expect(after.store.log.manifest.removedFloor).to.equal(1);
    expect(await (await restarted(machine)).get('K')).to.equal(null);
  });

  it('(a) the same for a flush of the database', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'old'));
    const second = await inOwnSegment(store, (each) => each.flushDatabase());
    await inOwnSegment(store, (each) => each.put('L', 'new'));
    await store.merge(second, 2);
    const after = await restarted(machine);
    expect(await after.get('K')).to.equal(null);
    expect(await after.get('L')).to.equal('new');
  });

  it('(a) a segment in the middle is merged after a newer value of the key went elsewhere', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'first'));
    const second = await inOwnSegment(store, (each) => each.put('K', 'second'));
    await inOwnSegment(store, (each) => each.remove('K'));
    // 'second' is dropped here; the tombstone must still kill 'first'.
    await store.merge(second, 1);
    const after = await restarted(machine);
    expect(await after.get('K')).to.equal(null);
    await after.merge(0, 2);
    expect(await (await restarted(machine)).get('K')).to.equal(null);
  });

  it('(d) an uncommitted overwrite is no evidence: merged and given up, the old value is there', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'committed'));
    store.put('K', 'never written');
    expect((await store.appended('K')).found).to.equal(true);
    await store.merge(0, 1);
    store.store.discardUnwritten();
    expect(await store.get('K')).to.equal('committed');
    expect(await (await restarted(machine)).get('K')).to.equal('committed');
  });

  it('(d) the same for an uncommitted delete and an uncommitted flush', async () => {
    for (const append of [
      (store: TestStore) => store.remove('K'),
      (store: TestStore) => store.flushDatabase(),
    ]) {
      const machine = new StoreMachine();
      const store = await machine.openStore();
      await inOwnSegment(store, (each) => each.put('K', 'committed'));
      append(store);
      await store.merge(0, 1);
      store.store.discardUnwritten();
      expect(await store.get('K')).to.equal('committed');
      expect(await (await restarted(machine)).get('K')).to.equal('committed');
    }
  });

  it('(d) a batch that is written but not committed is no evidence either, until it is', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'committed'));
    store.put('K', 'durable, not committed');
    await store.store.flushOne();
    await store.merge(0, 1);
    expect(await store.get('K')).to.equal('committed');
    await store.store.commitTo(store.store.durableOffset);
    expect(await store.get('K')).to.equal('durable, not committed');
  });

  it('(e) a newer version with an expiry does not let the older one back, whatever the clock says', async () => {
    for (const which of ['newer only', 'both'] as const) {
      const machine = new StoreMachine();
      const store = await machine.openStore();
      await inOwnSegment(store, (each) => each.put('K', 'eternal'));
      const dueMs = machine.clock.wallMs() + 1000;
      const second = await inOwnSegment(store, (each) => each.put('K', 'mortal', dueMs));
      machine.clock.wallJump(5000);
      if (which === 'both') await store.merge();
      else await store.merge(second, 1);
      machine.clock.wallJump(-60_000);
      const after = await restarted(machine);
      // Due or not is the leader's decision and shown by a tombstone only (R4): merge has dropped nothing that was the newest.
      expect(await after.get('K')).to.equal('mortal');
      expect((await after.committed('K')).expiresAtMs).to.equal(dueMs);
    }
  });

  it('(e) the tombstone of an expiry keeps the older version dead after a merge and a clock set back', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'eternal'));
    await inOwnSegment(store, (each) => each.put('K', 'mortal', machine.clock.wallMs() + 1000));
    const third = await inOwnSegment(store, (each) => each.remove('K', 1));
    machine.clock.wallJump(-60_000);
    await store.merge(1, third);
    expect(await (await restarted(machine)).get('K')).to.equal(null);
    const after = await restarted(machine);
    await after.merge();
    expect(await (await restarted(machine)).get('K')).to.equal(null);
  });

  it('a key that was persisted stays without an expiry after merge and restart', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'value', machine.clock.wallMs() + 1000));
    const second = await inOwnSegment(store, (each) => each.changeExpiry('K', 0));
    for (const [first, count] of [
      [second, 1],
      [0, 1],
      [0, 2],
    ] as const) {
      await store.merge(first, count);
      const entry = await store.committed('K');
      expect([entry.found, entry.expiresAtMs]).to.deep.equal([true, 0]);
    }
    const after = await restarted(machine);
    const entry = await after.committed('K');
    expect([entry.found, entry.expiresAtMs]).to.deep.equal([true, 0]);
  });

  it('only the newest of several expiry changes survives a merge', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await inOwnSegment(store, (each) => each.put('K', 'value'));
    const base = machine.clock.wallMs();
    for (const ms of [1000, 2000, 3000])
      await inOwnSegment(store, (each) => each.changeExpiry('K', base + ms));
    const outcome = await store.merge();
    expect(outcome?.recordsKept).to.equal(2);
    const after = await restarted(machine);
    expect((await after.committed('K')).expiresAtMs).to.equal(base + 3000);
  });
});
