import { loadConfig } from '../../src/config/load.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { ForgetfulFileSystem } from '../../src/env/forgetful-file-system.ts';
import { createLogger } from '../../src/env/logger.ts';
import { NodeFileSystem } from '../../src/env/node-file-system.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { startStoreServer } from '../../src/server/store-server.ts';
import { SyncLessFileSystem } from './sync-less-file-system.ts';

/**
 * The server as it is, over a disk that keeps nothing but what was synced: a process of its own, so that `kill -9` is a
 * power cut. With the word `without-sync` first, nothing that is written once it serves is ever synced.
 */
const [mode, ...words] = process.argv.slice(2);
const flags = words.map((word) => {
  const [flag = '', ...value] = word.split('=');
  return { flag, key: flag.slice(2), value: value.join('=') };
});
const { config } = loadConfig({ flags });
const fileSystem = new SyncLessFileSystem(new ForgetfulFileSystem(new NodeFileSystem()));
const doors = {
  fileSystem,
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: createLogger({ level: 'info' }),
};
const stopped = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
const server = await startStoreServer(config, { configFile: '', warnings: [] }, doors, () => {});
if (mode === 'without-sync') fileSystem.lieFromNowOn();
process.stdout.write(`${server.readyLine}\n`);
await stopped;
process.exitCode = await server.stop();
