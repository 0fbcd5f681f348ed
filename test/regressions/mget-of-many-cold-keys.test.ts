import { expect } from 'chai';
import { Harness } from '../commands/harness.ts';

const KEYS = 2000;

describe('MGET of many keys that lie on disk', () => {
  it('looks at each key a few times, however many runs it takes', async () => {
    const harness = new Harness();
    const names = Array.from({ length: KEYS }, (_, index) => `k${index}`);
    for (const name of names) {
      harness.run('set', name, `value of ${name}`);
      harness.partition.cold.add(name);
    }
    harness.partition.readCount = 0;
    const reply = await harness.complete('mget', ...names);
    expect(reply.startsWith(`*${KEYS}\r\n`)).to.equal(true);
    for (const name of names) expect(reply).to.contain(`value of ${name}\r\n`);
    expect(harness.partition.readCount).to.be.lessThan(6 * KEYS);
  });
});
