import { expect } from 'chai';
import { StoreMachine } from '../support/store-fixture.ts';

const KEYS = 6;
const ATTEMPTS_MAX = 3 * KEYS;
/** So long a disk takes that the turns in which a loaded block used to be kept are over when the next one comes. */
const TURNS_BETWEEN = 5;

/**
 * A command runs anew from its first key whenever what it missed has come. With a cache that keeps nothing, the block of the first key was gone again when that
 * of the second came, and so on for ever.
 */
describe('a command over several cold keys', () => {
  it('ends, though the cache keeps nothing and the disk is slow', async () => {
    const machine = new StoreMachine({ cacheBytesMax: 0, segmentBytesMax: 64 * 1024 });
    const written = await machine.openStore();
    const keys = Array.from({ length: KEYS }, (_, index) => `key-${index}`);
    for (const key of keys) await written.commit({ [key]: key.repeat(2000) });
    await written.store.close();
    const { store, key: keyOf } = await reopened(machine);
    const entry = await written.committed('none');
    let attempts = 0;
    for (let found = 0; found < KEYS && attempts < ATTEMPTS_MAX; attempts += 1) {
      found = keys.findIndex((key) => !store.readCommitted(0, keyOf(key), entry, true));
      if (found < 0) found = KEYS;
      else await loadedSlowly(machine, store.loaded);
    }
    expect(attempts).to.be.below(ATTEMPTS_MAX);
  });
});

async function reopened(machine: StoreMachine) {
  const opened = await machine.openStore();
  await opened.flush();
  return { store: opened.store, key: (text: string) => opened.key(text) };
}

async function loadedSlowly(machine: StoreMachine, loaded: Promise<void>): Promise<void> {
  await machine.clock.until(loaded);
  for (let turn = 0; turn < TURNS_BETWEEN; turn += 1) await machine.clock.runTurn();
}
