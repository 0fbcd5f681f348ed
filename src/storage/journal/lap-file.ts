import type { FileHandle } from '../../env/file-system.ts';
import { CaskadeError } from '../../model/errors.ts';
import { layZeros, ZERO_PIECE_BYTES } from '../zero-fill.ts';
import type { JournalDoors } from './journal.ts';

/** Where less than that is left, a piece more is laid. */
const LAID_BYTES_MIN = ZERO_PIECE_BYTES / 2;
/** Where there was no room, or the disk failed, it is tried again after this. */
const RETRY_MS = 10_000;

/**
 * One of the files that laps of the journal are written to in turns. Over zeros, or over an earlier lap, a write changes no metadata
 * of the file, and its sync is half as expensive.
 */
export class LapFile {
  readonly path: string;
  readonly #doors: JournalDoors;
  /** Each is synced by one at a time: the kernel tells a descriptor once of a page that was lost, whoever asks first. */
  readonly #idle: FileHandle[];
  readonly #bytesMax: number;
  /** The lap that is in it, or was; 0: none. */
  lap = 0;
  lapId = '';
  /** Where the next frame goes. */
  position = 0;
  #laidTo: number;
  #laying: Promise<void> | null = null;
  #layAgainAtMs = Number.NEGATIVE_INFINITY;

  constructor(doors: JournalDoors, handle: FileHandle, bytesMax: number, size: number) {
    this.path = handle.path;
    this.#idle = [handle];
    this.#doors = doors;
    this.#bytesMax = bytesMax;
    this.#laidTo = size;
  }

  begin(lap: number, lapId: string): void {
    this.lap = lap;
    this.lapId = lapId;
    this.position = 0;
    this.#layAhead(0);
  }

  /** Before a lap begins in it: its first words are to find room on a full disk, too. */
  prepare(): void {
    this.#layAhead(0);
  }

  get isPrepared(): boolean {
    return this.#laidTo >= Math.min(LAID_BYTES_MIN, this.#bytesMax);
  }

  /** Of a frame of so many bytes: in this lap, and without zeros that have to be laid first. */
  hasRoom(bytes: number): boolean {
    this.#layAhead(this.position);
    return this.position + bytes <= Math.min(this.#laidTo, this.#bytesMax);
  }

  /** The lap is over with a frame of so many bytes; not only for now. */
  isFullFor(bytes: number): boolean {
    return this.position + bytes > this.#bytesMax;
  }

  /** Resolves when the frame is on the disk. Frames may be under way side by side. */
  async write(frame: Uint8Array): Promise<void> {
    const { position } = this;
    this.position = position + frame.length;
    if (this.position > this.#laidTo) {
      this.#laidTo = this.position;
      // Zeros that are on their way would come over it.
      await this.#laying;
    }
    const handle = this.#idle.pop() ?? (await this.#open());
    try {
      await handle.writeAt([frame], position);
      await handle.sync();
    } finally {
      this.#idle.push(handle);
    }
  }

  async close(): Promise<void> {
    await this.#laying;
    for (const handle of this.#idle.splice(0)) await handle.close();
  }

  #open(): Promise<FileHandle> {
    return this.#doors.fileSystem.open(this.path, 'write');
  }

  #layAhead(position: number): void {
    const from = this.#laidTo;
    if (this.#laying !== null || from >= Math.min(position + LAID_BYTES_MIN, this.#bytesMax)) return;
    const target = Math.min(position + ZERO_PIECE_BYTES, this.#bytesMax);
    if (this.#doors.clock.monotonicMs() < this.#layAgainAtMs) return;
    this.#laying = this.#lay(from, target)
      .catch((error: unknown) => this.#notLaid(error))
      .finally(() => {
        this.#laying = null;
      });
  }

  /** Nobody waits for it: until there is room every file is synced by itself. */
  #notLaid(error: unknown): void {
    if (!(error instanceof CaskadeError)) throw error;
    const { clock, logger } = this.#doors;
    this.#layAgainAtMs = clock.monotonicMs() + RETRY_MS;
    const text = 'the journal finds no room: for now every log is synced by itself';
    logger.warn({ component: 'journal', err: error }, text);
  }

  /** With a descriptor of its own: it must not take a report of a lost page that is meant for a frame's sync. */
  async #lay(from: number, target: number): Promise<void> {
    const handle = await this.#open();
    try {
      await layZeros(handle, from, target - from);
      this.#laidTo = Math.max(this.#laidTo, target);
    } catch (error) {
      // The logs need the room more.
      await handle.truncate(from);
      throw error;
    } finally {
      await handle.close();
    }
  }
}
