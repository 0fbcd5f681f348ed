import { join } from 'node:path';
import { encodeDocument, readDocument } from '../../env/checked-document.ts';
import type { FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import { replaceFile } from '../../env/replace-file.ts';
import type { SessionIdentity } from './zookeeper-client.ts';

/** In the data directory (docs/FORMATS.md section 7). */
export const SESSION_FILE = 'SESSION';
const SESSION_FORMAT = 1;
const SESSION_ID_BYTES = 8;
const PASSWORD_BYTES = 16;

/**
 * W10: the session that this directory's node had last. Whoever reads the file can end the session: only its owner may.
 * Losing it costs a wait for the old session's end, so no failure here stops anybody.
 */
export class SavedSession {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #logger: Logger;

  constructor(fileSystem: FileSystem, directory: string, logger: Logger) {
    this.#fileSystem = fileSystem;
    this.#path = join(directory, SESSION_FILE);
    this.#logger = logger;
  }

  /** Null: there is none, or none that can be read. */
  async read(): Promise<SessionIdentity | null> {
    try {
      const document = await readDocument(this.#fileSystem, this.#path, SESSION_FORMAT);
      if (document === null) return null;
      const sessionId = bytesOf(document.sessionId);
      const password = bytesOf(document.password);
      if (sessionId.length === SESSION_ID_BYTES && password.length === PASSWORD_BYTES)
        return { sessionId, password };
      this.#logger.warn({ path: this.#path }, 'the saved session is none; it is ignored');
    } catch (error) {
      this.#logger.warn({ err: error }, 'the saved session cannot be read; it is ignored');
    }
    return null;
  }

  async write({ sessionId, password }: SessionIdentity): Promise<void> {
    const document = { format: SESSION_FORMAT, sessionId: textOf(sessionId), password: textOf(password) };
    try {
      await replaceFile(this.#fileSystem, this.#path, encodeDocument(document), undefined, 'owner');
    } catch (error) {
      this.#logger.warn(
        { err: error },
        'the session cannot be saved; a restart may have to wait for its end',
      );
    }
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: unknown): Uint8Array => Buffer.from(typeof text === 'string' ? text : '', 'hex');
