import { expect } from 'chai';
import { StoreMachine } from '../support/store-fixture.ts';

describe('a put for which there is no memory', () => {
  it('leaves no empty batch in the log, and the next writes survive a restart', async () => {
    const machine = new StoreMachine();
    const { store } = await machine.openStore();
    const key = { bytes: Buffer.from('k'), start: 0, end: 1, hash: store.hash(Buffer.from('k'), 0, 1) };
    const allocate = Object.getOwnPropertyDescriptor(Buffer, 'allocUnsafeSlow') as PropertyDescriptor;
    Object.defineProperty(Buffer, 'allocUnsafeSlow', {
      ...allocate,
      value: () => {
        throw new RangeError('no memory');
      },
    });
    try {
      const value = new Uint8Array(1024 * 1024);
      expect(() => store.put(0, key, value, 0, value.length, 0)).to.throw(RangeError);
    } finally {
      Object.defineProperty(Buffer, 'allocUnsafeSlow', allocate);
    }
    expect(store.hasUnflushed).to.equal(false);
    await store.flushOne();
    store.put(0, key, Buffer.from('v'), 0, 1, 0);
    await store.flushOne();
    await store.commitTo(store.durableOffset);
    expect(store.durableOffset).to.equal(1);
    machine.powerCut();
    const again = await machine.openStore();
    expect(await again.get('k')).to.equal('v');
  });
});
