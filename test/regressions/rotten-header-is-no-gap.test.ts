import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { asOffset } from '../../src/model/numbers.ts';
import { readBatchHeader } from '../../src/storage/format/batch.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';

const BATCHES = 5;

/** What a follower that asks from `offset` on is told, read whole; null: the leader says that it cannot read it. */
async function fetched(replica: TestReplica, offset: number): Promise<string | null> {
  const parts: Buffer[] = [];
  try {
    for (let at = offset; at < replica.store.sealedOffset; ) {
      const { bytes, nextOffset } = await replica.read(at);
      parts.push(Buffer.from(bytes));
      at = nextOffset;
    }
  } catch (error) {
    if (error instanceof CaskadeError && error.code === 'corruptSegment') return null;
    throw error;
  }
  return Buffer.concat(parts).toString('hex');
}

async function replicaWithGap(): Promise<{ machine: ReplicaMachine; replica: TestReplica }> {
  const machine = new ReplicaMachine({ node: 1, segmentBytesMax: 4096 });
  const replica = await machine.lead(1);
  for (let at = 0; at < BATCHES; at += 1)
    await replica.write([`key${at}`, 'v'.repeat(100)], ['over', `${at}`]);
  await replica.commit();
  await replica.store.rollNow();
  // Leaves gaps between the batches.
  await replica.merge();
  await replica.write(['last', '1']);
  await replica.commit();
  return { machine, replica };
}

/**
 * A bit of a batch's base offset had rotten on a leader's disk. The reader looked at the offset before it looked at the checksum, took the rest of the segment for the gap that a
 * merge leaves, and sent a follower past committed records without a word.
 */
describe('a rotten batch header', () => {
  it('is never taken for a gap: a follower gets every record, or is told that they cannot be read (C8, C11)', async function rotten() {
    this.timeout(60_000);
    const { machine, replica } = await replicaWithGap();
    const [segment] = replica.store.log.segments;
    if (segment === undefined) throw new Error('no segment');
    const bytes = await segment.load(0, segment.length);
    const positions: number[] = [];
    for (let at = bytes.indexOf('CSKB'); at < segment.length && at >= 0; ) {
      const header = readBatchHeader(bytes, at, bytes.length);
      if (typeof header === 'string') break;
      positions.push(at);
      at += header.length;
    }
    expect(positions.length).to.be.at.least(3);
    const whole = new Map<number, string | null>();
    for (let offset = 0; offset <= replica.store.sealedOffset; offset += 1)
      whole.set(offset, await fetched(replica, offset));
    for (const position of positions) {
      for (let bit = 16 * 8; bit < 32 * 8; bit += 1) {
        machine.disk.flipBit(segment.path, position + (bit >> 3), bit & 7);
        for (const [offset, expected] of whole) {
          const told = await fetched(replica, asOffset(offset));
          if (told !== null)
            expect(told, `position ${position} bit ${bit} from ${offset}`).to.equal(expected);
        }
        machine.disk.flipBit(segment.path, position + (bit >> 3), bit & 7);
      }
    }
  });
});
