import { expect } from 'chai';
import type { FileSystem } from '../../src/env/file-system.ts';
import type { Offset } from '../../src/model/numbers.ts';
import type { CommitListener, LeaderPartition } from '../../src/replication/leader-partition.ts';
import { BatchScan } from '../../src/storage/batch-scan.ts';
import { BATCH_HEADER_BYTES } from '../../src/storage/format/batch.ts';
import { RecordKind, RecordView } from '../../src/storage/format/record.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { DIRECTORY, StoreMachine, type TestPartition } from '../support/store-fixture.ts';

const WRITERS = 20;
const WRITES_EACH = 30;
const KEYS = 7;

interface Written {
  readonly offset: Offset;
  readonly key: string;
  /** Null: deleted. */
  readonly value: string | null;
}

type Later = (callback: () => void) => void;

/** What a connection does: it writes, waits until that is committed, and goes on some time after it was woken. */
class Writer implements CommitListener {
  readonly #name: string;
  readonly #test: TestPartition;
  readonly #later: Later;
  readonly #random: SeededRandom;
  /** Of all writers, as their calls went in. */
  readonly #journal: Written[];
  #awaited: Offset | null = null;
  #left = WRITES_EACH;

  constructor(name: string, test: TestPartition, random: SeededRandom, journal: Written[], later: Later) {
    this.#name = name;
    this.#test = test;
    this.#random = random;
    this.#journal = journal;
    this.#later = later;
  }

  get isDone(): boolean {
    return this.#left === 0 && this.#awaited === null;
  }

  write(): void {
    const key = `key${this.#random.below(KEYS)}`;
    const value = this.#random.chance(0.3) ? null : `${this.#name} ${this.#left}`;
    const offset = value === null ? this.#test.remove(key) : this.#test.put(key, value);
    this.#journal.push({ offset, key, value });
    this.#test.partition.listen(this);
    this.#awaited = offset;
    this.#left -= 1;
  }

  committed({ highWatermark }: LeaderPartition): void {
    if (this.#awaited === null || this.#awaited >= highWatermark) return;
    this.#awaited = null;
    if (this.#left > 0) this.#later(() => this.write());
  }

  inDoubt(): void {
    throw new Error('nothing fails here');
  }
}

/** Every record of the log, in the order in which it lies there. */
async function logOf(fileSystem: FileSystem): Promise<readonly Written[]> {
  const records: Written[] = [];
  const view = new RecordView();
  const names = (await fileSystem.list(DIRECTORY)).filter((name) => name.endsWith('.log'));
  for (const name of names.sort()) {
    const handle = await fileSystem.open(`${DIRECTORY}/${name}`, 'read');
    for await (const { bytes, start, header } of new BatchScan(handle, await handle.size()).batches()) {
      let at = start + BATCH_HEADER_BYTES;
      for (let count = 0; count < header.count; count += 1, at += view.length) {
        expect(view.decode(bytes, at, bytes.length, true)).to.equal(null);
        const value = bytes.toString('utf8', view.valueStart, view.valueEnd);
        records.push({
          offset: (header.baseOffset + view.offsetDelta) as Offset,
          key: bytes.toString('utf8', view.keyStart, view.keyEnd),
          value: view.kind === RecordKind.tombstone ? null : value,
        });
      }
    }
    await handle.close();
  }
  return records;
}

async function stored(test: TestPartition): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>();
  for (let key = 0; key < KEYS; key += 1) found.set(`key${key}`, await test.get(`key${key}`));
  return found;
}

describe('concurrent writers (6-4)', () => {
  it('many at once, woken in any order: offsets are dense, the log has the order of the calls, and the last call on a key wins', async () => {
    const machine = new StoreMachine({ seed: 64 });
    const { clock, disk, random } = machine;
    const test = await machine.openPartition();
    disk.slow({ writeMs: () => random.fraction() * 2, syncMs: () => random.fraction() * 5 });
    const journal: Written[] = [];
    const later: Later = (callback) => void clock.setTimer(random.fraction() * 6, callback);
    const writers = Array.from(
      { length: WRITERS },
      (_, number) => new Writer(`writer ${number}`, test, random, journal, later),
    );
    for (const writer of writers) writer.write();
    const end = WRITERS * WRITES_EACH;
    let most = 0;
    for (let step = 0; step < 10_000 && test.partition.highWatermark < end; step += 1) {
      most = Math.max(most, journal.length - test.partition.durableOffset);
      await clock.advance(1);
    }
    expect(writers.every(({ isDone }) => isDone)).to.equal(true);
    expect(most, 'many wait for one sync').to.be.greaterThan(WRITERS / 2);
    expect(journal.map(({ offset }) => offset)).to.deep.equal(
      Array.from({ length: end }, (_, offset) => offset),
    );
    const last = new Map(journal.map(({ key, value }) => [key, value]));
    expect(await stored(test)).to.deep.equal(last);
    disk.slow({});
    machine.powerCut();
    expect(await logOf(machine.fileSystem)).to.deep.equal(journal);
    expect(await stored(await machine.openPartition())).to.deep.equal(last);
  });
});
