import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { asMonotonicMillis } from '../../src/model/numbers.ts';
import { Harness } from './harness.ts';

function seeded(keys: number, partitions: number): Harness {
  const harness = new Harness({ partitions });
  for (let index = 0; index < keys; index += 1) {
    const key = `key:${index}`;
    harness.router.partitionOf(Buffer.from(key), 0, key.length).seed(key, 'v');
  }
  return harness;
}

/** Cursor and keys of a SCAN reply. */
function page(reply: string): { readonly cursor: string; readonly keys: string[] } {
  const lines = reply.split('\r\n');
  return {
    cursor: lines[2] as string,
    keys: lines.slice(4).filter((line) => line !== '' && !line.startsWith('$')),
  };
}

function scanAll(harness: Harness, ...options: string[]): string[] {
  const found: string[] = [];
  let cursor = '0';
  do {
    const next = page(harness.run('scan', cursor, ...options));
    found.push(...next.keys);
    cursor = next.cursor;
    expect(Number.isSafeInteger(Number(cursor))).to.equal(true);
  } while (cursor !== '0');
  return found;
}

describe('SCAN', () => {
  it('visits every key once, over all partitions, in steps of any size', () => {
    const harness = seeded(500, 3);
    for (const count of ['1', '7', '100', '100000']) {
      const found = scanAll(harness, 'count', count);
      expect(found.length).to.equal(500);
      expect(new Set(found).size).to.equal(500);
    }
    expect(page(harness.run('scan', '0', 'count', '50')).keys.length).to.equal(50);
  });

  it('filters by pattern and by type', () => {
    const harness = seeded(300, 2);
    expect(scanAll(harness, 'match', 'key:1?').sort()).to.deep.equal(
      Array.from({ length: 10 }, (_, at) => `key:1${at}`),
    );
    expect(scanAll(harness, 'type', 'STRING').length).to.equal(300);
    expect(scanAll(harness, 'type', 'hash').length).to.equal(0);
  });

  it('visits a key that is there all the time while others come and go', () => {
    const harness = seeded(200, 2);
    const found: string[] = [];
    let cursor = '0';
    let step = 0;
    do {
      const next = page(harness.run('scan', cursor, 'count', '5'));
      found.push(...next.keys);
      cursor = next.cursor;
      harness.run('set', `new:${step}`, 'v');
      harness.run('del', `key:${step * 3}`);
      step += 1;
    } while (cursor !== '0');
    for (let index = 0; index < 200; index += 1) {
      if (index % 3 !== 0) expect(found).to.include(`key:${index}`);
    }
  });

  it('ends at a cursor behind every key', () => {
    const harness = seeded(10, 1);
    expect(page(harness.run('scan', '9007199254740991')).cursor).to.equal('0');
    expect(page(harness.run('scan', '18446744073709551615'))).to.deep.equal({ cursor: '0', keys: [] });
  });
});

describe('KEYS', () => {
  it('lists what matches, over all partitions', () => {
    const harness = seeded(40, 3);
    const reply = harness.run('keys', 'key:3*');
    expect(reply.startsWith('*11\r\n')).to.equal(true);
    expect(harness.run('keys', 'none')).to.equal('*0\r\n');
  });

  it('yields to others when a slice has taken long enough, and goes on where it was', async () => {
    const harness = seeded(2000, 2);
    let nowMs = 0;
    harness.clock.monotonicMs = () => {
      nowMs += LIMITS.sliceMsMax;
      return asMonotonicMillis(nowMs);
    };
    const scans = { count: 0 };
    for (const partition of harness.router.partitions) {
      const scan = partition.scan.bind(partition);
      partition.scan = (...parameters) => {
        scans.count += 1;
        return scan(...parameters);
      };
    }
    expect(harness.run('keys', '*')).to.equal('');
    expect(scans.count).to.equal(1);
    const reply = await harness.complete('keys', '*');
    expect(reply.startsWith('*2000\r\n')).to.equal(true);
    expect(scans.count).to.be.above(6);
  });

  it('refuses a pattern above the limit', () => {
    const harness = new Harness();
    const pattern = 'x'.repeat(LIMITS.patternBytesMax + 1);
    const refused = `-ERR pattern of ${pattern.length} bytes: ${LIMITS.patternBytesMax} are allowed\r\n`;
    expect(harness.run('keys', pattern)).to.equal(refused);
    expect(harness.run('scan', '0', 'match', pattern)).to.equal(refused);
  });
});
