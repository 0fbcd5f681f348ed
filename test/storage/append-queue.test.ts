import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { AppendQueue } from '../../src/storage/append-queue.ts';
import { BatchBufferPool, type BatchBuilder } from '../../src/storage/batch-builder.ts';
import { BATCH_HEADER_BYTES, batchCrcHolds, readBatchHeader } from '../../src/storage/format/batch.ts';
import { RecordKind, RecordView } from '../../src/storage/format/record.ts';
import { buildBatch } from '../support/batch-bytes.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { StoreMachine } from '../support/store-fixture.ts';

const KEY = Buffer.from('key');

class Appender {
  readonly clock = new SimulatedClock();
  readonly queue: AppendQueue;

  constructor(nextOffset = 0) {
    this.queue = new AppendQueue(this.clock, asLeaderEpoch(3), asOffset(nextOffset));
  }

  append(valueLength = 1): BatchBuilder {
    const batch = this.queue.batchFor(valueLength);
    const value = Buffer.alloc(valueLength);
    batch.append(RecordKind.put, 0, 0, 0, -1, KEY, 0, KEY.length, value, 0, valueLength);
    return batch;
  }

  group(...valueLengths: readonly number[]): void {
    this.queue.beginGroup();
    for (const length of valueLengths) this.append(length);
    this.queue.endGroup();
  }

  /** Counts of the batches in the order they are taken. */
  takeAll(): number[] {
    const counts: number[] = [];
    let next: number = -1;
    for (let batch = this.queue.take(); batch !== null; batch = this.queue.take()) {
      if (next >= 0) expect(batch.baseOffset, 'offsets are dense').to.equal(next);
      next = batch.nextOffset;
      counts.push(batch.count);
    }
    return counts;
  }
}

const LARGE = LIMITS.largeValueBytes + 1;

describe('the queue of appended batches', () => {
  it('gives dense offsets, over batches and what is taken between them', () => {
    const appender = new Appender(100);
    expect(appender.queue.nextOffset).to.equal(100);
    appender.append();
    appender.append();
    expect(appender.queue.nextOffset).to.equal(102);
    const first = appender.queue.take();
    expect(first).to.include({ baseOffset: 100, count: 2 });
    expect(appender.queue.nextOffset).to.equal(102);
    appender.append();
    expect(appender.queue.take()).to.include({ baseOffset: 102, count: 1 });
    expect(appender.queue.isEmpty).to.equal(true);
    expect(appender.queue.take()).to.equal(null);
  });

  it('closes a batch that grew past the target', () => {
    const appender = new Appender();
    const value = LIMITS.largeValueBytes;
    const fitting = Math.ceil(LIMITS.batchBytesTarget / value);
    for (let n = 0; n < fitting + 2; n += 1) appender.append(value);
    const counts = appender.takeAll();
    expect(counts).to.have.length(2);
    expect(counts[0]).to.be.within(fitting - 1, fitting + 1);
  });

  it('gives a large value a batch of its own', () => {
    const appender = new Appender();
    appender.append();
    appender.append(LARGE);
    appender.append();
    appender.append();
    appender.append(LARGE);
    appender.append(LARGE);
    expect(appender.takeAll()).to.deep.equal([1, 1, 2, 1, 1]);
  });

  it('never splits a group, however large', () => {
    const appender = new Appender();
    appender.append();
    appender.group(LARGE, 1, LIMITS.batchBytesTarget, LARGE, 1);
    expect(appender.queue.inGroup).to.equal(false);
    expect(appender.takeAll()).to.deep.equal([6]);
  });

  it('begins a new batch before a group when the open one is full', () => {
    const appender = new Appender();
    appender.group(LIMITS.batchBytesTarget, 1);
    appender.group(1, 1);
    appender.group(1);
    expect(appender.takeAll()).to.deep.equal([2, 3]);
  });

  it('does not hand out a batch in the middle of a group', () => {
    const appender = new Appender();
    appender.queue.beginGroup();
    appender.append();
    expect(appender.queue.take()).to.equal(null);
    appender.append();
    appender.queue.endGroup();
    expect(appender.queue.take()?.count).to.equal(2);
  });

  it('counts the bytes that wait', () => {
    const appender = new Appender();
    expect(appender.queue.bytes).to.equal(0);
    const batch = appender.append(10);
    expect(appender.queue.bytes).to.equal(batch.length);
    appender.append(LARGE);
    expect(appender.queue.bytes).to.be.greaterThan(batch.length + LARGE);
    appender.takeAll();
    expect(appender.queue.bytes).to.equal(0);
  });

  it('forgets on discard what was not taken, and gives the offsets again', () => {
    const appender = new Appender(5);
    appender.append();
    const taken = appender.queue.take();
    appender.append(LARGE);
    appender.append();
    appender.append(LARGE);
    appender.queue.discard(asOffset(6));
    expect(appender.queue).to.include({ isEmpty: true, bytes: 0, nextOffset: 6 });
    expect(appender.append().baseOffset).to.equal(taken?.nextOffset);
  });

  it('stamps a batch with the time of its first record and of its close', async () => {
    const appender = new Appender();
    const startMs = appender.clock.wallMs();
    appender.append();
    await appender.clock.advance(7);
    const batch = appender.queue.take();
    expect(batch).to.include({ firstTimestampMs: startMs, maxTimestampMs: startMs + 7 });
    appender.append();
    appender.clock.wallJump(-1000);
    const second = appender.queue.take();
    expect(second?.maxTimestampMs, 'a wall clock that went back').to.equal(second?.firstTimestampMs);
  });
});

describe('a batch while it is built', () => {
  it('grows past its buffer without losing a byte', () => {
    const values = Array.from({ length: 40 }, (_, n) => ({ key: `k${n}`, value: 'v'.repeat(n * 13) }));
    const batch = buildBatch(values, 9, 4);
    const header = readBatchHeader(batch.bytes, 0, batch.length);
    if (typeof header === 'string') throw new Error(header);
    expect(batchCrcHolds(batch.bytes, 0, header)).to.equal(true);
    const view = new RecordView();
    let at = BATCH_HEADER_BYTES;
    for (const [n, { key, value }] of values.entries()) {
      expect(view.decode(batch.bytes, at, batch.length, true)).to.equal(null);
      expect(view.offsetDelta).to.equal(n);
      expect(batch.bytes.toString('utf8', view.keyStart, view.keyEnd)).to.equal(key);
      expect(batch.bytes.toString('utf8', view.valueStart, view.valueEnd)).to.equal(value);
      at += view.length;
    }
  });

  it('takes no record once it is sealed', () => {
    const batch = buildBatch([{ key: 'a' }]);
    expect(() => batch.append(RecordKind.put, 0, 0, 0, -1, KEY, 0, 3)).to.throw('sealed');
  });

  it('takes its buffer from a pool that keeps no large ones', () => {
    const pool = new BatchBufferPool();
    const buffer = pool.take();
    pool.give(buffer);
    expect(pool.take()).to.equal(buffer);
    pool.give(Buffer.alloc(LIMITS.batchBytesTarget * 2 + 1));
    expect(pool.take().length).to.be.at.most(LIMITS.batchBytesTarget * 2);
  });
});

describe('an atomic group', () => {
  /** The continues bits of the only batch of the active segment. */
  async function continuesBits(
    append: (store: Awaited<ReturnType<StoreMachine['openStore']>>) => void,
  ): Promise<number[]> {
    const machine = new StoreMachine();
    const test = await machine.openStore();
    append(test);
    await test.flush();
    const { active } = test.store.log;
    const bytes = Buffer.alloc(active.length - 96);
    await active.handle.readAt(bytes, 96);
    const header = readBatchHeader(bytes, 0, bytes.length);
    if (typeof header === 'string') throw new Error(header);
    expect(header.length, 'one batch').to.equal(bytes.length);
    const view = new RecordView();
    const bits: number[] = [];
    for (let at = BATCH_HEADER_BYTES; at < bytes.length; at += view.length) {
      expect(view.decode(bytes, at, bytes.length, true)).to.equal(null);
      bits.push(view.flags & 1);
    }
    return bits;
  }

  it('marks each record but its first as continuing', async () => {
    const bits = await continuesBits((test) => {
      test.put('single', '1');
      test.store.beginGroup();
      test.put('a', '1');
      test.put('b', '2');
      test.remove('c');
      test.store.endGroup();
      test.put('single', '2');
      test.store.beginGroup();
      test.put('d', '1');
      test.store.endGroup();
    });
    expect(bits).to.deep.equal([0, 0, 1, 1, 0, 0]);
  });

  it('is one group with the groups inside it', async () => {
    const bits = await continuesBits((test) => {
      test.store.beginGroup();
      test.put('a', '1');
      test.store.beginGroup();
      test.put('b', '2');
      test.put('c', '3');
      test.store.endGroup();
      test.put('d', '4');
      test.store.endGroup();
    });
    expect(bits).to.deep.equal([0, 1, 1, 1]);
  });
});
