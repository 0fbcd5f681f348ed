import {
  ZooKeeperCoordinator,
  type ZooKeeperDoors,
  type ZooKeeperSettings,
} from '../../../src/coordination/zookeeper/zookeeper-coordinator.ts';
import { SystemClock } from '../../../src/env/clock.ts';
import { MemoryFileSystem } from '../../../src/env/memory-file-system.ts';
import { type Random, SystemRandom } from '../../../src/env/random.ts';
import { CollectingLogger } from '../../support/collecting-logger.ts';

const DIRECTORY = '/node';
let chroots = 0;

export interface Fixture {
  readonly coordinator: ZooKeeperCoordinator;
  readonly logger: CollectingLogger;
  readonly settings: ZooKeeperSettings;
  readonly doors: ZooKeeperDoors;
  /** Another process on the same data directory. */
  restarted(): ZooKeeperCoordinator;
}

/** A coordinator on real servers, under a chroot of its own unless it is told otherwise. */
export async function zooKeeperFixture(
  servers: readonly string[],
  changed: Partial<ZooKeeperSettings> = {},
  random: Random = new SystemRandom(),
): Promise<Fixture> {
  chroots += 1;
  const settings: ZooKeeperSettings = {
    servers,
    chroot: `/tests/case-${chroots}`,
    sessionTimeoutMs: 2_000,
    auth: '',
    dataDirectory: DIRECTORY,
    ...changed,
  };
  const fileSystem = new MemoryFileSystem();
  await fileSystem.makeDirectory(settings.dataDirectory);
  const logger = new CollectingLogger();
  const doors = { clock: new SystemClock(), random, logger, fileSystem };
  const start = (): ZooKeeperCoordinator => new ZooKeeperCoordinator(settings, doors);
  return { coordinator: start(), logger, settings, doors, restarted: start };
}
