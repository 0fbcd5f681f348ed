import { join, relative } from 'node:path';
import type { FileSystem } from '../../env/file-system.ts';
import { makeDirectoryDurably } from '../../env/make-directory.ts';
import { removeDirectoryOfFiles } from '../../env/remove-directory.ts';
import { readWholeFile } from '../../env/replace-file.ts';
import { CaskadeError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { type BytesRecord, encodeFrame, newLapId } from './frame.ts';
import { JOURNAL, Journal, type JournalDoors, type JournalSettings } from './journal.ts';
import { type FileWrites, type FoundLap, type JournalEnd, scanJournal } from './journal-scan.ts';
import { LapFile } from './lap-file.ts';

const DIRECTORY_NAME = 'journal';
/** What was given up, until the next start. */
const DISCARDED_NAME = 'journal.discarded';
const FILE_NAMES = ['a.journal', 'b.journal'] as const;

/**
 * Opens the journal of a node, or makes it: writes to the logs what they may lack after a crash, and begins anew. To be done
 * before any log is opened. Throws a CaskadeError, `corruptMetadata` where it lacks something that was acknowledged.
 */
export async function openJournal(
  directory: string,
  doors: JournalDoors,
  { lapBytes, filesMin }: JournalSettings = JOURNAL,
): Promise<Journal> {
  const { fileSystem } = doors;
  await removeDiscarded(directory, fileSystem);
  const folder = join(directory, DIRECTORY_NAME);
  await makeDirectoryDurably(fileSystem, folder);
  const found: FoundLap[] = [];
  for (const path of FILE_NAMES.map((name) => join(folder, name))) {
    found.push({ path, bytes: await bytesOf(fileSystem, path) });
  }
  const { writes, end, damage, nextLap, nextSequence } = scanJournal(found);
  if (damage !== null) throw damaged(folder, damage);
  const filesMended = await new Replay(directory, doors).run(writes);
  const lapId = newLapId(doors.random);
  if (end !== null) await endLap(fileSystem, end, nextSequence, lapId);
  const laps: LapFile[] = [];
  try {
    for (const { path } of found) laps.push(await lapFile(doors, path, lapBytes));
    await fileSystem.syncDirectory(folder);
    const [a, b] = laps as [LapFile, LapFile];
    const journal = new Journal(doors, {
      directory,
      // Never into the newest: until the next lap has begun, its word is the one that counts.
      laps: end?.path === a.path ? [b, a] : [a, b],
      nextLap,
      lapId,
      nextSequence: nextSequence + 1,
      filesMin,
      filesMended,
      discard: () => discard(directory, fileSystem),
    });
    await journal.begin();
    return journal;
  } catch (error) {
    for (const lap of laps) await lap.close();
    throw error;
  }
}

/** By one rename: a start finds all of it, or nothing. */
async function discard(directory: string, fileSystem: FileSystem): Promise<void> {
  await fileSystem.rename(join(directory, DIRECTORY_NAME), join(directory, DISCARDED_NAME));
  await fileSystem.syncDirectory(directory);
}

async function removeDiscarded(directory: string, fileSystem: FileSystem): Promise<void> {
  const folder = join(directory, DISCARDED_NAME);
  if (await fileSystem.exists(folder)) await removeDirectoryOfFiles(fileSystem, folder);
}

function damaged(folder: string, damage: string): CaskadeError {
  const text = `${folder}: ${damage}: writes that this node has acknowledged may be missing here; start it with an empty data directory, and the other replicas fill it`;
  return new CaskadeError('corruptMetadata', text);
}

async function bytesOf(fileSystem: FileSystem, path: string): Promise<Buffer> {
  if (!(await fileSystem.exists(path))) return Buffer.alloc(0);
  const { buffer, byteOffset, length } = await readWholeFile(fileSystem, path, LIMITS.journalFileBytesMax);
  return Buffer.from(buffer, byteOffset, length);
}

async function lapFile(doors: JournalDoors, path: string, lapBytes: number): Promise<LapFile> {
  const { fileSystem } = doors;
  const handle = await fileSystem.open(path, (await fileSystem.exists(path)) ? 'write' : 'create');
  return new LapFile(doors, handle, lapBytes, await handle.size());
}

/** Said where the lap ends, before the other file is used again: whatever a crash leaves of that one, nothing is written twice. */
async function endLap(
  fileSystem: FileSystem,
  end: JournalEnd,
  sequence: number,
  nextLapId: string,
): Promise<void> {
  const header = { lap: end.lap, lapId: end.lapId, sequence, durableSequence: 0 };
  const frame = encodeFrame(header, [{ kind: 'oldestLap', lap: end.lap + 1, nextLapId }]);
  await writeDurably(fileSystem, end.path, [{ position: end.position, chunks: [frame] }]);
}

/** Into a file that is there. */
async function writeDurably(
  fileSystem: FileSystem,
  path: string,
  writes: readonly Pick<BytesRecord, 'position' | 'chunks'>[],
): Promise<void> {
  const handle = await fileSystem.open(path, 'write');
  try {
    for (const { chunks, position } of writes) await handle.writeAt(chunks, position);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes to the logs what they may lack. */
class Replay {
  readonly #directory: string;
  readonly #doors: JournalDoors;

  constructor(directory: string, doors: JournalDoors) {
    this.#directory = directory;
    this.#doors = doors;
  }

  /** Of how many files. */
  async run(writes: FileWrites): Promise<number> {
    let files = 0;
    for (const [name, records] of writes) {
      const path = this.#pathOf(name);
      // One that was removed meanwhile: by a merge, or as a replica that is not kept here any more.
      if (!(await this.#doors.fileSystem.exists(path))) continue;
      await writeDurably(this.#doors.fileSystem, path, records);
      files += 1;
    }
    if (files === 0) return 0;
    const text = 'what a crash may have kept from the logs was written to them from the journal';
    this.#doors.logger.info({ component: 'journal', files }, text);
    return files;
  }

  /** No name of ours leads elsewhere. */
  #pathOf(name: string): string {
    const path = join(this.#directory, name);
    if (relative(this.#directory, path) === name && !name.startsWith('..')) return path;
    throw damaged(join(this.#directory, DIRECTORY_NAME), `it names ${JSON.stringify(name)}`);
  }
}
