import { expect } from 'chai';
import { asOffset, asProducerSequence } from '../../src/model/numbers.ts';
import { Maintenance } from '../../src/storage/maintenance.ts';
import { StoreMachine, type TestStore } from '../support/store-fixture.ts';

const ENDLESS = 20;

/** Numbered tombstones above the last record of a producer that is dead: a merge keeps them all. */
async function tombstones(test: TestStore): Promise<void> {
  for (let sequence = 1; sequence <= 40; sequence += 1) {
    const producer = { kind: 'client', id: 'a' } as const;
    const outcome = Buffer.from('1');
    test.store.beginCommand({ producer, sequence: asProducerSequence(sequence), outcome });
    if (sequence === 1) test.put('key', 'value');
    else test.remove('key');
    await test.flush();
  }
  await test.roll();
}

/** What is kept for its producers was counted as a gain: the same prefix was merged for ever. */
describe('a merge that gives nothing back', () => {
  it('ends the round, and is not tried again before more has died', async () => {
    const machine = new StoreMachine();
    const test = await machine.openStore();
    await tombstones(test);
    const { log, index } = test.store;
    const settings = { enabled: true, deadRatioMin: 0.2, bytesPerSecondMax: 0 };
    const host = {
      syncEvidence: () => test.store.syncEvidence(),
      producers: test.store.producers,
      isCancelled: (): boolean => maintenance.merges >= ENDLESS,
      committedOffset: () => test.store.committedOffset,
      tombstoneRemoveOffset: () => asOffset(Number.POSITIVE_INFINITY),
      isFloorPinned: () => false,
      exclusively: (change: () => Promise<void>) => change(),
    };
    const maintenance: Maintenance = new Maintenance(
      test.hintDoors,
      log,
      index,
      settings,
      host,
      machine.logger,
    );
    await machine.clock.until(maintenance.run());
    expect(log.segments[0]?.tombstoneBytes, 'they are kept').to.be.greaterThan(1000);
    const { merges } = maintenance;
    expect(merges).to.be.within(1, 3);
    await machine.clock.until(maintenance.run());
    expect(maintenance.merges, 'the next round').to.equal(merges);
    test.put('key', 'v'.repeat(3000));
    test.put('key', 'v');
    await test.roll();
    await machine.clock.until(maintenance.run());
    expect(maintenance.merges, 'more has died').to.be.greaterThan(merges);
    expect(maintenance.merges).to.be.lessThan(ENDLESS);
    expect(await test.get('key')).to.equal('v');
  });
});
