import type { FileHandle, FileSystem } from '../env/file-system.ts';
import { CaskadeError } from '../model/errors.ts';
import type { LogSettings } from './log-settings.ts';

/** The most that is laid at a time. */
export const ZERO_PIECE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(ZERO_PIECE_BYTES);

/** Writes so many zeros, one piece or less, durably. */
export async function layZeros(handle: FileHandle, from: number, bytes: number): Promise<void> {
  await handle.writeAt([ZEROS.subarray(0, bytes)], from);
  await handle.sync();
}

/**
 * Keeps zeros ahead of the tail of one segment file. Overwriting them changes no metadata, so a flush is half as expensive; a
 * full disk is met here, before anything is appended; and a torn write leaves zeros that tell (R19).
 *
 * It has a descriptor of its own: the kernel reports a lost page once per open file, so a sync here on the log's descriptor
 * could take the report that the flush of a batch, running at the same moment, had to get.
 */
export class ZeroFill {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #aheadBytes: number;
  readonly #fileBytesMax: number;
  #zeroedTo: number;
  #handle: FileHandle | null = null;
  #running: Promise<void> | null = null;

  constructor(
    fileSystem: FileSystem,
    path: string,
    settings: Pick<LogSettings, 'preallocationBytes' | 'segmentBytesMax'>,
    zeroedTo: number,
  ) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.#aheadBytes = settings.preallocationBytes;
    this.#fileBytesMax = settings.segmentBytesMax;
    this.#zeroedTo = zeroedTo;
  }

  /** Resolves when `bytes` at `tail` overwrite zeros; rejects with the disk's error, `diskFull` above all. */
  async reserve(tail: number, bytes: number): Promise<void> {
    if (this.#aheadBytes === 0 || tail + bytes <= this.#zeroedTo) return;
    await this.settle();
    if (tail + bytes > this.#zeroedTo) await this.#extendTo(tail + bytes);
  }

  /** Starts laying more zeros in the background when less than half is left. */
  keepAhead(tail: number): void {
    if (this.#running !== null || this.#zeroedTo - tail >= this.#aheadBytes / 2) return;
    const target = Math.min(tail + this.#aheadBytes, this.#fileBytesMax);
    if (target <= this.#zeroedTo) return;
    this.#running = this.#extendTo(target)
      // A failure here costs nothing yet: whoever needs the room meets it again in `reserve`, and reports it.
      .catch((error: unknown) => {
        if (!(error instanceof CaskadeError)) throw error;
      })
      .finally(() => {
        this.#running = null;
      });
  }

  async settle(): Promise<void> {
    await this.#running;
  }

  async close(): Promise<void> {
    await this.settle();
    await this.#handle?.close();
    this.#handle = null;
  }

  async #extendTo(target: number): Promise<void> {
    this.#handle ??= await this.#fileSystem.open(this.#path, 'write');
    while (this.#zeroedTo < target) {
      const bytes = Math.min(ZERO_PIECE_BYTES, target - this.#zeroedTo);
      await layZeros(this.#handle, this.#zeroedTo, bytes);
      this.#zeroedTo += bytes;
    }
  }
}
