import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { asMonotonicMillis } from '../../src/model/numbers.ts';
import { Harness } from '../commands/harness.ts';

/**
 * A pause of the process between two looks at the clock used up the time of a SCAN before its first step: it answered
 * with the cursor that it had come with, and from cursor 0 that says that there is nothing more.
 */
describe('SCAN after a pause', () => {
  it('takes a step before it looks at the time', () => {
    const harness = new Harness({ partitions: 2 });
    for (let count = 0; count < 100; count += 1) {
      const key = `key:${count}`;
      harness.router.partitionOf(Buffer.from(key), 0, key.length).seed(key, '1');
    }
    let nowMs = 0;
    harness.clock.monotonicMs = () => {
      nowMs += LIMITS.sliceMsMax + 1;
      return asMonotonicMillis(nowMs);
    };
    const found: string[] = [];
    let cursor = '0';
    do {
      const reply = harness.run('scan', cursor, 'count', '10');
      const keys = [...reply.matchAll(/key:\d+/g)].map(([key]) => key);
      expect(keys).to.not.deep.equal([]);
      found.push(...keys);
      cursor = reply.split('\r\n')[2] as string;
    } while (cursor !== '0');
    expect(found.length).to.equal(100);
    expect(new Set(found).size).to.equal(100);
  });
});
