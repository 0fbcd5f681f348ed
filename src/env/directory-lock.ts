import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { CaskadeError } from '../model/errors.ts';
import { diskError, errnoName } from './disk-errors.ts';

/**
 * One process per data directory (PROTOCOL R24).
 *
 * Each starter listens on a pathname socket of its own in the directory, `LOCK.<pid>.<random>`, and holds the lock when
 * it then sees no other socket there that answers. The rules:
 *
 * 1. A socket appears under a name that others look for only when it listens already (it is bound as `LOCK-new...` and
 *    renamed). So a refused connection means a dead owner, for certain, and never one that is about to listen.
 * 2. A name is never used twice. So removing a dead one cannot hit a live one, however many starters do it at once:
 *    no second lock has to guard the replacing of a stale lock.
 * 3. A starter looks for others after it has appeared itself. Of two, the later to appear sees the earlier. So two never
 *    both see nobody: at most one holds the lock.
 * 4. Two starters that see each other: the one with the greater name gives up, the other looks again until it is gone.
 *    A holder, or whoever listens and does not say what it is, is always given way to. One that closed a question
 *    without an answer is leaving (or out of descriptors): it is asked again.
 *
 * Liveness is the kernel's word: `kill -9` leaves only a name that refuses. The sockets are reached through the
 * descriptor of the directory, since a socket's address has room for 107 bytes only. Processes on different machines
 * that share a directory over a network do not see each other.
 */
export interface DirectoryLock {
  /** Gives the directory free. */
  release(): Promise<void>;
}

type State = 'starting' | 'holding';

interface Owner {
  readonly pid: string;
  /** `silent`: listens but does not answer. `closed`: took the question and closed, as one that leaves does. */
  readonly state: State | 'silent' | 'closed';
}

const NAME = /^LOCK\.(\d+)\.[0-9a-f]+$/;
const UNPUBLISHED_PREFIX = 'LOCK-new.';
/** How long an owner has to say who it is; one that does not is taken for a holder that is busy. */
const ANSWER_MS_MAX = 2_000;
/** How often, and how many times, a starter looks again for one that has to give way. */
const LOOK_AGAIN_MS = 10;
const LOOKS_MAX = 500;
const ANSWER_BYTES_MAX = 100;
const PUBLISH_ATTEMPTS_MAX = 3;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Throws `directoryLocked`, naming the directory and the holder's pid, when another process holds it. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const candidate = await Candidate.publish(directory);
  try {
    await candidate.win();
    return candidate;
  } catch (error) {
    await candidate.release();
    throw error;
  }
}

class Candidate implements DirectoryLock {
  readonly #directory: string;
  readonly #handle: fs.FileHandle;
  readonly #name: string;
  readonly #server: Server;
  #state: State = 'starting';
  #released = false;

  private constructor(directory: string, handle: fs.FileHandle, name: string) {
    this.#directory = directory;
    this.#handle = handle;
    this.#name = name;
    this.#server = createServer((socket) => {
      // Who asks and goes away without the answer is no matter of ours; closing at once lets none linger.
      socket.on('error', () => socket.destroy());
      socket.end(`${process.pid} ${this.#state}\n`, () => socket.destroy());
    });
    // The lock lives as long as the process does; it must not be what keeps it alive.
    this.#server.unref();
  }

  static async publish(directory: string): Promise<Candidate> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await Candidate.#publishOnce(directory);
      } catch (error) {
        // A holder that tidied up took the unpublished name for a dead one; it will be seen at the next attempt.
        if (attempt >= PUBLISH_ATTEMPTS_MAX || errnoName(error) !== 'ENOENT') {
          throw diskError('lock the directory', directory, error);
        }
      }
    }
  }

  static async #publishOnce(directory: string): Promise<Candidate> {
    const handle = await fs.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    const suffix = `${process.pid}.${randomBytes(8).toString('hex')}`;
    const candidate = new Candidate(directory, handle, `LOCK.${suffix}`);
    try {
      await candidate.#listen(`${UNPUBLISHED_PREFIX}${suffix}`);
    } catch (error) {
      await candidate.release();
      throw error;
    }
    return candidate;
  }

  /** Returns when this process holds the lock. */
  async win(): Promise<void> {
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const rivals = await this.#rivals();
      if (rivals === 0) {
        await this.#checkPublished();
        this.#state = 'holding';
        await this.#removeUnpublished();
        return;
      }
      await pause(LOOK_AGAIN_MS);
    }
    throw new CaskadeError(
      'directoryLocked',
      `the data directory ${this.#directory} is being locked by another process that does not finish; stop it`,
    );
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    await this.#remove(this.#name);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#handle.close();
  }

  async #listen(unpublishedName: string): Promise<void> {
    const { promise, resolve, reject } = deferred();
    this.#server.once('error', reject);
    this.#server.listen(this.#path(unpublishedName), resolve);
    await promise;
    this.#server.removeListener('error', reject);
    // An error of accept (no descriptors left) ends one question, not the lock.
    this.#server.on('error', () => {});
    await fs.rename(this.#path(unpublishedName), this.#path(this.#name));
  }

  /** Number of others that are leaving or have to give way to this one. Throws when this one has to. */
  async #rivals(): Promise<number> {
    let rivals = 0;
    for (const name of await fs.readdir(this.#path('.'))) {
      if (name === this.#name || !NAME.test(name)) continue;
      const owner = await this.#ask(name);
      if (owner === undefined) await this.#remove(name);
      else if (owner.state === 'closed' || (owner.state === 'starting' && this.#name < name)) rivals += 1;
      else throw this.#heldBy(owner.pid);
    }
    return rivals;
  }

  /** Undefined when nobody listens there any more. */
  #ask(name: string): Promise<Owner | undefined> {
    return new Promise((resolve) => {
      const pid = NAME.exec(name)?.[1] ?? 'unknown';
      const socket = createConnection(this.#path(name));
      let answer = '';
      const finish = (owner: Owner | undefined): void => {
        socket.destroy();
        resolve(owner);
      };
      const read = (): Owner => {
        const [, saidPid, state] = /^(\d+) (starting|holding)\n/.exec(answer) ?? [];
        if (saidPid === undefined) return { pid, state: 'closed' };
        return { pid: saidPid, state: state === 'starting' ? 'starting' : 'holding' };
      };
      socket.setEncoding('utf8');
      socket.setTimeout(ANSWER_MS_MAX, () => finish({ pid, state: 'silent' }));
      socket.on('data', (text: string) => {
        answer += text;
        if (answer.length > ANSWER_BYTES_MAX) finish(read());
      });
      socket.on('end', () => finish(read()));
      socket.on('error', (error) => {
        const errno = errnoName(error);
        // Only these two prove that nobody is there; any other failure to ask is no proof.
        if (errno === 'ECONNREFUSED' || errno === 'ENOENT') finish(undefined);
        else finish({ pid, state: errno === 'ECONNRESET' || errno === 'EPIPE' ? 'closed' : 'silent' });
      });
    });
  }

  #heldBy(pid: string): CaskadeError {
    return new CaskadeError(
      'directoryLocked',
      `the data directory ${this.#directory} is in use by process ${pid}; stop that process or use another directory`,
    );
  }

  /** Somebody who cleans the directory by hand may have removed the name: then others do not see this process. */
  async #checkPublished(): Promise<void> {
    await fs.stat(this.#path(this.#name)).catch((error: unknown) => {
      throw diskError('lock the directory', this.#directory, error);
    });
  }

  /** What a process killed between bind and rename left behind. */
  async #removeUnpublished(): Promise<void> {
    for (const name of await fs.readdir(this.#path('.'))) {
      if (name.startsWith(UNPUBLISHED_PREFIX) && (await this.#ask(name)) === undefined)
        await this.#remove(name);
    }
  }

  async #remove(name: string): Promise<void> {
    await fs.rm(this.#path(name), { force: true });
  }

  #path(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (reason: Error) => void } {
  let resolve: () => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
