import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { asDatabaseId } from '../../src/model/numbers.ts';
import { Harness } from './harness.ts';

const OK = '+OK\r\n';
const NIL = '$-1\r\n';

describe('a reply rests on what it saw (R3)', () => {
  let harness: Harness;
  beforeEach(() => {
    harness = new Harness({ commit: 'manual' });
  });

  it('a write waits for its own commit', () => {
    expect(harness.run('set', 'a', '1')).to.equal(OK);
    expect(harness.isHeld).to.equal(true);
    expect(harness.context.appendCount).to.equal(1);
    harness.partition.commitAll();
    expect(harness.isHeld).to.equal(false);
  });

  const readsOfAnothersWrite: [string, string[], string][] = [
    ['SET NX that answers nil', ['set', 'a', '2', 'nx'], NIL],
    ['SETNX that answers 0', ['setnx', 'a', '2'], ':0\r\n'],
    ['INCR of what is no integer', ['incr', 'a'], '-ERR value is not an integer or out of range\r\n'],
    ['EXPIRE whose condition fails', ['expire', 'a', '10', 'xx'], ':0\r\n'],
    ['PERSIST of a key without expiry', ['persist', 'a'], ':0\r\n'],
    ['SET NX GET', ['set', 'a', '2', 'nx', 'get'], '$1\r\nx\r\n'],
  ];
  for (const [name, command, reply] of readsOfAnothersWrite) {
    it(`${name} waits for the write it saw, and appends nothing`, () => {
      harness.connect().run('set', 'a', 'x');
      expect(harness.run(...command)).to.equal(reply);
      expect(harness.context.appendCount).to.equal(0);
      expect(harness.isHeld).to.equal(true);
      harness.partition.commitAll();
      expect(harness.isHeld).to.equal(false);
    });
  }

  it('DEL that answers 0 waits for the delete it saw', () => {
    harness.partition.seed('a', '1');
    const other = harness.connect();
    expect(other.run('del', 'a')).to.equal(':1\r\n');
    expect(harness.run('del', 'a', 'a')).to.equal(':0\r\n');
    expect(harness.context.appendCount).to.equal(0);
    expect(harness.isHeld).to.equal(true);
  });

  it('of several things seen, the reply waits for the newest, in whatever order they were seen', () => {
    harness.partition.seed('a', '1');
    harness.partition.seed('b', '1');
    const other = harness.connect();
    other.run('del', 'a');
    other.run('del', 'b');
    for (const words of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      expect(harness.run('del', ...words)).to.equal(':0\r\n');
      expect(harness.context.holdCount).to.equal(1);
      expect(harness.context.holdOffsets[0]).to.equal(harness.partition.logEndOffset - 1);
    }
  });

  it('DEL that answers 0 of keys that never were waits for nothing', () => {
    expect(harness.run('del', 'a', 'b')).to.equal(':0\r\n');
    expect(harness.isHeld).to.equal(false);
  });

  it('a plain SET looks at nothing', () => {
    harness.connect().run('set', 'a', 'x');
    const reads = harness.partition.readCount;
    harness.run('set', 'a', 'y', 'ex', '100');
    expect(harness.partition.readCount).to.equal(reads);
    expect(harness.context.holdOffsets[0]).to.equal(1);
  });

  it('a plain read sees committed state only', () => {
    harness.partition.seed('a', 'old');
    harness.connect().run('set', 'a', 'new');
    expect(harness.run('get', 'a')).to.equal('$3\r\nold\r\n');
    expect(harness.isHeld).to.equal(false);
    harness.partition.commitAll();
    expect(harness.run('get', 'a')).to.equal('$3\r\nnew\r\n');
  });

  it('read-modify-write sees the newest appended state', () => {
    harness.connect().run('set', 'a', '41');
    expect(harness.run('incr', 'a')).to.equal(':42\r\n');
    expect(harness.run('append', 'a', '0')).to.equal(':3\r\n');
    expect(harness.run('set', 'a', 'x', 'get')).to.equal('$3\r\n420\r\n');
    expect(harness.run('getdel', 'a')).to.equal('$1\r\nx\r\n');
    expect(harness.run('set', 'a', '1', 'xx')).to.equal(NIL);
    expect(harness.isHeld).to.equal(true);
  });
});

describe('order on one connection (R11)', () => {
  const plainReads: [string[], string][] = [
    [['get', 'a'], '$1\r\n1\r\n'],
    [['get', 'other'], NIL],
    [['mget', 'a'], '*1\r\n$1\r\n1\r\n'],
    [['exists', 'a'], ':1\r\n'],
    [['strlen', 'a'], ':1\r\n'],
    [['type', 'a'], '+string\r\n'],
    [['ttl', 'a'], ':-1\r\n'],
    [['dbsize'], ':1\r\n'],
    [['keys', '*'], '*1\r\n$1\r\na\r\n'],
    [['scan', '0'], '*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n'],
  ];
  for (const [command, reply] of plainReads) {
    it(`${command.join(' ').toUpperCase()} waits until the connection's own last write is resolved`, async () => {
      const harness = new Harness({ commit: 'manual' });
      harness.run('set', 'a', '1');
      expect(harness.run(...command)).to.equal('');
      const { suspension } = harness.context;
      expect(suspension).to.not.equal(null);
      harness.partition.commitAll();
      await suspension;
      expect(harness.runAgain()).to.equal(reply);
      expect(harness.context.suspension).to.equal(null);
    });
  }

  it('a write in doubt is resolved too', async () => {
    const harness = new Harness({ commit: 'manual' });
    harness.run('set', 'a', '1');
    expect(harness.run('get', 'a')).to.equal('');
    const { suspension } = harness.context;
    harness.partition.fail();
    await suspension;
    expect(harness.runAgain()).to.equal(NIL);
  });

  it('a write to another partition is not waited for', () => {
    const harness = new Harness({ commit: 'manual', partitions: 2 });
    const [left, right] = keysOfTwoPartitions(harness);
    harness.run('set', left, '1');
    expect(harness.run('get', right)).to.equal(NIL);
    expect(harness.run('mget', right, left)).to.equal('');
    expect(harness.run('dbsize')).to.equal('');
  });
});

describe('a command that runs again', () => {
  const commands: [string[], string][] = [
    [['get', 'a'], '$1\r\n5\r\n'],
    [['incr', 'a'], ':6\r\n'],
    [['append', 'a', 'x'], ':2\r\n'],
    [['getdel', 'a'], '$1\r\n5\r\n'],
    [['set', 'a', 'x', 'get'], '$1\r\n5\r\n'],
    [['mget', 'a', 'b'], '*2\r\n$1\r\n5\r\n$-1\r\n'],
  ];
  for (const [command, reply] of commands) {
    it(`${command.join(' ').toUpperCase()} whose value lies on disk writes and appends nothing before, and once after`, async () => {
      const harness = new Harness();
      harness.partition.seed('a', '5');
      harness.partition.cold.add('a');
      const before = harness.partition.records.length;
      expect(harness.run(...command)).to.equal('');
      expect(harness.context.suspension).to.not.equal(null);
      expect(harness.partition.records.length).to.equal(before);
      await harness.context.suspension;
      expect(harness.runAgain()).to.equal(reply);
      expect(harness.partition.records.length).to.be.at.most(before + 1);
      const entry = harness.server.table.byName(command[0] as string);
      expect(entry?.calls).to.equal(1);
      expect(harness.server.counters.commandsProcessed).to.equal(1);
    });
  }

  it('waits while too much is unflushed, before it appends', async () => {
    const harness = new Harness();
    let relieve = (): void => undefined;
    harness.partition.congestion = new Promise((resolve) => {
      relieve = () => resolve();
    });
    expect(harness.run('set', 'a', '1')).to.equal('');
    expect(harness.partition.records).to.deep.equal([]);
    expect(harness.run('get', 'a')).to.equal(NIL);
    expect(harness.run('incr', 'a')).to.equal('');
    harness.partition.congestion = null;
    relieve();
    expect(harness.runAgain()).to.equal(':1\r\n');
  });
});

describe('a refusal', () => {
  it('of writes comes before anything is appended, and reads go on', () => {
    const harness = new Harness();
    harness.partition.seed('a', '1');
    harness.partition.refuseWrites = new CaskadeError('diskFull', 'the disk is full');
    const before = harness.partition.records.length;
    for (const command of [
      ['set', 'a', '2'],
      ['del', 'a'],
      ['flushall'],
      ['mset', 'a', '1', 'b', '2'],
      ['expire', 'a', '9'],
    ]) {
      expect(harness.run(...command)).to.equal('-MISCONF the disk is full\r\n');
    }
    expect(harness.partition.records.length).to.equal(before);
    expect(harness.run('get', 'a')).to.equal('$1\r\n1\r\n');
    expect(harness.server.counters.errorsByPrefix.get('MISCONF')).to.equal(5);
  });

  it('of one partition refuses a command that touches it, and no other', () => {
    const harness = new Harness({ partitions: 2 });
    const [left, right] = keysOfTwoPartitions(harness);
    harness.router.partitionOf(Buffer.from(left), 0, left.length).refuseWrites = new CaskadeError(
      'partitionFenced',
      'no',
    );
    expect(harness.run('set', right, '1')).to.equal(OK);
    expect(harness.run('del', right, left)).to.equal('-MISCONF no\r\n');
    expect(harness.run('get', right)).to.equal('$1\r\n1\r\n');
  });

  it('of reads is the reply, also in the middle of many keys', () => {
    const harness = new Harness({ partitions: 2 });
    const [left, right] = keysOfTwoPartitions(harness);
    harness.router.partitionOf(Buffer.from(right), 0, right.length).refuseReads = new CaskadeError(
      'tryAgain',
      'later',
    );
    expect(harness.run('mget', left, right, left)).to.equal('-TRYAGAIN later\r\n');
    expect(harness.run('exists', left, right)).to.equal('-TRYAGAIN later\r\n');
    expect(harness.run('del', left, right)).to.equal('-TRYAGAIN later\r\n');
    expect(harness.run('get', left)).to.equal(NIL);
  });

  it('of a value that is too long comes before the append', () => {
    const harness = new Harness({ valueBytesMax: 4 });
    const refused = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n';
    for (const command of [
      ['set', 'a', '12345'],
      ['set', 'a', '12345', 'nx'],
      ['setnx', 'a', '12345'],
      ['setex', 'a', '9', '12345'],
    ]) {
      expect(harness.run(...command)).to.equal(refused);
    }
    expect(harness.run('mset', 'a', '1', 'b', '12345')).to.equal(refused);
    expect(harness.run('append', 'a', '123')).to.equal(':3\r\n');
    expect(harness.run('append', 'a', '45')).to.equal(refused);
    expect(harness.run('get', 'a')).to.equal('$3\r\n123\r\n');
  });
});

describe('several keys', () => {
  it('MSET is one atomic group', () => {
    const harness = new Harness();
    expect(harness.run('mset', 'a', '1', 'b', '2', 'a', '3')).to.equal(OK);
    expect(harness.partition.records.map(({ key, group }) => [key, group])).to.deep.equal([
      ['a', 1],
      ['b', 1],
      ['a', 1],
    ]);
    harness.run('set', 'a', '1');
    expect(harness.partition.records.at(-1)?.group).to.equal(0);
  });

  it('MSET over several partitions is CROSSSLOT, and appends nothing', () => {
    const harness = new Harness({ partitions: 2 });
    const [left, right] = keysOfTwoPartitions(harness);
    expect(harness.run('mset', left, '1', right, '2')).to.equal(
      "-CROSSSLOT Keys in request don't hash to the same slot\r\n",
    );
    expect(harness.router.partitions.flatMap(({ records }) => records)).to.deep.equal([]);
    expect(harness.run('mset', `{${left}}1`, '1', `{${left}}2`, '2')).to.equal(OK);
  });

  it('DEL, EXISTS and MGET scatter; DEL is one group in each partition', () => {
    const harness = new Harness({ partitions: 2, commit: 'manual' });
    const [left, right] = keysOfTwoPartitions(harness);
    for (const partition of harness.router.partitions) partition.seed('x', '0');
    for (const key of [left, `{${left}}b`, right]) {
      harness.router.partitionOf(Buffer.from(key), 0, key.length).seed(key, '1');
    }
    expect(harness.run('exists', left, right, left)).to.equal(':3\r\n');
    expect(harness.run('mget', left, right)).to.equal('*2\r\n$1\r\n1\r\n$1\r\n1\r\n');
    expect(harness.run('del', left, right, `{${left}}b`, right)).to.equal(':3\r\n');
    expect(harness.context.holdCount).to.equal(2);
    for (const { records } of harness.router.partitions) {
      const tombstones = records.filter(({ kind }) => kind === 'tombstone');
      expect(new Set(tombstones.map(({ group }) => group))).to.deep.equal(new Set([1]));
    }
    expect(harness.isHeld).to.equal(true);
    for (const partition of harness.router.partitions) partition.commitAll();
    expect(harness.isHeld).to.equal(false);
  });

  it('FLUSHALL is one record in each partition', () => {
    const harness = new Harness({ partitions: 3, commit: 'manual' });
    harness.run('set', 'a', '1');
    expect(harness.run('flushall')).to.equal(OK);
    expect(harness.context.holdCount).to.equal(3);
    for (const { records } of harness.router.partitions) expect(records.at(-1)?.kind).to.equal('flush');
    expect(harness.run('incr', 'a')).to.equal(':1\r\n');
  });

  it('MGET loads what lies on disk together, keeps it, and answers the state of one instant', async () => {
    const harness = new Harness();
    const keys = Array.from({ length: 150 }, (_, index) => `k${index}`);
    for (const key of keys) {
      harness.partition.seed(key, 'old');
      harness.partition.cold.add(key);
    }
    expect(harness.run('mget', ...keys)).to.equal('');
    await harness.context.suspension;
    harness.connect().run('set', 'k0', 'new');
    let reply = harness.runAgain();
    // A cache too small for them all has dropped one again: it must not be needed twice.
    harness.partition.cold.add('k1');
    let runs = 1;
    for (; harness.context.suspension !== null; runs += 1) {
      await harness.context.suspension;
      reply = harness.runAgain();
    }
    expect(reply).to.equal(`*150\r\n$3\r\nnew\r\n${'$3\r\nold\r\n'.repeat(149)}`);
    expect(runs).to.be.below(4);
    expect(harness.partition.cold.has('k1')).to.equal(true);
    expect(harness.context.progress).to.equal(undefined);
  });
});

describe('expiry (R4)', () => {
  it('a due key is not seen, and its tombstone is committed before the reply', async () => {
    const harness = new Harness({ commit: 'turn' });
    const dueMs = harness.clock.wallMs() - 1;
    for (const command of [
      ['get', 'a'],
      ['ttl', 'a'],
      ['exists', 'a'],
      ['mget', 'a', 'a'],
    ]) {
      harness.partition.seed('a', '1', dueMs);
      expect(harness.run(...command)).to.equal('');
      await harness.context.suspension;
      expect(harness.runAgain()).to.equal(
        { get: NIL, ttl: ':-2\r\n', exists: ':0\r\n', mget: `*2\r\n${NIL}${NIL}` }[command[0] as string],
      );
      expect(harness.partition.records.at(-1)?.kind).to.equal('tombstone');
    }
  });

  it('read-modify-write takes a due key for absent', () => {
    const harness = new Harness({ commit: 'manual' });
    harness.partition.seed('a', '5', harness.clock.wallMs() - 1);
    expect(harness.run('incr', 'a')).to.equal(':1\r\n');
    expect(harness.partition.expiryOf('a')).to.equal(0);
    expect(harness.isHeld).to.equal(true);
  });

  it('INCR, APPEND and KEEPTTL keep it; SET and MSET take it away', () => {
    const harness = new Harness();
    const dueMs = harness.clock.wallMs() + 5000;
    for (const command of [
      ['incr', 'a'],
      ['append', 'a', '1'],
      ['append', 'a', ''],
      ['set', 'a', '1', 'keepttl'],
    ]) {
      harness.partition.seed('a', '1', dueMs);
      harness.run(...command);
      expect(harness.partition.expiryOf('a'), command.join(' ')).to.equal(dueMs);
    }
    for (const command of [
      ['set', 'a', '1'],
      ['mset', 'a', '1'],
      ['set', 'a', '1', 'get'],
    ]) {
      harness.partition.seed('a', '1', dueMs);
      harness.run(...command);
      expect(harness.partition.expiryOf('a'), command.join(' ')).to.equal(0);
    }
  });

  it('EXPIRE and PERSIST write a record without the value, EXPIRE in the past a tombstone', () => {
    const harness = new Harness();
    const kind = (): string | undefined => harness.partition.records.at(-1)?.kind;
    harness.partition.seed('a', '1');
    expect(harness.run('expire', 'a', '10')).to.equal(':1\r\n');
    expect(kind()).to.equal('expiry');
    expect(harness.partition.expiryOf('a')).to.equal(harness.clock.wallMs() + 10_000);
    expect(harness.run('persist', 'a')).to.equal(':1\r\n');
    expect(kind()).to.equal('expiry');
    expect(harness.run('expire', 'a', '-1')).to.equal(':1\r\n');
    expect(kind()).to.equal('tombstone');
    expect(harness.run('expire', 'a', '-1')).to.equal(':0\r\n');
  });

  it('rounds TTL to the nearest second and PTTL not at all', () => {
    const harness = new Harness();
    harness.partition.seed('a', '1', harness.clock.wallMs() + 1499);
    expect(harness.run('ttl', 'a')).to.equal(':1\r\n');
    expect(harness.run('pttl', 'a')).to.equal(':1499\r\n');
    harness.partition.seed('a', '1', harness.clock.wallMs() + 1500);
    expect(harness.run('ttl', 'a')).to.equal(':2\r\n');
  });
});

/** Two keys of different partitions. */
function keysOfTwoPartitions(harness: Harness): [string, string] {
  const home = (key: string): unknown => harness.router.partitionOf(Buffer.from(key), 0, key.length);
  const other = Array.from({ length: 100 }, (_, index) => `k${index}`).find((key) => home(key) !== home('a'));
  return ['a', other as string];
}

describe('a database', () => {
  it('is the one the session selected', () => {
    const harness = new Harness();
    harness.session.database = asDatabaseId(1);
    harness.run('set', 'a', '1');
    harness.session.database = asDatabaseId(0);
    expect(harness.run('get', 'a')).to.equal(NIL);
    expect(harness.partition.keyCount(asDatabaseId(1))).to.equal(1);
  });
});
