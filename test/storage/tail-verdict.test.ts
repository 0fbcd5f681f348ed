import { expect } from 'chai';
import { BatchScan } from '../../src/storage/batch-scan.ts';
import { judgeTail, type TailVerdict } from '../../src/storage/tail-verdict.ts';
import { batchBytes } from '../support/batch-bytes.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import {
  expectCode,
  overwrite,
  readFileBytes,
  StoreMachine,
  type StoreOptions,
} from '../support/store-fixture.ts';

const SECTOR_BYTES = 512;
const FIRST_BATCH_AT = 96;
/** Values without a zero byte, so that an empty sector is always one that was not written. */
const noise = (length: number, seed: number): Buffer =>
  Buffer.from(new SeededRandom(seed).bytes(length).map((byte) => byte | 1));

const FIRST = batchBytes([{ key: 'first', value: noise(300, 1) }], 0);
const LAST = batchBytes(
  [
    { key: 'one', value: noise(700, 2) },
    { key: 'two', value: noise(900, 3) },
  ],
  1,
);
const LAST_AT = FIRST_BATCH_AT + FIRST.length;

/** What stands in the file from the scan's end on, judged as recovery does it. */
async function verdictOf(tail: Buffer): Promise<TailVerdict> {
  const machine = new StoreMachine();
  const handle = await machine.fileSystem.open('/segment', 'create');
  const bytes = Buffer.concat([Buffer.alloc(FIRST_BATCH_AT, 1), FIRST, tail]);
  await handle.writeAt([bytes], 0);
  const scan = new BatchScan(handle, bytes.length);
  for await (const _batch of scan.batches());
  return judgeTail(bytes.subarray(scan.end.position), scan.end.position);
}

const ZEROS = Buffer.alloc(4096);
const followedByZeros = (bytes: Buffer): Buffer => Buffer.concat([bytes, ZEROS]);

/** The last batch, in a file where these sectors were not written. */
function withoutSectors(missing: (sector: number) => boolean): Buffer {
  const torn = Buffer.from(LAST);
  for (let at = 0; at < torn.length; at += 1) {
    if (missing(Math.floor((LAST_AT + at) / SECTOR_BYTES))) torn[at] = 0;
  }
  return torn;
}

const FIRST_SECTOR = Math.floor(LAST_AT / SECTOR_BYTES);
const SECTOR_COUNT = Math.floor((LAST_AT + LAST.length - 1) / SECTOR_BYTES) - FIRST_SECTOR + 1;

function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ (1 << bit);
  return copy;
}

describe('the verdict about the tail of a log (R19)', () => {
  it('is clean where nothing but zeros, or nothing, follows', async () => {
    expect(await verdictOf(Buffer.alloc(0))).to.equal('clean');
    expect(await verdictOf(Buffer.alloc(10))).to.equal('clean');
    expect(await verdictOf(ZEROS)).to.equal('clean');
    expect(await verdictOf(followedByZeros(LAST))).to.equal('clean');
  });

  it('is torn whichever of its sectors were not written', async () => {
    expect(SECTOR_COUNT).to.be.greaterThan(3);
    for (let mask = 1; mask < 2 ** SECTOR_COUNT - 1; mask += 1) {
      const tail = withoutSectors((sector) => ((mask >>> (sector - FIRST_SECTOR)) & 1) === 1);
      expect(await verdictOf(followedByZeros(tail)), `sectors missing: ${mask.toString(2)}`).to.equal('torn');
    }
  });

  it('is rotten for every bit that flips in the last batch', async () => {
    for (let at = 0; at < 56 + 40; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const tail = followedByZeros(flipped(LAST, at, bit));
        expect(await verdictOf(tail), `byte ${at}, bit ${bit}`).to.equal('rotten');
      }
    }
    for (let at = 96; at < LAST.length; at += 37) {
      expect(await verdictOf(followedByZeros(flipped(LAST, at, at % 8))), `byte ${at}`).to.equal('rotten');
    }
  });

  it('is corrupt when a valid batch comes after the bad one', async () => {
    const later = batchBytes([{ key: 'later' }], 3);
    for (const at of [0, 4, 8, 9, 10, 11, 12, 16, 30, 60, 400]) {
      const tail = Buffer.concat([flipped(LAST, at, 3), later, ZEROS]);
      expect(await verdictOf(tail), `byte ${at}`).to.equal('corrupt');
    }
    expect(await verdictOf(Buffer.concat([Buffer.alloc(LAST.length), later, ZEROS]))).to.equal('corrupt');
  });

  it('is not corrupt because of bytes that only look like a batch', async () => {
    const fake = Buffer.from('CSKB');
    const tail = Buffer.concat([withoutSectors((sector) => sector === FIRST_SECTOR + 1), fake, ZEROS]);
    expect(await verdictOf(tail)).to.equal('torn');
  });
});

describe('a start with a bad tail (R19)', () => {
  /** A closed store of which the last batch was damaged, or more written behind it. */
  async function damaged(
    damage: (batch: Buffer) => Buffer,
  ): Promise<{ machine: StoreMachine; position: number }> {
    const machine = new StoreMachine();
    const test = await machine.openStore();
    await test.commit({ kept: 'yes' });
    const { path, length } = test.store.log.active;
    test.put('last', noise(3000, 5));
    await test.flush();
    const end = test.store.log.active.length;
    // Not closed in order: META must not know of the last batch.
    const bytes = (await readFileBytes(machine.fileSystem, path)).subarray(length, end);
    await overwrite(machine.fileSystem, path, length, damage(Buffer.from(bytes)));
    machine.powerCut();
    return { machine, position: length };
  }

  async function expectRecovered(
    machine: StoreMachine,
    options: StoreOptions,
    verdict: string,
  ): Promise<void> {
    const test = await machine.openStore(options);
    expect(test.store.report.verdict).to.equal(verdict);
    expect(test.store.report.cutBytes).to.be.greaterThan(0);
    expect(test.store.logEndOffset).to.equal(1);
    expect(await test.get('kept')).to.equal('yes');
    expect(await test.get('last')).to.equal(null);
    await test.commit({ new: 'n' });
    const again = await test.reopen();
    expect(again.store.report.verdict).to.equal('clean');
    expect(await again.get('new')).to.equal('n');
  }

  it('cuts a torn batch and goes on', async () => {
    const { machine } = await damaged((batch) => batch.fill(0, 1024, 2048));
    await expectRecovered(machine, {}, 'torn');
  });

  it('refuses a rotten one, naming file and position, unless the loss is accepted', async () => {
    const { machine, position } = await damaged((batch) => flipped(batch, 700, 2));
    const error = await expectCode(() => machine.openStore(), 'tornTailRefused');
    expect(error.message).to.contain(`.log: position ${position}:`).and.contain('--accept-torn-tail');
    await expectRecovered(machine, { acceptTornTail: true }, 'lossy');
  });

  it('refuses a bad batch with a good one behind it whatever is accepted', async () => {
    const later = batchBytes([{ key: 'later' }], 2);
    const { machine, position } = await damaged((batch) => Buffer.concat([flipped(batch, 700, 2), later]));
    const error = await expectCode(() => machine.openStore({ acceptTornTail: true }), 'corruptSegment');
    expect(error.message).to.contain(`position ${position}:`);
  });

  it('cuts anything bad under a weaker flush mode, and says that it is lossy (R18)', async () => {
    const { machine } = await damaged((batch) => flipped(batch, 700, 2));
    await expectRecovered(machine, { flush: 'os' }, 'lossy');
  });
});
