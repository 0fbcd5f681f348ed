import { expect } from 'chai';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { failureOf } from '../support/store-fixture.ts';

/** As many as the overlay of a leader takes before it needs more memory. */
const FULL = 1024;

const nameOf = (n: number): string => `k${String(n).padStart(5, '0')}`;

async function fullLeader(count: number): Promise<TestReplica> {
  const replica = await new ReplicaMachine({ segmentBytesMax: 2 ** 20 }).lead(1);
  for (let n = 0; n < count; n += 1) replica.put(nameOf(n), `value of ${n}`);
  return replica;
}

/** Every array of numbers after the first `spared` ones finds no memory while `action` runs. */
async function withoutMemory(spared: number, action: () => void): Promise<void> {
  const real = globalThis.Float64Array;
  let made = 0;
  const failing = function failing(length: number): Float64Array {
    made += 1;
    if (made > spared) throw new RangeError('Array buffer allocation failed');
    return new real(length);
  };
  globalThis.Float64Array = failing as unknown as typeof real;
  try {
    expect(await failureOf(action)).to.be.instanceOf(RangeError);
  } finally {
    globalThis.Float64Array = real;
  }
}

async function expectValues(replica: TestReplica, count: number): Promise<void> {
  await replica.flush();
  await replica.commit();
  for (let n = 0; n < count; n += 1) expect(await replica.get(nameOf(n))).to.equal(`value of ${n}`);
}

/** The record stood in the batch and not in the overlay: from then on each key was read from the place of another. */
describe('an append that finds no memory', () => {
  for (const spared of [0, 1, 2]) {
    it(`leaves nothing of it behind, after ${spared} arrays were had`, async () => {
      const replica = await fullLeader(FULL);
      await withoutMemory(spared, () => replica.put('refused', 'x'));
      for (let n = FULL; n < FULL + 5; n += 1) replica.put(nameOf(n), `value of ${n}`);
      await expectValues(replica, FULL + 5);
      expect(await replica.get('refused')).to.equal(null);
    });
  }

  it('in a group takes the group with it', async () => {
    const replica = await fullLeader(FULL - 2);
    const { store } = replica;
    store.beginGroup();
    try {
      replica.put(nameOf(0), 'half of a group');
      replica.put('other', 'half of a group');
      await withoutMemory(0, () => replica.put('refused', 'x'));
    } finally {
      store.endGroup();
    }
    expect(store.logEndOffset).to.equal(FULL - 2);
    store.beginGroup();
    for (let n = FULL - 2; n < FULL + 3; n += 1) replica.put(nameOf(n), `value of ${n}`);
    store.endGroup();
    await expectValues(replica, FULL + 3);
    expect(await replica.get('other')).to.equal(null);
  });
});
