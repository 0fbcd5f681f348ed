import { expect } from 'chai';
import { stateDigest } from '../../src/storage/digest.ts';
import { StoreMachine, type TestStore } from '../support/store-fixture.ts';

const digestOf = async (machine: StoreMachine, store: TestStore): Promise<string | undefined> =>
  (await machine.clock.until(stateDigest(store.store, machine.clock)))?.digest;

/** The same log on a machine of its own, whatever its segments. */
async function replica(
  segmentBytesMax: number,
  append: (store: TestStore) => Promise<void>,
): Promise<{ readonly machine: StoreMachine; readonly store: TestStore }> {
  const machine = new StoreMachine({ segmentBytesMax, seed: segmentBytesMax });
  const store = await machine.openStore();
  await append(store);
  return { machine, store };
}

async function history(store: TestStore): Promise<void> {
  for (let index = 0; index < 200; index += 1) {
    store.put(`key${index % 40}`, `value ${index}`, index % 3 === 0 ? 2_000_000_000_000 + index : 0);
    if (index % 7 === 0) store.remove(`key${(index * 5) % 40}`);
    if (index % 11 === 0 && (await store.appended('key1')).found)
      store.changeExpiry('key1', 3_000_000_000_000 + index);
    await store.flush();
  }
}

describe('the digest of the committed state (C14)', () => {
  it('is the same on replicas with other segments, other hash seeds and other merges', async () => {
    const left = await replica(4 * 1024, history);
    const right = await replica(64 * 1024, history);
    const before = await digestOf(left.machine, left.store);
    expect(before).to.match(/^[0-9a-f]{16}$/);
    expect(await digestOf(right.machine, right.store)).to.equal(before);
    await left.store.roll();
    await left.machine.clock.until(left.store.merge());
    expect(await digestOf(left.machine, left.store), 'merged').to.equal(before);
    const reopened = await left.store.reopen();
    expect(await digestOf(left.machine, reopened), 'recovered').to.equal(before);
  });

  it('differs by one key, by a value of the same length, by an expiry and by an offset', async () => {
    const changes: Record<string, (store: TestStore) => Promise<void>> = {
      same: (store) => store.commit({ a: '1', b: '2', c: '3' }),
      value: (store) => store.commit({ a: '1', b: '4', c: '3' }),
      key: (store) => store.commit({ a: '1', d: '2', c: '3' }),
      missing: (store) => store.commit({ a: '1', b: '2' }),
      order: (store) => store.commit({ b: '2', a: '1', c: '3' }),
      swapped: (store) => store.commit({ a: '2', b: '1', c: '3' }),
      border: (store) => store.commit({ a: '1', b: '2', c3: '' }),
      expiry: async (store) => {
        await store.commit({ a: '1', b: '2', c: '3' });
        store.changeExpiry('a', 2_000_000_000_000);
        await store.flush();
      },
    };
    const seen = new Map<string, string>();
    for (const [name, append] of Object.entries(changes)) {
      const { machine, store } = await replica(16 * 1024, append);
      const digest = (await digestOf(machine, store)) ?? '';
      expect(seen.get(digest), `${name} looks like another`).to.equal(undefined);
      seen.set(digest, name);
    }
  });

  it('is of what is there, not of how it came to be', async () => {
    const never = await replica(16 * 1024, (store) => store.commit({ a: '1', b: '2' }));
    const removed = await replica(16 * 1024, async (store) => {
      await store.commit({ a: '1', b: '2', c: '3' });
      store.remove('c');
      await store.flush();
    });
    expect(await digestOf(removed.machine, removed.store)).to.equal(
      await digestOf(never.machine, never.store),
    );
  });

  it('says nothing of an offset that moved while it was taken', async () => {
    const { machine, store } = await replica(4 * 1024, history);
    const taken = stateDigest(store.store, machine.clock);
    store.put('more', 'x');
    await store.flush();
    expect(await machine.clock.until(taken)).to.equal(null);
  });

  it('counts live keys and names its offset', async () => {
    const { machine, store } = await replica(16 * 1024, (each) => each.commit({ a: '1', b: '2' }));
    const digest = await machine.clock.until(stateDigest(store.store, machine.clock));
    expect(digest).to.include({ offset: store.store.committedOffset, keys: 2 });
  });

  it('leaves no segment pinned', async () => {
    const { machine, store } = await replica(4 * 1024, history);
    await store.roll();
    await digestOf(machine, store);
    const outcome = await machine.clock.until(store.merge());
    expect(outcome?.inputs).to.be.greaterThan(1);
  });
});
