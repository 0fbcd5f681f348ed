import type { FileHandle, FileSystem } from '../../env/file-system.ts';
import { CaskadeError } from '../../model/errors.ts';

const PIECE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(PIECE_BYTES);

/**
 * One of the files that laps of the journal are written to in turns. Over zeros, or over an earlier lap, a write changes no metadata
 * of the file, and its sync is half as expensive.
 */
export class LapFile {
  readonly path: string;
  readonly #fileSystem: FileSystem;
  readonly #handle: FileHandle;
  readonly #bytesMax: number;
  /** The lap that is in it, or was; 0: none. */
  lap = 0;
  /** Where the next frame goes. */
  position = 0;
  #laidTo: number;
  #laying: Promise<void> | null = null;
  /** There was no room, or the disk failed: not tried again before the next lap. */
  #isGivenUp = false;

  constructor(fileSystem: FileSystem, handle: FileHandle, bytesMax: number, size: number) {
    this.path = handle.path;
    this.#fileSystem = fileSystem;
    this.#handle = handle;
    this.#bytesMax = bytesMax;
    this.#laidTo = size;
  }

  begin(lap: number): void {
    this.lap = lap;
    this.position = 0;
    this.#isGivenUp = false;
    this.#layAhead();
  }

  /** Of a frame of so many bytes: in this lap, and without zeros that have to be laid first. */
  hasRoom(bytes: number): boolean {
    this.#layAhead();
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
    await this.#handle.writeAt([frame], position);
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#laying;
    await this.#handle.close();
  }

  #layAhead(): void {
    const from = this.#laidTo;
    const target = Math.min(this.position + PIECE_BYTES, this.#bytesMax);
    if (this.#laying !== null || this.#isGivenUp || target <= from) return;
    this.#laying = this.#lay(from, target)
      // Nobody waits for it: until there is room every file is synced by itself.
      .catch((error: unknown) => {
        if (!(error instanceof CaskadeError)) throw error;
        this.#isGivenUp = true;
      })
      .finally(() => {
        this.#laying = null;
      });
  }

  /** With a descriptor of its own: it must not take a report of a lost page that is meant for a frame's sync. */
  async #lay(from: number, target: number): Promise<void> {
    const handle = await this.#fileSystem.open(this.path, 'write');
    try {
      await handle.writeAt([ZEROS.subarray(0, target - from)], from);
      await handle.sync();
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
