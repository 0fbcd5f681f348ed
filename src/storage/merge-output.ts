import { join } from 'node:path';
import type { FileHandle } from '../env/file-system.ts';
import { removeIfThere } from '../env/replace-file.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import type { IndexedRecord } from './committed-index.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './format/segment-header.ts';
import { type HintDoors, HintWriter, hintPath } from './hint-file.ts';
import type { LogSettings } from './log-settings.ts';
import { type ManifestSegment, segmentFileName } from './manifest.ts';

const WRITE_BYTES = 1024 * 1024;

/** A finished file of a merge: whole, synced, but not yet part of the log. */
export interface MergedFile {
  readonly entry: ManifestSegment;
  readonly path: string;
}

/**
 * One segment file that a merge writes, with the records that its hint will list. The file has its final name from the
 * start; it joins the log when the manifest names it, and is a leftover until then.
 */
export class MergeOutput {
  readonly base: Offset;
  readonly path: string;
  /** Set when a record in it says anything of producers: the hint then says so. */
  speaksOfProducers = false;
  readonly #doors: HintDoors;
  readonly #generation: number;
  readonly #handle: FileHandle;
  readonly #hint: HintWriter;
  #chunks: Buffer[];
  #pendingBytes = 0;
  #written = 0;
  #length = SEGMENT_HEADER_BYTES;
  #batchCount = 0;

  private constructor(
    doors: HintDoors,
    name: { readonly base: Offset; readonly generation: number },
    path: string,
    handle: FileHandle,
    hint: HintWriter,
    header: Buffer,
  ) {
    this.#doors = doors;
    this.base = name.base;
    this.#generation = name.generation;
    this.path = path;
    this.#handle = handle;
    this.#hint = hint;
    this.#chunks = [header];
  }

  static async create(
    doors: HintDoors,
    settings: LogSettings,
    base: Offset,
    generation: number,
  ): Promise<MergeOutput> {
    const { directory, partitionUuid, directoryId } = settings;
    const path = join(directory, segmentFileName(base, generation));
    const handle = await doors.fileSystem.open(path, 'create');
    const identity = { partitionUuid, directoryId, baseOffset: base, generation };
    const header = encodeSegmentHeader(identity, doors.clock.wallMs());
    const name = { base, generation };
    try {
      return new MergeOutput(doors, name, path, handle, await HintWriter.create(doors, name), header);
    } catch (error) {
      await handle.close();
      await removeIfThere(doors.fileSystem, path);
      throw error;
    }
  }

  /** Where the next batch will begin. */
  get length(): number {
    return this.#length;
  }

  /** Lists a record of the batch that `append` is called with next; its position is the one in this file. */
  async list(record: IndexedRecord): Promise<void> {
    await this.#hint.add(record);
  }

  async append(batch: Buffer): Promise<void> {
    this.#chunks.push(batch);
    this.#batchCount += 1;
    this.#length += batch.length;
    this.#pendingBytes += batch.length;
    if (this.#pendingBytes >= WRITE_BYTES) await this.#flush();
  }

  /** Syncs the data, then the hint (C9). `end`: the offset after the last one that this file stands for. */
  async finish(end: Offset): Promise<MergedFile> {
    await this.#flush();
    await this.#handle.sync();
    await this.#handle.close();
    const { base } = this;
    const generation = this.#generation;
    const length = this.#length;
    const { hashSeed } = this.#doors;
    if (this.speaksOfProducers) await this.#hint.addProducerMark(asOffset(end - 1));
    await this.#hint.finish({ base, generation, segmentLength: length, end, hashSeed }, this.#batchCount);
    return { entry: { base, end, generation, length, state: 'merged' }, path: this.path };
  }

  async abort(): Promise<void> {
    const { fileSystem, directory } = this.#doors;
    try {
      await this.#hint.abort();
    } finally {
      await this.#handle.close();
    }
    await removeIfThere(fileSystem, this.path);
    // The hint has its name before that is durable.
    await removeIfThere(fileSystem, hintPath(directory, { base: this.base, generation: this.#generation }));
  }

  async #flush(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#pendingBytes = 0;
    await this.#handle.writeAt(chunks, this.#written);
    this.#written += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }
}
