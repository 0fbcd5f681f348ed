import { expect } from 'chai';
import type { CaskadeError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { asOffset, type Offset } from '../../src/model/numbers.ts';
import {
  type CommitListener,
  type LeaderPartition,
  ReadOutcome,
} from '../../src/replication/leader-partition.ts';
import { StoreMachine, type TestPartition, textOf } from '../support/store-fixture.ts';

/** Writes down what it is told. */
class Recorder implements CommitListener {
  readonly committedAt: Offset[] = [];
  readonly givenUp: { readonly firstOffset: Offset; readonly code: string }[] = [];

  committed(partition: LeaderPartition): void {
    this.committedAt.push(partition.highWatermark);
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    this.givenUp.push({ firstOffset, code: error.code });
  }
}

async function opened(options: ConstructorParameters<typeof StoreMachine>[0] = {}) {
  const machine = new StoreMachine(options);
  const test = await machine.openPartition();
  return { machine, test, clock: machine.clock, partition: test.partition };
}

function append(test: TestPartition, listener: CommitListener, key: string, value = 'v'): Offset {
  const offset = test.put(key, value);
  test.partition.listen(listener);
  return offset;
}

const noise = (length: number): string => 'n'.repeat(length);

describe('reads of a partition', () => {
  it('see what is committed only; read-modify-write sees what is appended', async () => {
    const { test, clock } = await opened();
    test.put('k', 'old');
    await clock.settle();
    const offset = test.put('k', 'new');
    expect(test.readCommitted('k')).to.equal(ReadOutcome.ready);
    expect(textOf(test.entry)).to.equal('old');
    expect(test.entry).to.include({ uncommittedOffset: -1, offset: 0 });
    expect(test.readAppended('k')).to.equal(ReadOutcome.ready);
    expect(textOf(test.entry)).to.equal('new');
    expect(test.entry).to.include({ uncommittedOffset: offset, offset });
    test.remove('k');
    test.readAppended('k');
    expect(test.entry).to.include({ found: false, uncommittedOffset: 2 });
    await clock.settle();
    expect(await test.get('k')).to.equal(null);
  });

  it('see an expiry change over a committed and over an uncommitted value', async () => {
    const { test, clock, partition } = await opened();
    test.put('committed', 'c');
    await clock.settle();
    test.put('fresh', 'f');
    const dueMs = clock.wallMs() + 5000;
    for (const key of ['committed', 'fresh']) test.store.changeExpiry(0, test.key(key), dueMs);
    for (const [key, value] of [
      ['committed', 'c'],
      ['fresh', 'f'],
    ] as const) {
      expect(test.readAppended(key)).to.equal(ReadOutcome.ready);
      expect(textOf(test.entry)).to.equal(value);
      expect(test.entry.expiresAtMs).to.equal(dueMs);
    }
    test.readCommitted('committed');
    expect(test.entry.expiresAtMs).to.equal(0);
    test.put('kick', '1');
    await clock.settle();
    test.readCommitted('fresh');
    expect(test.entry.expiresAtMs).to.equal(dueMs);
    expect(partition.expiringKeyCount(0 as never)).to.equal(2);
  });

  it('of a due key append one tombstone, and wait for it: never the value, never nil before (R4)', async () => {
    const { test, clock, partition } = await opened();
    test.put('k', 'v', clock.wallMs() + 1000);
    await clock.settle();
    // The wall clock alone jumps: the sweeper's timer has not fired yet.
    clock.wallJump(1000);
    const end = partition.stats().logEndOffset;
    for (let reader = 0; reader < 3; reader += 1) {
      expect(test.readCommitted('k')).to.equal(ReadOutcome.suspended);
    }
    expect(partition.stats().logEndOffset, 'one tombstone for all readers').to.equal(end + 1);
    const waiting = partition.suspension;
    await clock.until(waiting);
    expect(partition.highWatermark).to.equal(end + 1);
    expect(test.readCommitted('k')).to.equal(ReadOutcome.ready);
    expect(test.entry.found).to.equal(false);
    expect(partition.stats().expiredKeys).to.equal(1);
  });

  it('of a due key for read-modify-write find nothing, and name the tombstone', async () => {
    const { test, clock } = await opened();
    test.put('k', 'v', clock.wallMs() + 1000);
    await clock.settle();
    clock.wallJump(1000);
    expect(test.readAppended('k')).to.equal(ReadOutcome.ready);
    expect(test.entry).to.include({ found: false, uncommittedOffset: 1, offset: 1 });
    expect(test.readAppended('k')).to.equal(ReadOutcome.ready);
    expect(test.entry).to.include({ found: false, uncommittedOffset: 1 });
    test.put('k', 'again');
    await clock.settle();
    expect(await test.get('k')).to.equal('again');
  });

  it('of a key that was written anew wait for that write, and append no tombstone', async () => {
    const { test, clock, partition } = await opened();
    test.put('k', 'old', clock.wallMs() + 1000);
    await clock.settle();
    clock.wallJump(1000);
    test.put('k', 'new');
    expect(test.readCommitted('k')).to.equal(ReadOutcome.suspended);
    expect(partition.stats().logEndOffset).to.equal(2);
    expect(await test.get('k')).to.equal('new');
  });

  it('are refused, not guessed, when the disk or the bytes are bad', async () => {
    const { machine, test, clock } = await opened({ cacheBytesMax: 0, segmentBytesMax: 64 * 1024 });
    for (let n = 0; n < 6; n += 1) test.put(`k${n}`, noise(9000));
    await clock.settle();
    machine.disk.arm({ operation: 'read', path: '.log' });
    const failed = await test.get('k0').catch((error: CaskadeError) => error.code);
    expect(failed).to.equal('diskIo');
    expect(await test.get('k0'), 'the next one reads again').to.equal(noise(9000));
    machine.disk.flipBit(test.store.log.active.path, 40_000, 1);
    const corrupt = await test.get('k4').catch((error: CaskadeError) => error);
    expect(corrupt).to.include({ code: 'corruptSegment' });
    expect(test.partition.writeRefusal()).to.equal(null);
  });
});

describe('the sweeper of a partition', () => {
  it('turns due keys into tombstones on time', async () => {
    const { test, clock, partition } = await opened();
    for (let n = 0; n < 50; n += 1) test.put(`k${n}`, 'v', clock.wallMs() + 1000 + n);
    test.put('stays', 'v');
    await clock.settle();
    expect(partition.keyCount(0 as never)).to.equal(51);
    await clock.advance(1020);
    expect(partition.keyCount(0 as never)).to.be.within(28, 32);
    await clock.advance(100);
    expect(partition.keyCount(0 as never)).to.equal(1);
    expect(partition.stats()).to.include({ expiredKeys: 50, keyCount: 1 });
    expect(await test.get('stays')).to.equal('v');
  });

  it('expires after a restart what became due meanwhile', async () => {
    const { machine, test, clock } = await opened();
    test.put('k', 'v', clock.wallMs() + 1000);
    await clock.settle();
    await test.close();
    await clock.advance(5000);
    const again = await machine.openPartition();
    await clock.advance(10);
    expect(again.partition.keyCount(0 as never)).to.equal(0);
  });
});

describe('those who appended', () => {
  it('are told once per batch, after the high watermark moved over it (I6)', async () => {
    const { test, clock, partition } = await opened();
    const [one, two] = [new Recorder(), new Recorder()];
    for (let n = 0; n < 10; n += 1) append(test, n % 2 === 0 ? one : two, `k${n}`);
    expect(partition.highWatermark).to.equal(0);
    await clock.settle();
    expect(one.committedAt).to.deep.equal([10]);
    expect(two.committedAt).to.deep.equal([10]);
    append(test, one, 'k');
    await clock.settle();
    expect(one.committedAt).to.deep.equal([10, 11]);
    expect(two.committedAt).to.deep.equal([10]);
  });

  it('are told when the sync is done, not when the write is', async () => {
    const { machine, test, clock } = await opened();
    machine.disk.slow({ syncMs: 20 });
    const recorder = new Recorder();
    append(test, recorder, 'k');
    await clock.advance(19);
    expect(recorder.committedAt).to.deep.equal([]);
    expect(
      machine.disk.trace
        .lines()
        .filter((line) => line.startsWith('write'))
        .at(-1),
    ).to.contain('.log');
    expect(await test.get('k')).to.equal(null);
    await clock.advance(1);
    expect(recorder.committedAt).to.deep.equal([1]);
  });

  it('wait for an offset no longer than it takes', async () => {
    const { machine, test, clock, partition } = await opened();
    machine.disk.slow({ syncMs: 20 });
    const offset = test.put('k', 'v');
    let resolved = false;
    void partition.whenResolved(offset).then(() => {
      resolved = true;
    });
    await clock.advance(10);
    expect(resolved).to.equal(false);
    await clock.advance(10);
    expect(resolved).to.equal(true);
    await partition.whenResolved(offset);
    await partition.whenResolved(asOffset(99));
  });

  it('while a batch is synced go into the next one together', async () => {
    const { machine, test, clock, partition } = await opened();
    machine.disk.slow({ syncMs: 20 });
    test.put('first', '1');
    await clock.advance(5);
    for (let n = 0; n < 30; n += 1) test.put(`k${n}`, 'v');
    await clock.advance(100);
    expect(partition.stats()).to.include({ flushes: 2, highWatermark: 31, unflushedBytes: 0 });
  });
});

describe('a full disk', () => {
  it('refuses what was not written, keeps what was, and recovers by itself (R24)', async () => {
    const { machine, test, clock, partition } = await opened();
    test.put('kept', 'v');
    await clock.settle();
    machine.disk.limitBytes(1);
    const recorder = new Recorder();
    // More than the zeros that are laid: room must be made.
    append(test, recorder, 'big', noise(20_000));
    append(test, recorder, 'after');
    await clock.settle();
    expect(recorder.givenUp).to.deep.equal([{ firstOffset: 1, code: 'diskFull' }]);
    expect(partition.writeRefusal()?.code).to.equal('diskFull');
    expect(partition.isFenced).to.equal(false);
    expect(await test.get('kept')).to.equal('v');
    expect(await test.get('big')).to.equal(null);
    test.readAppended('after');
    expect(test.entry.found).to.equal(false);
    await clock.advance(2000);
    expect(partition.writeRefusal()?.code, 'still full').to.equal('diskFull');
    machine.disk.clearFaults();
    await clock.advance(1000);
    expect(partition.writeRefusal()).to.equal(null);
    const again = new Recorder();
    expect(append(test, again, 'next')).to.equal(1);
    await clock.settle();
    expect(again.committedAt).to.deep.equal([2]);
    await test.close();
    expect(await (await machine.openPartition()).get('next')).to.equal('v');
  });

  it('refuses the read of a due key, for its tombstone cannot be written (R4)', async () => {
    const { machine, test, clock, partition } = await opened();
    test.put('k', 'v', clock.wallMs() + 1000);
    await clock.settle();
    machine.disk.limitBytes(1);
    test.put('big', noise(20_000));
    await clock.settle();
    clock.wallJump(2000);
    expect(test.readCommitted('k')).to.equal(ReadOutcome.refused);
    expect(partition.refusal.code).to.equal('diskFull');
  });

  it('probes no more once the partition is closed', async () => {
    const { machine, test, clock } = await opened();
    machine.disk.limitBytes(1);
    test.put('big', noise(20_000));
    await clock.settle();
    machine.disk.clearFaults();
    await test.close();
    const { operationCount } = machine.disk;
    await clock.advance(120_000);
    expect(clock.timerCount).to.equal(0);
    expect(machine.disk.operationCount).to.equal(operationCount);
  });
});

describe('a failed write or sync', () => {
  for (const operation of ['write', 'sync'] as const) {
    it(`(${operation}) fences: in doubt what was sealed, refused what came after (R22, R24)`, async () => {
      const { machine, test, clock, partition } = await opened();
      test.put('kept', 'v');
      await clock.settle();
      machine.disk.slow({ writeMs: 5, syncMs: 5 });
      machine.disk.arm({ operation, path: '.log' });
      const [sealed, both, later] = [new Recorder(), new Recorder(), new Recorder()];
      append(test, sealed, 'a');
      append(test, both, 'b');
      await clock.settle();
      append(test, both, 'c');
      append(test, later, 'd');
      const waiting = partition.whenResolved(asOffset(3));
      await clock.advance(20);
      await clock.until(waiting);
      expect(partition.isFenced).to.equal(true);
      const refused = { firstOffset: 3, code: 'partitionFenced' };
      const inDoubt = { firstOffset: 1, code: 'inDoubt' };
      for (const recorder of [sealed, both, later])
        expect(recorder.givenUp).to.deep.equal([refused, inDoubt]);
      expect(partition.writeRefusal()?.code).to.equal('partitionFenced');
      expect(partition.stats().fencedReason).to.contain('Restart the server');
      expect(await test.get('kept'), 'reads go on').to.equal('v');
      for (const key of ['a', 'b', 'c', 'd']) expect(await test.get(key)).to.equal(null);
      test.readAppended('a');
      expect(test.entry.found).to.equal(false);
      await partition.whenResolved(asOffset(2));
      machine.disk.clearFaults();
      await clock.advance(5000);
      expect(partition.writeRefusal()?.code, 'for good').to.equal('partitionFenced');
      await test.close();
      // A write that failed half-way through a sector cannot be told from rot (R19): that is the operator's to say.
      const again = await machine.openPartition({ acceptTornTail: true });
      expect(await again.get('kept')).to.equal('v');
      expect(await again.get('c')).to.equal(null);
    });
  }

  it('of the zeros ahead fences too, but nothing is in doubt', async () => {
    const { machine, test, clock, partition } = await opened();
    machine.disk.arm({ operation: 'write', path: '.log' });
    const recorder = new Recorder();
    append(test, recorder, 'big', noise(20_000));
    await clock.settle();
    expect(partition.isFenced).to.equal(true);
    expect(recorder.givenUp).to.deep.equal([{ firstOffset: 0, code: 'partitionFenced' }]);
  });
});

describe('congestion', () => {
  it('begins above the limit of unflushed bytes and ends well below it', async () => {
    const { machine, test, clock, partition } = await opened({ segmentBytesMax: LIMITS.segmentBytesMax });
    machine.disk.slow({ syncMs: 1 });
    const value = Buffer.alloc(8 * 1024 * 1024, 1);
    let appended = 0;
    while (partition.congestion === null) {
      test.put(`k${appended}`, value);
      appended += 1;
      expect(appended * value.length).to.be.at.most(LIMITS.unflushedBytesMax + 2 * value.length);
    }
    expect(partition.stats().unflushedBytes).to.be.greaterThan(LIMITS.unflushedBytesMax);
    const congestion = partition.congestion;
    let relieved = false;
    void congestion.then(() => {
      relieved = true;
      expect(partition.stats().unflushedBytes).to.be.at.most(LIMITS.unflushedBytesMax / 2);
    });
    await clock.advance(200);
    expect(relieved).to.equal(true);
    expect(partition.congestion).to.equal(null);
    expect(partition.stats().unflushedBytes).to.equal(0);
  });
});

describe('weaker flush modes', () => {
  const syncs = (machine: StoreMachine): number =>
    machine.disk.trace.lines().filter((line) => line.startsWith('sync ') && line.includes('.log')).length;

  it('interval: commits at the write and syncs every so often, once', async () => {
    const { machine, test, clock, partition } = await opened({ flush: 'interval', flushIntervalMs: 500 });
    const before = syncs(machine);
    for (let n = 0; n < 5; n += 1) {
      test.put(`k${n}`, 'v');
      await clock.settle();
    }
    expect(partition.highWatermark).to.equal(5);
    expect(syncs(machine)).to.equal(before);
    await clock.advance(500);
    expect(syncs(machine)).to.equal(before + 1);
    await clock.advance(2000);
    expect(syncs(machine), 'nothing new, nothing to sync').to.equal(before + 1);
    machine.powerCut();
    expect(await (await machine.openPartition()).get('k4')).to.equal('v');
  });

  it('interval: a failed sync fences', async () => {
    const { machine, test, clock, partition } = await opened({ flush: 'interval', flushIntervalMs: 500 });
    test.put('k', 'v');
    await clock.settle();
    machine.disk.arm({ operation: 'sync', path: '.log' });
    await clock.advance(500);
    expect(partition.isFenced).to.equal(true);
  });

  it('os: never syncs by itself, but at the close', async () => {
    const { machine, test, clock } = await opened({ flush: 'os' });
    const before = syncs(machine);
    test.put('k', 'v');
    await clock.advance(10_000);
    expect(syncs(machine)).to.equal(before);
    await test.close();
    machine.powerCut();
    expect(await (await machine.openPartition()).get('k')).to.equal('v');
  });
});

describe('below min.insync (R1)', () => {
  it('nothing is appended, the high watermark does not move, and nothing is read (R10)', async () => {
    const { test, clock, partition } = await opened({ minInsync: 2, writeTimeoutMs: 1000 });
    expect(partition.writeRefusal()?.respText).to.match(/^NOREPLICAS /);
    const recorder = new Recorder();
    append(test, recorder, 'k');
    await clock.settle();
    expect(partition.highWatermark).to.equal(0);
    expect(recorder.committedAt).to.deep.equal([]);
    expect(test.readCommitted('k')).to.equal(ReadOutcome.suspended);
    await clock.advance(1001);
    expect(test.readCommitted('k')).to.equal(ReadOutcome.refused);
    expect(partition.refusal.code).to.equal('notEnoughReplicas');
  });
});

describe('the close of a partition', () => {
  it('leaves in doubt what it could not commit', async () => {
    const { test, clock } = await opened({ minInsync: 2 });
    const recorder = new Recorder();
    append(test, recorder, 'k');
    await clock.settle();
    await test.close();
    expect(recorder.givenUp.at(-1)).to.deep.equal({ firstOffset: 0, code: 'inDoubt' });
  });

  it('writes out what was appended, refuses what comes, and leaves no timer', async () => {
    const { machine, test, clock, partition } = await opened();
    const recorder = new Recorder();
    append(test, recorder, 'k', 'v');
    test.put('due', 'v', clock.wallMs() + 60_000);
    const closed = test.role.close();
    expect(partition.writeRefusal()?.code).to.equal('shuttingDown');
    await clock.until(closed);
    expect(recorder.committedAt).to.deep.equal([2]);
    const { operationCount } = machine.disk;
    await clock.advance(120_000);
    expect(clock.timerCount).to.equal(0);
    expect(machine.disk.operationCount, 'the files are not touched any more').to.equal(operationCount);
    const again = await machine.openPartition();
    expect(await again.get('k')).to.equal('v');
    expect(again.store.meta.highWatermark).to.equal(2);
  });
});
