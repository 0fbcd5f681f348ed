import { join } from 'node:path';
import { readDocument, writeDocument } from '../env/checked-document.ts';
import type { FileSystem } from '../env/file-system.ts';
import { CaskadeError } from '../model/errors.ts';
import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../model/numbers.ts';

export interface EpochStart {
  readonly epoch: LeaderEpoch;
  readonly startOffset: Offset;
}

/** Where an epoch ends, as a leader tells a follower (PROTOCOL 2.6 step 2). */
export interface EpochEnd {
  readonly epoch: LeaderEpoch;
  readonly endOffset: Offset;
}

const FORMAT = 1;
export const EPOCHS_NAME = 'EPOCHS';

/**
 * The leader epochs of a log and the offset at which each began: a file of its own, because a merged log no longer tells
 * (PROTOCOL C8). Invariant I2: strictly increasing in epoch, not decreasing in offset.
 */
export class EpochCache {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  #entries: EpochStart[];

  private constructor(fileSystem: FileSystem, directory: string, entries: EpochStart[]) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#entries = entries;
  }

  static async open(fileSystem: FileSystem, directory: string): Promise<EpochCache> {
    const path = join(directory, EPOCHS_NAME);
    const document = await readDocument(fileSystem, path, FORMAT);
    const raw = (document?.entries ?? []) as [number, number][];
    const entries = raw.map(([epoch, start]) => ({
      epoch: asLeaderEpoch(epoch),
      startOffset: asOffset(start),
    }));
    for (const [index, entry] of entries.entries()) {
      const before = entries[index - 1];
      if (before !== undefined && !follows(before, entry)) {
        throw new CaskadeError(
          'corruptMetadata',
          `${path}: epoch ${entry.epoch} does not follow ${before.epoch}`,
        );
      }
    }
    return new EpochCache(fileSystem, directory, entries);
  }

  get latest(): EpochStart | undefined {
    return this.#entries.at(-1);
  }

  get entries(): readonly EpochStart[] {
    return this.#entries;
  }

  /** Durable before it returns: a leader persists (epoch, log end) before it acts in that epoch (KAFKA-7415). */
  async begin(epoch: LeaderEpoch, startOffset: Offset): Promise<void> {
    const entry = { epoch, startOffset };
    const { latest } = this;
    if (latest !== undefined && !follows(latest, entry)) {
      throw new CaskadeError(
        'corruptMetadata',
        `leader epoch ${epoch} at offset ${startOffset} does not follow epoch ${latest.epoch} at ${latest.startOffset}`,
      );
    }
    const entries = [...this.#entries, entry];
    await this.#write(entries);
    this.#entries = entries;
  }

  /**
   * Takes over epochs of a leader, durably, before its records are appended behind one of `lastEpoch`; the newest of
   * them has `newestEpoch`. Entries that no record stands for and that do not fit go: they were begun here, or heard
   * of, and came to nothing.
   */
  async assign(
    starts: readonly EpochStart[],
    lastEpoch: LeaderEpoch,
    newestEpoch: LeaderEpoch,
  ): Promise<void> {
    let entries = this.#entries.filter(({ epoch }) => epoch <= newestEpoch);
    for (const start of starts) {
      const isKnown = entries.some(
        (entry) => entry.epoch === start.epoch && entry.startOffset <= start.startOffset,
      );
      if (start.epoch <= lastEpoch || isKnown) continue;
      entries = [...entries.filter((entry) => follows(entry, start)), start];
    }
    const isSame =
      entries.length === this.#entries.length && entries.every((entry, at) => entry === this.#entries[at]);
    if (isSame) return;
    await this.#write(entries);
    this.#entries = entries;
  }

  /** Forgets the epochs that began at or above `offset`, durably; also when the log ends below it (KAFKA-10706). */
  async trimTo(offset: Offset): Promise<void> {
    const entries = this.#entries.filter((entry) => entry.startOffset < offset);
    if (entries.length === this.#entries.length) return;
    await this.#write(entries);
    this.#entries = entries;
  }

  /** Epochs that began at or above `offset` and below `end`. */
  beganIn(offset: Offset, end: Offset): readonly EpochStart[] {
    return this.#entries.filter(({ startOffset }) => startOffset >= offset && startOffset < end);
  }

  /** Epoch of the record below `offset`, also if a merge has taken it; 0: there is none. */
  epochBelow(offset: Offset): LeaderEpoch {
    return this.#entries.findLast((entry) => entry.startOffset < offset)?.epoch ?? asLeaderEpoch(0);
  }

  /** The largest known epoch not above `epoch`, and where it ends: the start of the next one, or the log end. */
  endOf(epoch: LeaderEpoch, logEndOffset: Offset): EpochEnd {
    const first = this.#entries[0];
    if (first === undefined || epoch < first.epoch) {
      return { epoch, endOffset: first?.startOffset ?? logEndOffset };
    }
    const index = this.#entries.findLastIndex((entry) => entry.epoch <= epoch);
    const found = this.#entries[index] as EpochStart;
    return { epoch: found.epoch, endOffset: this.#entries[index + 1]?.startOffset ?? logEndOffset };
  }

  async #write(entries: readonly EpochStart[]): Promise<void> {
    await writeDocument(this.#fileSystem, join(this.#directory, EPOCHS_NAME), {
      format: FORMAT,
      entries: entries.map((entry) => [entry.epoch, entry.startOffset]),
    });
  }
}

function follows(before: EpochStart, entry: EpochStart): boolean {
  return entry.epoch > before.epoch && entry.startOffset >= before.startOffset;
}
