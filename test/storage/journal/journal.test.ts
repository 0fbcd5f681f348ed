import { expect } from 'chai';
import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { FileHandle, FileSystem } from '../../../src/env/file-system.ts';
import { encodeFrame } from '../../../src/storage/journal/frame.ts';
import type { Journal, JournalSettings } from '../../../src/storage/journal/journal.ts';
import { openJournal } from '../../../src/storage/journal/open-journal.ts';
import { CollectingLogger } from '../../support/collecting-logger.ts';
import { forwarding, withHandles } from '../../support/dropping-file-system.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { expectCode } from '../../support/store-fixture.ts';

const KiB = 1024;
const ROOT = '/data';
const SETTINGS: JournalSettings = { lapBytes: 64 * KiB, filesMin: 2 };
const A = `${ROOT}/a`;
const B = `${ROOT}/b`;
const C = `${ROOT}/c`;
const D = `${ROOT}/d`;

type OnSync = (handle: FileHandle, sync: () => Promise<void>) => Promise<void>;

/** The same, with every sync of a handle by the hands of `onSync`. */
function watchedSyncs(fileSystem: FileSystem, onSync: OnSync): FileSystem {
  return withHandles(fileSystem, (handle) => ({
    ...forwarding(handle),
    path: handle.path,
    sync: () => onSync(handle, () => handle.sync()),
  }));
}

class Fixture {
  readonly clock = new SimulatedClock();
  readonly disk = new FaultyFileSystem({ random: new SeededRandom(1), clock: this.clock });
  readonly logger = new CollectingLogger();
  journal!: Journal;
  onSync: OnSync = (_handle, sync) => sync();

  /** `bytesMax`: all that the disk holds. */
  static async open(settings = SETTINGS, bytesMax = Number.POSITIVE_INFINITY): Promise<Fixture> {
    const fixture = new Fixture();
    await fixture.disk.fileSystem.makeDirectory(ROOT);
    await fixture.disk.fileSystem.syncDirectory('/');
    fixture.disk.limitBytes(bytesMax);
    await fixture.openJournal(settings);
    return fixture;
  }

  async openJournal(settings = SETTINGS): Promise<void> {
    const { clock, logger } = this;
    const fileSystem = watchedSyncs(this.disk.fileSystem, (handle, sync) => this.onSync(handle, sync));
    const doors = { fileSystem, clock, random: new SeededRandom(2), logger };
    this.journal = await this.settled(openJournal(ROOT, doors, settings));
    // Zeros are laid.
    await clock.settle();
  }

  /** A file that is there, its name included. */
  async file(path: string): Promise<FileHandle> {
    const file = await this.journal.attach(await this.disk.fileSystem.open(path, 'create'), true);
    await this.settled(file.sync());
    await this.disk.fileSystem.syncDirectory(ROOT);
    return file;
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    await Promise.all([this.clock.settle(), promise.catch(() => {})]);
    return promise;
  }

  async append(files: readonly FileHandle[], position: number, text: string): Promise<void> {
    const appends = files.map(async (file) => {
      await file.writeAt([Buffer.from(text)], position);
      await file.sync();
    });
    await this.settled(Promise.all(appends));
  }

  async nextLife(): Promise<void> {
    this.disk.crashAndRestart({ policy: 'loseAll' });
    await this.openJournal();
  }

  text(path: string): string {
    return Buffer.from(this.disk.contentOf(path) ?? []).toString();
  }

  /** How often a descriptor of the journal was synced by two at a time, from now on. */
  overlaps(): () => number {
    let count = 0;
    const running = new Set<FileHandle>();
    this.onSync = async (handle, sync) => {
      if (running.has(handle)) count += 1;
      running.add(handle);
      await sync();
      running.delete(handle);
    };
    return () => count;
  }

  /** Files that were synced since this was asked last, by their names. */
  syncs(): string[] {
    const names = this.disk.trace.operations
      .slice(this.#seen)
      .filter(({ kind }) => kind === 'sync')
      .map(({ path }) => path.slice(ROOT.length + 1));
    this.#seen = this.disk.trace.operations.length;
    return names;
  }

  #seen = 0;
}

describe('the journal of a node', () => {
  it('does with one sync for files that are to be synced in one turn, and a start finds in them what it has', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)];
    fixture.syncs();
    await fixture.append(files, 0, 'first ');
    await fixture.append(files, 6, 'second');
    expect(fixture.syncs()).to.deep.equal(['journal/a.journal', 'journal/a.journal']);
    await fixture.nextLife();
    expect([fixture.text(A), fixture.text(B)]).to.deep.equal(['first second', 'first second']);
    expect(fixture.journal.counts.filesMended).to.equal(2);
    await fixture.nextLife();
    expect(fixture.journal.counts.filesMended).to.equal(0);
  });

  it('leaves alone who is alone: its file is synced', async () => {
    const fixture = await Fixture.open();
    const file = await fixture.file(A);
    fixture.syncs();
    await fixture.append([file], 0, 'alone');
    expect(fixture.syncs()).to.deep.equal(['a']);
    expect(fixture.journal.counts).to.include({ journaled: 0 });
  });

  it('does not take what is much: that would be written twice', async () => {
    const fixture = await Fixture.open({ lapBytes: 1024 * KiB, filesMin: 1 });
    const files = [await fixture.file(A), await fixture.file(B)];
    fixture.syncs();
    await fixture.append(files, 0, 'x'.repeat(65 * KiB));
    expect(fixture.syncs()).to.have.members(['a', 'b']);
    await fixture.append(files, 65 * KiB, 'y');
    expect(fixture.syncs()).to.deep.equal(['journal/a.journal']);
  });

  it('syncs the files themselves when a lap is over, and those that a start would write to no more', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)];
    let written = 0;
    while (fixture.journal.counts.laps < 2) {
      await fixture.append(files, written, 'x'.repeat(3000));
      written += 3000;
    }
    expect(fixture.syncs()).to.include.members(['a', 'b', 'journal/a.journal', 'journal/b.journal']);
    await fixture.nextLife();
    expect(fixture.text(A)).to.equal('x'.repeat(written));
    expect(fixture.text(B)).to.equal('x'.repeat(written));
  });

  it('says before a file is cut that it speaks of it no longer', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)] as const;
    await fixture.append(files, 0, 'first second');
    await fixture.settled(files[0].truncate(6));
    await fixture.settled(files[0].sync());
    await fixture.nextLife();
    expect([fixture.text(A), fixture.text(B)]).to.deep.equal(['first ', 'first second']);
  });

  it('leaves nothing to a start that follows a stop', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)];
    await fixture.append(files, 0, 'text');
    for (const file of files) await fixture.settled(file.close());
    await fixture.settled(fixture.journal.close());
    await fixture.nextLife();
    expect(fixture.journal.counts.filesMended).to.equal(0);
    expect([fixture.text(A), fixture.text(B)]).to.deep.equal(['text', 'text']);
  });

  it('where its disk fails syncs the files themselves, and goes on doing so', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)];
    fixture.disk.arm({ operation: 'sync', path: '/journal/' });
    await fixture.append(files, 0, 'first ');
    await fixture.append(files, 6, 'second');
    expect(fixture.logger.events.filter(({ level }) => level === 'error')).to.have.length(1);
    expect(fixture.journal.counts.frames).to.equal(1);
    await fixture.nextLife();
    expect([fixture.text(A), fixture.text(B)]).to.deep.equal(['first second', 'first second']);
  });

  it('on a full disk does without, and nobody fails', async () => {
    const fixture = await Fixture.open(SETTINGS, 30 * KiB);
    const files = [await fixture.file(A), await fixture.file(B)];
    await fixture.append(files, 0, 'text');
    expect(fixture.journal.counts.journaled).to.equal(0);
    expect(fixture.text(A)).to.equal('text');
  });

  it('R19: a start refuses one that lacks what was on the disk, and says what to do', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)];
    await fixture.append(files, 0, 'first ');
    await fixture.append(files, 6, 'second');
    fixture.disk.crashAndRestart({ policy: 'loseAll' });
    fixture.disk.flipBit(`${ROOT}/journal/a.journal`, 4096 + 50, 1);
    const error = await expectCode(() => fixture.openJournal(), 'corruptMetadata');
    expect(error.message).to.match(/^\/data\/journal: .*start it with an empty data directory/);
  });

  it('passes over files that are gone', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)];
    await fixture.append(files, 0, 'text');
    await fixture.disk.fileSystem.unlink(A);
    await fixture.disk.fileSystem.syncDirectory(ROOT);
    await fixture.nextLife();
    expect(fixture.disk.contentOf(A)).to.equal(null);
    expect(fixture.text(B)).to.equal('text');
  });

  it('wakes who waits for the disk when only words were under way', async () => {
    const fixture = await Fixture.open();
    const files = [
      await fixture.file(A),
      await fixture.file(B),
      await fixture.file(C),
      await fixture.file(D),
    ];
    await fixture.append(files, 0, 'text');
    const [last, ...others] = files as [FileHandle, ...FileHandle[]];
    fixture.disk.slow({ syncMs: 20 });
    const closes = Promise.all(others.map((file) => file.close()));
    await fixture.clock.advance(30);
    await last.writeAt([Buffer.from('more')], 4);
    const sync = last.sync();
    await fixture.clock.advance(100);
    await fixture.clock.until(Promise.all([closes, sync]));
  });

  describe('keeps what it has of a log that could not be synced', () => {
    /** Fills the lap, or all that follows if it never ends, without the file. */
    async function endLap(fixture: Fixture, others: readonly FileHandle[]): Promise<void> {
      for (let position = 100; position < 100_000; position += 3000)
        await fixture.append(others, position, 'x'.repeat(3000));
    }

    async function begun(): Promise<[Fixture, FileHandle, FileHandle[]]> {
      const fixture = await Fixture.open();
      const files = [await fixture.file(A), await fixture.file(B), await fixture.file(C)];
      await fixture.append(files, 0, 'acknowledged');
      const [file, ...others] = files as [FileHandle, ...FileHandle[]];
      return [fixture, file, others];
    }

    it('where its own sync has failed', async () => {
      const [fixture, file, others] = await begun();
      fixture.disk.arm({ operation: 'sync', path: A });
      await expectCode(() => fixture.append([file], 12, 'more'), 'syncFailed');
      await endLap(fixture, others);
      await fixture.nextLife();
      expect(fixture.text(A).slice(0, 12)).to.equal('acknowledged');
    });

    it('where another descriptor took the first report of it, as that of the zeros may', async () => {
      const [fixture, file, others] = await begun();
      const zeros = await fixture.disk.fileSystem.open(A, 'write');
      await zeros.writeAt([Buffer.alloc(100)], 500);
      fixture.disk.arm({ operation: 'sync', path: A });
      await expectCode(() => zeros.sync(), 'syncFailed');
      await endLap(fixture, others);
      await expectCode(() => fixture.append([file], 12, 'more'), 'syncFailed');
      await fixture.nextLife();
      expect(fixture.text(A).slice(0, 12)).to.equal('acknowledged');
    });

    it('where it was closed without, and says at the end that a start needs it', async () => {
      const [fixture, file, others] = await begun();
      fixture.disk.arm({ operation: 'sync', path: A });
      await fixture.settled(file.close());
      for (const other of others) await fixture.settled(other.close());
      expect(await fixture.settled(fixture.journal.close())).to.equal(false);
      await fixture.nextLife();
      expect(fixture.text(A)).to.equal('acknowledged');
    });
  });

  it('lets the other logs be cut, closed and opened where one of them could not be synced', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B), await fixture.file(C)];
    await fixture.append(files, 0, 'acknowledged');
    const [failed, ...others] = files as [FileHandle, FileHandle, FileHandle];
    fixture.disk.arm({ operation: 'sync', path: A });
    await fixture.settled(failed.close());
    for (let position = 12; position < 100_000; position += 3000)
      await fixture.append(others, position, 'x'.repeat(3000));
    expect(fixture.journal.counts.laps).to.equal(0);
    await fixture.settled(others[0].truncate(12));
    await fixture.settled(others[0].close());
    const again = await fixture.disk.fileSystem.open(B, 'write');
    await fixture.settled(fixture.journal.attach(again, false));
    const text = 'a log cannot be synced: the journal keeps what it has of it, and the next start needs that';
    expect(fixture.logger.events.filter((event) => event.text === text)).to.have.length(1);
    // Gone, and there is another one of that name.
    await fixture.disk.fileSystem.unlink(A);
    const fresh = await fixture.file(A);
    await fixture.clock.advance(11_000);
    for (let position = 0; position < 100_000; position += 3000)
      await fixture.append([fresh], position, 'y'.repeat(3000));
    for (let position = 100_000; position < 200_000; position += 3000)
      await fixture.append([fresh, others[1]], position, 'y'.repeat(3000));
    expect(fixture.journal.counts.laps).to.be.greaterThan(0);
  });

  it('syncs none of its descriptors twice at a time: who comes second could take the report of the first', async () => {
    const fixture = await Fixture.open({ lapBytes: 256 * KiB, filesMin: 1 });
    const files = await Promise.all([A, B, C, D].map((path) => fixture.file(path)));
    fixture.disk.slow({ syncMs: 10 });
    const syncs = files.map(async (file, index) => {
      await fixture.clock.sleep(index * 2);
      await file.writeAt([Buffer.from('text')], 0);
      await file.sync();
    });
    const overlaps = fixture.overlaps();
    await fixture.clock.advance(100);
    await Promise.all(syncs);
    expect(overlaps()).to.equal(0);
    expect(fixture.journal.counts.frames).to.be.greaterThan(2);
  });

  it('lays zeros in pieces, not for every frame', async () => {
    const fixture = await Fixture.open({ lapBytes: 8192 * KiB, filesMin: 2 });
    const files = [await fixture.file(A), await fixture.file(B)];
    fixture.syncs();
    for (let round = 0; round < 100; round += 1) await fixture.append(files, round * 4, 'text');
    expect(fixture.syncs().filter((path) => path.startsWith('journal/'))).to.have.length(100);
  });

  it('that has failed does not keep logs from being cut', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)] as const;
    await fixture.append(files, 0, 'first second');
    fixture.disk.arm({ operation: 'sync', path: '/journal/' });
    await fixture.append(files, 12, ' third');
    await fixture.settled(files[0].truncate(6));
    await fixture.settled(files[0].sync());
    expect(await fixture.settled(fixture.journal.close())).to.equal(true);
    await fixture.nextLife();
    expect([fixture.text(A), fixture.text(B)]).to.deep.equal(['first ', 'first second third']);
    expect(await fixture.disk.fileSystem.list(ROOT)).to.have.members(['a', 'b', 'journal']);
  });

  it('on a disk that became full does without, and logs are cut, closed and made all the same', async () => {
    const fixture = await Fixture.open();
    const files = [await fixture.file(A), await fixture.file(B)] as const;
    for (const file of files) await fixture.append([file], 0, '0'.repeat(400_000));
    fixture.disk.limitBytes(fixture.disk.bytesUsed);
    for (const file of files) await fixture.settled(file.truncate(0));
    for (let position = 0; position < 90_000; position += 3000)
      await fixture.append(files, position, 'x'.repeat(3000));
    await fixture.settled(files[0].truncate(3000));
    await fixture.settled(files[1].close());
    await fixture.disk.fileSystem.unlink(B);
    await fixture.file(B);
  });

  it('goes on when there is room again', async () => {
    const fixture = await Fixture.open(SETTINGS, 30 * KiB);
    const files = [await fixture.file(A), await fixture.file(B)];
    fixture.disk.limitBytes(Number.POSITIVE_INFINITY);
    await fixture.append(files, 0, 'text');
    expect(fixture.journal.counts.journaled).to.equal(0);
    await fixture.clock.advance(11_000);
    await fixture.append(files, 4, 'text');
    await fixture.append(files, 8, 'text');
    expect(fixture.journal.counts.journaled).to.be.greaterThan(0);
    expect(fixture.logger.events.some(({ text }) => text.includes('finds no room'))).to.equal(true);
  });

  it('never writes outside of the data directory', async () => {
    const fixture = await Fixture.open();
    fixture.disk.crashAndRestart({ policy: 'loseAll' });
    const header = { lap: 9, lapId: '0'.repeat(32), sequence: 90, durableSequence: 0 };
    const chunks = [Buffer.from('text')];
    for (const path of ['../victim', '/victim', 'x/../../victim']) {
      const frame = encodeFrame(header, [
        { kind: 'oldestLap', lap: 9, nextLapId: '1'.repeat(32) },
        { kind: 'bytes', path, position: 0, chunks },
      ]);
      fixture.disk.restore(`${ROOT}/journal/a.journal`, frame);
      await expectCode(() => fixture.openJournal(), 'corruptMetadata');
    }
  });
});
