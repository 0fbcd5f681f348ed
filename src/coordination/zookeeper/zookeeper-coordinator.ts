import type { Clock } from '../../env/clock.ts';
import type { FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import type { CoordinatorFactory, SessionState } from '../coordinator.ts';
import { LibraryClient } from './library-client.ts';
import { SavedSession } from './saved-session.ts';
import { parseServers } from './server-rotation.ts';
import { endSession } from './session-fence.ts';
import type { SessionSettings } from './session-link.ts';
import type { ClientFactory, SessionIdentity } from './zookeeper-client.ts';
import { ZooKeeperSession } from './zookeeper-session.ts';

export interface ZooKeeperSettings {
  /** `HOST:PORT`, IPv6 in brackets; at least one. */
  readonly servers: readonly string[];
  /** All nodes lie under this path; made where it is missing. Empty or `/`: none. */
  readonly chroot: string;
  /** T, as asked for: the server grants between 2 and 20 of its ticks. */
  readonly sessionTimeoutMs: number;
  /** `USER:PASSWORD` of the digest scheme: then nobody else may touch what lies under the chroot. Empty: none. */
  readonly auth: string;
  /** Where the session is kept for the next start; it must exist. */
  readonly dataDirectory: string;
}

export interface ZooKeeperDoors {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly fileSystem: FileSystem;
}

/** A start, or a new life, waits at most so long for the end of the session before. */
const FENCE_MS_MAX = 2_000;

/**
 * The coordinator by a ZooKeeper ensemble. Its first session ends the one that the process before left behind (W10), so
 * that a restart does not wait for an expiry; and so does one that follows a session given up without a server's word.
 */
export class ZooKeeperCoordinator implements CoordinatorFactory {
  readonly #settings: SessionSettings;
  readonly #doors: ZooKeeperDoors;
  readonly #createClient: ClientFactory;
  readonly #saved: SavedSession;
  #session: ZooKeeperSession | null = null;

  /** Throws `configurationInvalid` for a server that is none. */
  constructor(settings: ZooKeeperSettings, doors: ZooKeeperDoors, createClient?: ClientFactory) {
    const { chroot, sessionTimeoutMs, auth } = settings;
    const servers = parseServers(settings.servers);
    this.#settings = { servers, chroot: chroot.replace(/\/+$/, ''), sessionTimeoutMs, auth };
    this.#doors = doors;
    this.#createClient = createClient ?? ((options, events) => new LibraryClient(options, doors, events));
    this.#saved = new SavedSession(doors.fileSystem, settings.dataDirectory, doors.logger);
  }

  /** Of the session opened last; null: none was. */
  get sessionState(): SessionState | null {
    return this.#session?.state ?? null;
  }

  /** The session opened last, with what can be told of it: its id, its server, its timeout. */
  get session(): ZooKeeperSession | null {
    return this.#session;
  }

  open(): ZooKeeperSession {
    const earlier = this.#session === null ? this.#saved.read() : Promise.resolve(this.#session.abandoned);
    const { clock, random, logger } = this.#doors;
    const save = (identity: SessionIdentity): Promise<void> => this.#saved.write(identity);
    const doors = { clock, random, logger, createClient: this.#createClient, save };
    this.#session = new ZooKeeperSession(this.#settings, doors, this.#end(earlier));
    return this.#session;
  }

  async #end(earlier: Promise<SessionIdentity | null>): Promise<void> {
    const identity = await earlier;
    if (identity === null) return;
    const { clock, logger } = this.#doors;
    const { sessionTimeoutMs } = this.#settings;
    const result = await endSession(identity, {
      createClient: this.#createClient,
      clock,
      client: this.#settings,
      msMax: Math.min(FENCE_MS_MAX, sessionTimeoutMs),
    });
    const text = 'the session before this one was looked for, so that nothing of it stands in the way';
    logger.info({ component: 'zookeeper', result }, text);
  }
}
