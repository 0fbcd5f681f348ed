import { type Clock, SystemClock } from '../../src/env/clock.ts';
import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import type { FileHandle, FileSystem } from '../../src/env/file-system.ts';
import { SystemRandom } from '../../src/env/random.ts';
import type { Journal, JournalSettings } from '../../src/storage/journal/journal.ts';
import { openJournal } from '../../src/storage/journal/open-journal.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { SeededRandom } from './seeded-random.ts';

export const ROOT = '/data';
const NAMES = ['0/log', '1/log', '2/log'] as const;

type Change =
  | { readonly kind: 'append'; readonly bytes: Buffer }
  | { readonly kind: 'cut'; readonly length: number }
  | { readonly kind: 'replace'; readonly bytes: Buffer };

/** A file as its writer knows it: what a sync has answered for, and what it is about to become. */
interface ModelFile {
  readonly name: string;
  content: Buffer;
  change: Change | null;
}

export type Wrap = (fileSystem: FileSystem) => FileSystem;

export interface WorkloadOptions {
  readonly wrap?: Wrap;
  readonly clock?: Clock;
  /** Of changes, a new file in the place of an old one. */
  readonly replaceShare?: number;
}

const pathOf = (name: string): string => `${ROOT}/${name}`;

/** Several logs of one node over a disk that may crash, with what each must hold afterwards. */
export class JournalWorkload {
  readonly disk: FaultyFileSystem;
  readonly #random: SeededRandom;
  readonly #settings: JournalSettings;
  readonly #clock: Clock;
  readonly #wrap: Wrap;
  readonly #replaceShare: number;
  readonly #files: readonly ModelFile[];
  readonly #handles = new Map<string, FileHandle>();
  readonly logger = new CollectingLogger();
  journal: Journal | null = null;

  constructor(seed: number, settings: JournalSettings, options: WorkloadOptions = {}) {
    this.#random = new SeededRandom(seed);
    this.#clock = options.clock ?? new SystemClock();
    const random = new SeededRandom(seed + 1);
    this.disk = new FaultyFileSystem({ random, clock: this.#clock, isTraced: false });
    this.#settings = settings;
    this.#wrap = options.wrap ?? ((fileSystem) => fileSystem);
    this.#replaceShare = options.replaceShare ?? 0.1;
    this.#files = NAMES.map((name) => ({ name, content: Buffer.alloc(0), change: null }));
  }

  get #fileSystem(): FileSystem {
    return this.#wrap(this.disk.fileSystem);
  }

  /** An empty file of each name, all on the disk. */
  async prepare(): Promise<void> {
    const { fileSystem } = this.disk;
    await fileSystem.makeDirectory(ROOT);
    await fileSystem.syncDirectory('/');
    await this.openJournal();
    for (const { name } of this.#files) {
      const directory = pathOf(name.slice(0, 1));
      await fileSystem.makeDirectory(directory);
      await fileSystem.syncDirectory(ROOT);
      await this.#open(name, 'create');
      await fileSystem.syncDirectory(directory);
    }
  }

  async openJournal(): Promise<void> {
    const doors = {
      fileSystem: this.#fileSystem,
      clock: this.#clock,
      random: new SystemRandom(),
      logger: this.logger,
    };
    this.journal = await openJournal(ROOT, doors, this.#settings);
  }

  /** So many rounds, in each of which some of the files are changed side by side. */
  async run(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      const files = this.#files.filter(() => this.#random.chance(0.7));
      const changes = files.map((file) => this.#nextChange(file));
      await Promise.all(files.map((file, index) => this.#apply(file, changes[index] as Change)));
    }
  }

  /** A violation, in words; null: everything that was answered is there, and nothing that was taken away. */
  async violation(): Promise<string | null> {
    for (const file of this.#files) {
      const actual = this.disk.contentOf(pathOf(file.name));
      const bytes = actual === null ? null : Buffer.from(actual);
      const isRight = isAllowed(file, bytes);
      if (!isRight)
        return `${file.name}: ${bytes?.length ?? 'no'} bytes, ${file.content.length} were answered, under way: ${file.change?.kind ?? 'nothing'}`;
    }
    return null;
  }

  async #open(name: string, mode: 'write' | 'create'): Promise<void> {
    const handle = await this.#fileSystem.open(pathOf(name), mode);
    this.#handles.set(name, await (this.journal as Journal).attach(handle, mode === 'create'));
  }

  #nextChange({ content }: ModelFile): Change {
    const random = this.#random;
    const bytes = Buffer.alloc(1 + random.below(random.chance(0.03) ? 80_000 : 3_000));
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = 1 + random.below(255);
    if (random.chance(this.#replaceShare)) return { kind: 'replace', bytes };
    if (random.chance(0.15)) return { kind: 'cut', length: random.below(content.length + 1) };
    return { kind: 'append', bytes };
  }

  async #apply(file: ModelFile, change: Change): Promise<void> {
    file.change = change;
    const { name, content } = file;
    switch (change.kind) {
      case 'append':
        await this.#handle(name).writeAt([change.bytes], content.length);
        await this.#handle(name).sync();
        file.content = Buffer.concat([content, change.bytes]);
        break;
      case 'cut':
        await this.#handle(name).truncate(change.length);
        await this.#handle(name).sync();
        file.content = content.subarray(0, change.length);
        break;
      case 'replace':
        await this.#replace(name, change.bytes);
        file.content = change.bytes;
        break;
    }
    file.change = null;
  }

  async #replace(name: string, bytes: Buffer): Promise<void> {
    const fileSystem = this.#fileSystem;
    await this.#handle(name).close();
    await fileSystem.unlink(pathOf(name));
    await this.#open(name, 'create');
    await this.#handle(name).writeAt([bytes], 0);
    await this.#handle(name).sync();
    await fileSystem.syncDirectory(pathOf(name.slice(0, 1)));
  }

  #handle(name: string): FileHandle {
    return this.#handles.get(name) as FileHandle;
  }
}

function isAllowed({ content, change }: ModelFile, actual: Buffer | null): boolean {
  if (actual === null) return change?.kind === 'replace';
  if (actual.equals(content)) return true;
  switch (change?.kind) {
    case 'append':
      return startsWith(actual, content) && isPartOf(actual.subarray(content.length), change.bytes);
    case 'cut':
      return startsWith(actual, content.subarray(0, change.length)) && actual.length <= content.length;
    case 'replace':
      return isPartOf(actual, change.bytes);
    default:
      return false;
  }
}

const startsWith = (bytes: Buffer, begin: Buffer): boolean => bytes.subarray(0, begin.length).equals(begin);

/** What a crash may leave of bytes that were being written: each, or a zero, and not more of them. */
function isPartOf(actual: Buffer, whole: Buffer): boolean {
  if (actual.length > whole.length) return false;
  return actual.every((byte, at) => byte === 0 || byte === whole[at]);
}
