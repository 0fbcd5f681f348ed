import { expect } from 'chai';
import { asOffset } from '../../src/model/numbers.ts';
import { Scrub, type ScrubOutcome, type ScrubSettings, type ScrubSource } from '../../src/storage/scrub.ts';
import { batchesOf, type PlacedBatch } from '../support/durability-order.ts';
import { DIRECTORY, StoreMachine, type TestStore } from '../support/store-fixture.ts';

const VALUE = 'v'.repeat(500);

async function written(count: number): Promise<{ machine: StoreMachine; store: TestStore }> {
  const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
  const store = await machine.openStore();
  for (let index = 0; index < count; index += 1) {
    store.put(`a${index}`, VALUE);
    store.put(`b${index}`, VALUE);
    await store.flush();
  }
  return { machine, store };
}

function scrub(
  machine: StoreMachine,
  source: ScrubSource,
  settings: Partial<ScrubSettings> = {},
): Promise<ScrubOutcome> {
  const all = { bytesPerSecondMax: 0, isCancelled: () => false, ...settings };
  return machine.clock.until(new Scrub(source, machine.clock, all).run());
}

describe('a scrub', () => {
  it('reads every batch and record below the high watermark', async () => {
    const { machine, store } = await written(12);
    const outcome = await scrub(machine, store.store);
    expect(outcome).to.deep.include({ result: 'whole', end: asOffset(24), records: 24 });
    const bytes = (await batchesOf(machine.fileSystem, DIRECTORY)).reduce(
      (sum, batch) => sum + batch.length,
      0,
    );
    expect(outcome).to.have.property('bytes', bytes);
  });

  it('names the first bad place as a value, and the offset up to which the log is whole', async () => {
    const { machine, store } = await written(12);
    const batches = await batchesOf(machine.fileSystem, DIRECTORY);
    const bad = batches[5] as PlacedBatch;
    machine.disk.flipBit(bad.path, bad.position + 200, 3);
    const later = batches[9] as PlacedBatch;
    machine.disk.flipBit(later.path, later.position + 100, 1);
    const outcome = await scrub(machine, store.store);
    expect(outcome).to.deep.equal({
      result: 'bad',
      place: { path: bad.path, position: bad.position, offset: asOffset(10), fault: 'batch crc' },
    });
  });

  it('finds a bad header, and a file that became too short', async () => {
    const { machine, store } = await written(12);
    const [first] = await batchesOf(machine.fileSystem, DIRECTORY);
    machine.disk.flipBit(first?.path ?? '', first?.position ?? 0, 0);
    expect(await scrub(machine, store.store)).to.have.nested.property('place.fault', 'batch magic');
    machine.disk.flipBit(first?.path ?? '', first?.position ?? 0, 0);
    const handle = await machine.fileSystem.open(first?.path ?? '', 'write');
    await handle.truncate((first?.position ?? 0) + 100);
    await handle.close();
    expect(await scrub(machine, store.store)).to.have.nested.property('place.fault', 'batch short');
  });

  it('looks at nothing above the high watermark', async () => {
    const { machine, store } = await written(12);
    const batches = await batchesOf(machine.fileSystem, DIRECTORY);
    const bad = batches[6] as PlacedBatch;
    machine.disk.flipBit(bad.path, bad.position + 200, 3);
    const { log } = store.store;
    expect(await scrub(machine, { log, committedOffset: asOffset(12) })).to.include({
      result: 'whole',
      records: 12,
    });
    expect(await scrub(machine, { log, committedOffset: asOffset(13) })).to.include({ result: 'bad' });
  });

  it('reads no faster than it may', async () => {
    const { machine, store } = await written(12);
    const before = machine.clock.monotonicMs();
    const running = new Scrub(store.store, machine.clock, {
      bytesPerSecondMax: 1000,
      isCancelled: () => false,
    }).run();
    let done = false;
    void running.then(() => {
      done = true;
    });
    while (!done) await machine.clock.advance(100);
    const outcome = await running;
    const bytes = outcome.result === 'whole' ? outcome.bytes : 0;
    expect(machine.clock.monotonicMs() - before).to.be.within(bytes - 100, bytes + 500);
  });

  it('stops between batches when it is cancelled', async () => {
    const { machine, store } = await written(12);
    let looks = 0;
    const isCancelled = (): boolean => {
      looks += 1;
      return looks === 3;
    };
    expect(await scrub(machine, store.store, { isCancelled })).to.deep.equal({ result: 'cancelled' });
    expect(looks).to.equal(3);
  });

  it('goes on where it was when a merge exchanges the segments under it, and keeps no input from going', async () => {
    const { machine, store } = await written(24);
    await store.commit({ a1: 'new', b1: 'new' });
    await store.roll();
    let merged: Promise<unknown> | null = null;
    const isCancelled = (): boolean => {
      merged ??= store.merge();
      return false;
    };
    const running = new Scrub(store.store, machine.clock, { bytesPerSecondMax: 0, isCancelled }).run();
    const outcome = await machine.clock.until(running);
    await machine.clock.until(merged ?? Promise.resolve());
    expect(outcome).to.include({ result: 'whole', end: store.store.committedOffset });
    expect(await scrub(machine, store.store)).to.include({ result: 'whole' });
  });
});
