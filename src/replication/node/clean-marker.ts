import { join } from 'node:path';
import type { FileSystem } from '../../env/file-system.ts';
import { replaceFile } from '../../env/replace-file.ts';

const NAME = 'CLEAN';

/**
 * The marker of a clean shutdown. It says nothing but that everything was closed; so it goes before the first log is opened, and comes after the
 * last one is closed (KAFKA-10471).
 */
export class CleanMarker {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** True: it stood there. It is gone durably when this resolves. */
  async take(): Promise<boolean> {
    const path = join(this.#directory, NAME);
    if (!(await this.#fileSystem.exists(path))) return false;
    await this.#fileSystem.unlink(path);
    await this.#fileSystem.syncDirectory(this.#directory);
    return true;
  }

  async leave(): Promise<void> {
    await replaceFile(this.#fileSystem, join(this.#directory, NAME), new Uint8Array(0));
  }
}
