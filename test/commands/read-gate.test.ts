import { expect } from 'chai';
import { ReadOutcome } from '../../src/cluster/index.ts';
import { Harness } from './harness.ts';

const { suspended, refused, ready } = ReadOutcome;

/** Commands over the keys a = 1 and b = x, with the reply that is a read. */
const READS: readonly [words: string[], reply: string][] = [
  [['get', 'a'], '$1\r\n1\r\n'],
  [['get', 'none'], '$-1\r\n'],
  [['mget', 'a', 'none'], '*2\r\n$1\r\n1\r\n$-1\r\n'],
  [['strlen', 'a'], ':1\r\n'],
  [['exists', 'a', 'none'], ':1\r\n'],
  [['type', 'none'], '+none\r\n'],
  [['ttl', 'a'], ':-1\r\n'],
  [['pttl', 'none'], ':-2\r\n'],
  [['dbsize'], ':2\r\n'],
  [['keys', 'a'], '*1\r\n$1\r\na\r\n'],
  [['scan', '0', 'match', 'a'], '*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n'],
  [['set', 'a', '2', 'nx'], '$-1\r\n'],
  [['set', 'none', '2', 'xx'], '$-1\r\n'],
  [['setnx', 'a', '2'], ':0\r\n'],
  [['del', 'none'], ':0\r\n'],
  [['del', 'none', 'neither'], ':0\r\n'],
  [['getdel', 'none'], '$-1\r\n'],
  [['expire', 'none', '10'], ':0\r\n'],
  [['persist', 'a'], ':0\r\n'],
  [['incr', 'b'], '-ERR value is not an integer or out of range\r\n'],
];

function seeded(partitions = 1): Harness {
  const harness = new Harness({ commit: 'manual', partitions });
  harness.partition.seed('a', '1');
  harness.partition.seed('b', 'x');
  return harness;
}

describe('a reply that no own commit backs (R3)', () => {
  for (const [words, reply] of READS) {
    const name = words.join(' ').toUpperCase();

    it(`${name} is a read: taken back until it is confirmed, under the number it first came with`, async () => {
      const harness = seeded();
      const { confirmations, arrivals } = harness.partition;
      confirmations.push(suspended, suspended);
      expect(harness.run(...words)).to.equal('');
      expect(harness.context.suspension).to.not.equal(null);
      expect(harness.reply.position).to.equal(0);
      expect(harness.runAgain()).to.equal('');
      expect(harness.runAgain()).to.equal(reply);
      expect(new Set(arrivals).size).to.equal(1);
      expect(await harness.complete(...words)).to.equal(reply);
      expect(arrivals.at(-1)).to.be.greaterThan(arrivals[0] as number);
    });

    it(`${name} is refused instead of answered when nobody confirms it`, () => {
      const harness = seeded();
      harness.partition.confirmations.push(refused);
      expect(harness.run(...words)).to.equal('-TRYAGAIN nobody confirmed the lead in time\r\n');
      expect(harness.isHeld).to.equal(false);
    });
  }

  for (const [words, hits, misses] of [
    [['get', 'a'], 1, 0],
    [['get', 'none'], 0, 1],
    [['mget', 'a', 'none', 'b'], 2, 1],
    [['exists', 'a', 'none', 'b'], 2, 1],
    [['set', 'a', '2', 'nx', 'get'], 1, 0],
    [['getdel', 'none'], 0, 1],
  ] as const) {
    it(`${words.join(' ').toUpperCase()} counts what it looked up once, however often it runs`, async () => {
      const harness = seeded();
      harness.partition.confirmations.push(suspended, suspended);
      await harness.complete(...words);
      const { keyspaceHits, keyspaceMisses } = harness.server.counters;
      expect([keyspaceHits, keyspaceMisses]).to.deep.equal([hits, misses]);
    });
  }

  it('an error counts once, however often it was found, and not at all if the reply is another', async () => {
    const harness = seeded();
    const { counters } = harness.server;
    harness.partition.confirmations.push(suspended, suspended);
    await harness.complete('incr', 'b');
    expect([counters.errorReplies, ...counters.errorsByPrefix]).to.deep.equal([1, ['ERR', 1]]);
    counters.reset();
    harness.partition.confirmations.push(refused);
    await harness.complete('incr', 'b');
    expect([counters.errorReplies, ...counters.errorsByPrefix]).to.deep.equal([1, ['TRYAGAIN', 1]]);
  });

  it('waits for the record it saw as well', () => {
    const harness = seeded();
    harness.connect().run('set', 'c', '1');
    harness.partition.confirmations.push(suspended, ready);
    expect(harness.run('setnx', 'c', '2')).to.equal('');
    expect(harness.isHeld).to.equal(false);
    expect(harness.runAgain()).to.equal(':0\r\n');
    expect(harness.isHeld).to.equal(true);
  });

  it('does not wait for an own write that a leader which has ended will never resolve (R11)', () => {
    const harness = seeded();
    harness.run('set', 'a', '2');
    expect(harness.run('get', 'a')).to.equal('');
    harness.partition.isOver = true;
    harness.partition.confirmations.push(refused);
    expect(harness.runAgain()).to.match(/^-TRYAGAIN /);
  });

  it('asks nobody if it looked at nothing, or appended', () => {
    const harness = seeded();
    for (const words of [
      ['ping'],
      ['get'],
      ['set', 'a', '2'],
      ['incr', 'a'],
      ['del', 'a', 'none'],
      ['set', 'a', '1', 'px', 'x'],
    ]) {
      harness.run(...words);
    }
    expect(harness.partition.arrivals).to.deep.equal([]);
  });
});

describe('a delete over several partitions', () => {
  /** Keys in partitions 0 and 1 of two. */
  const keysOf = (harness: Harness): [string, string] => {
    const names = Array.from({ length: 50 }, (_, number) => `k${number}`);
    const inside = (id: number): string =>
      names.find((name) => harness.router.partitionOf(Buffer.from(name), 0, name.length).id === id) as string;
    return [inside(0), inside(1)];
  };

  it('has what it did not find confirmed before it appends anything', () => {
    const harness = new Harness({ commit: 'manual', partitions: 2 });
    const [here, there] = keysOf(harness);
    const [first, second] = harness.router.partitions;
    first?.seed(here, '1');
    second?.confirmations.push(suspended);
    expect(harness.run('del', here, there)).to.equal('');
    expect(harness.context.appendCount).to.equal(0);
    expect(harness.runAgain()).to.equal(':1\r\n');
    expect(harness.context.appendCount).to.equal(1);
    expect(first?.valueOf(here)).to.equal(undefined);
  });
});
