import { join } from 'node:path';
import { readDocument, writeDocument } from '../../env/checked-document.ts';
import type { FileSystem } from '../../env/file-system.ts';
import { CaskadeError } from '../../model/errors.ts';
import type { Incarnation } from '../../model/numbers.ts';

const NAME = 'CLEAN';
const FORMAT = 1;

/**
 * The marker of a clean shutdown: everything was closed by the life that it names. It goes before the first log is
 * opened, and comes after the last one is closed (KAFKA-10471).
 */
export class CleanMarker {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** True: it stood there, of the last life and no other (KIP-966). It is gone durably when this resolves. */
  async take(lastIncarnation: Incarnation | null): Promise<boolean> {
    const path = join(this.#directory, NAME);
    if (!(await this.#fileSystem.exists(path))) return false;
    const incarnation = await this.#read(path);
    await this.#fileSystem.unlink(path);
    await this.#fileSystem.syncDirectory(this.#directory);
    return incarnation !== null && incarnation === lastIncarnation;
  }

  async leave(incarnation: Incarnation): Promise<void> {
    await writeDocument(this.#fileSystem, join(this.#directory, NAME), { format: FORMAT, incarnation });
  }

  /** One that cannot be read proves nothing. */
  async #read(path: string): Promise<unknown> {
    try {
      return (await readDocument(this.#fileSystem, path, FORMAT))?.incarnation ?? null;
    } catch (error) {
      if (error instanceof CaskadeError && error.code === 'corruptMetadata') return null;
      throw error;
    }
  }
}
