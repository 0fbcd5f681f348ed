import type { FileSystem } from '../env/file-system.ts';
import { type PartitionMeta, writePartitionMeta } from './partition-meta.ts';
import { SerialQueue } from './serial-queue.ts';

/** META of an open partition. Changes are written one after the other: each starts from what the one before it wrote. */
export class MetaKeeper {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #writes = new SerialQueue();
  #meta: PartitionMeta;

  constructor(fileSystem: FileSystem, directory: string, meta: PartitionMeta) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#meta = meta;
  }

  /** As it is on the disk. */
  get meta(): PartitionMeta {
    return this.#meta;
  }

  /** Durable when it resolves; `change` is applied when the writes before it are done. */
  async change(change: (meta: PartitionMeta) => PartitionMeta): Promise<void> {
    await this.#writes.run(async () => {
      const meta = change(this.#meta);
      await writePartitionMeta(this.#fileSystem, this.#directory, meta);
      this.#meta = meta;
    });
  }
}
