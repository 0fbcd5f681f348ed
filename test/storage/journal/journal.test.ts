import { expect } from 'chai';
import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { FileHandle } from '../../../src/env/file-system.ts';
import type { Journal, JournalSettings } from '../../../src/storage/journal/journal.ts';
import { openJournal } from '../../../src/storage/journal/open-journal.ts';
import { CollectingLogger } from '../../support/collecting-logger.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { expectCode } from '../../support/store-fixture.ts';

const KiB = 1024;
const ROOT = '/data';
const SETTINGS: JournalSettings = { lapBytes: 64 * KiB, filesMin: 2 };
const A = `${ROOT}/a`;
const B = `${ROOT}/b`;

class Fixture {
  readonly disk = new FaultyFileSystem({ random: new SeededRandom(1) });
  readonly clock = new SimulatedClock();
  readonly logger = new CollectingLogger();
  journal!: Journal;

  static async open(settings = SETTINGS): Promise<Fixture> {
    const fixture = new Fixture();
    await fixture.disk.fileSystem.makeDirectory(ROOT);
    await fixture.disk.fileSystem.syncDirectory('/');
    await fixture.openJournal(settings);
    return fixture;
  }

  async openJournal(settings = SETTINGS): Promise<void> {
    const { clock, logger } = this;
    const doors = { fileSystem: this.disk.fileSystem, clock, logger };
    this.journal = await this.settled(openJournal(ROOT, doors, settings));
    // Zeros are laid.
    await clock.settle();
  }

  /** A file that is there, its name included. */
  async file(path: string): Promise<FileHandle> {
    const file = await this.journal.attach(await this.disk.fileSystem.open(path, 'create'));
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
    const fixture = new Fixture();
    await fixture.disk.fileSystem.makeDirectory(ROOT);
    await fixture.disk.fileSystem.syncDirectory('/');
    fixture.disk.limitBytes(30 * KiB);
    await fixture.openJournal();
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
});
