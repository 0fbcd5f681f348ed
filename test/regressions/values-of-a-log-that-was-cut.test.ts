import { expect } from 'chai';
import type { FileHandle } from '../../src/env/file-system.ts';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { EntryView } from '../../src/replication/leader-partition.ts';
import { BlockCache } from '../../src/storage/block-cache.ts';
import { RecordReader } from '../../src/storage/record-reader.ts';
import { Segment } from '../../src/storage/segment.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { keyOf, textOf } from '../support/store-fixture.ts';

const SEGMENT_BYTES = 8 * 2 ** 20;
const BLOCK = 16 * 1024;
/** So many of them push the first block out of a cache of 1 MiB. */
const TAIL = 90;

const longValue = (letter: string, n: number): string => `${letter}${n}`.padEnd(15_000, letter);

/** A replica with `a` committed, and a tail behind it that is not; the block of `a` is no longer in the cache. */
async function withTail(): Promise<{ machine: ReplicaMachine; old: TestReplica }> {
  const machine = new ReplicaMachine({ segmentBytesMax: SEGMENT_BYTES });
  const old = await machine.lead(1);
  await old.write(['a', '1']);
  await old.commit(1);
  for (let n = 0; n < TAIL; n += 1) await old.write([`k${n}`, longValue('v', n)]);
  return { machine, old };
}

/** Blocks were kept under the number of their file, which a cut did not change: a GET was answered with what had been cut off, even of another key. */
describe('a log that was cut while blocks of it were in memory', () => {
  it('is read as it is now, not as it was', async () => {
    const { old } = await withTail();
    expect(await old.get('a')).to.equal('1');
    old.store.endEpoch();
    await old.store.truncateTo(asOffset(1));
    const lead = await new ReplicaMachine({ node: 9, segmentBytesMax: SEGMENT_BYTES }).lead(1);
    await lead.write(['a', '1']);
    lead.store.endEpoch();
    await lead.store.beginEpoch(asLeaderEpoch(3));
    for (let n = 0; n < TAIL; n += 1) await lead.write([`n${n}`, longValue('w', n)]);
    await old.follow(lead);
    await old.commit();
    for (let n = 0; n < TAIL; n += 1) {
      const value = await old.get(`n${n}`);
      expect(value === longValue('w', n), `n${n} is ${value?.slice(0, 4)}...`).to.equal(true);
    }
  });

  it('is not taken for corrupt by who read it meanwhile', async () => {
    for (const readMs of [5, 50]) {
      const { machine, old } = await withTail();
      machine.disk.slow({ readMs: () => readMs });
      const key = keyOf('a', old.store);
      const entry = new EntryView();
      const read = async (): Promise<string> => {
        while (!old.store.readCommitted(0, key, entry, true)) await old.store.loaded;
        return textOf(entry);
      };
      const reading = read();
      old.store.endEpoch();
      const cutting = old.store.truncateTo(asOffset(1));
      await machine.clock.advance(1000);
      expect(await reading).to.equal('1');
      await cutting;
      expect(await read()).to.equal('1');
    }
  });
});

/** A file whose reads are answered when the test says so, with what it held when they began or, cut beneath them, when they end. */
class SlowFile implements FileHandle {
  readonly path = 'slow.log';
  readonly answers: (() => void)[] = [];
  content = Buffer.alloc(4 * BLOCK, 'old');
  isSlow = true;
  isCutBeneath = false;

  async size(): Promise<number> {
    return this.content.length;
  }
  async readAt(target: Uint8Array, position: number): Promise<number> {
    const before = Buffer.from(this.content.subarray(position, position + target.length));
    if (this.isSlow) await new Promise<void>((resolve) => this.answers.push(resolve));
    const seen = this.isCutBeneath ? this.content.subarray(position, position + target.length) : before;
    target.set(seen);
    return seen.length;
  }
  async writeAt(): Promise<void> {}
  async sync(): Promise<void> {}
  async truncate(length: number): Promise<void> {
    this.content = this.content.subarray(0, length);
  }
  async close(): Promise<void> {}
}

describe('a load that a cut overtakes', () => {
  const clock = new SimulatedClock();

  function slowSegment(cache: BlockCache): { file: SlowFile; segment: Segment } {
    const file = new SlowFile();
    const place = { slot: 0, base: asOffset(0), generation: 1, path: file.path, merged: false };
    const segment = new Segment({ ...place, handle: file }, cache);
    segment.length = file.content.length;
    return { file, segment };
  }

  it('brings nothing to who reads the file as it is after the cut', async () => {
    const cache = new BlockCache(8 * BLOCK);
    const reader = new RecordReader(cache, clock);
    const { file, segment } = slowSegment(cache);
    expect(reader.find(segment, BLOCK + 10, 10)).to.equal(false);
    file.isSlow = false;
    await segment.cut(BLOCK, asOffset(1));
    const fresh = Buffer.alloc(2 * BLOCK, 'new');
    file.content = Buffer.concat([file.content, fresh]);
    segment.length = file.content.length;
    segment.remember(fresh, BLOCK);
    for (const answer of file.answers) answer();
    await reader.loaded;
    cache.forget(segment.cacheId, 4);
    while (!reader.find(segment, BLOCK, 10)) await reader.loaded;
    expect(Buffer.from(reader.bytes.subarray(0, 10)).toString()).to.equal('newnewnewn');
  });

  it('that fails by it fails nobody', async () => {
    const cache = new BlockCache(8 * BLOCK);
    const reader = new RecordReader(cache, clock);
    const { file, segment } = slowSegment(cache);
    expect(reader.find(segment, BLOCK + 10, 10)).to.equal(false);
    file.isCutBeneath = true;
    const cutting = segment.cut(BLOCK + 100, asOffset(1));
    const reading = (async (): Promise<void> => {
      while (!reader.find(segment, BLOCK + 10, 10)) await reader.loaded;
    })();
    for (let answered = 0; answered < 3; answered += 1) {
      await clock.settle();
      file.answers.shift()?.();
    }
    await reading;
    await cutting;
    expect(reader.find(segment, BLOCK + 10, 10)).to.equal(true);
    expect(Buffer.from(reader.bytes.subarray(10, 19)).toString()).to.contain('old');
  });
});
