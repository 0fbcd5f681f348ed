import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseAddress } from '../../src/config/address.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { findProgram } from '../processes/bound-child.ts';
import { SOURCE_ROOT } from '../processes/caskade-program.ts';
import { type Listener, listenerOn } from '../zookeeper/four-letter-word.ts';
import { findZooKeeper, INSTALL_COMMAND, type ZooKeeperInstallation } from '../zookeeper/installation.ts';
import { ZooKeeperProcess } from '../zookeeper/zookeeper-process.ts';

const TICK_MS = 2_000;
const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '::1'];

export type Say = (text: string) => void;

/**
 * Starts a ZooKeeper for the nodes, unless one answers at `servers`; null: one does. Only on this machine, and only where
 * one address was named. Throws CaskadeError `coordinatorUnavailable` or `portTaken`.
 */
export async function startZooKeeperIfNone(
  servers: readonly string[],
  directory: string,
  say: Say,
): Promise<ZooKeeperProcess | null> {
  const shown = servers.join(',');
  const listeners = await Promise.all(servers.map(listenerAt));
  if (listeners.includes('zooKeeper')) {
    say(`ZooKeeper answers on ${shown}`);
    return null;
  }
  if (listeners.includes('another'))
    throw new CaskadeError(
      'portTaken',
      `${shown}: who listens there is not a ZooKeeper; name another with --zookeeper`,
    );
  if (listeners.includes('notServing'))
    throw unavailable(`the ZooKeeper on ${shown} does not serve: an ensemble without a majority, as a rule`);
  const { host, port } = parseAddress(servers[0] ?? '') ?? { host: '', port: 0 };
  if (servers.length !== 1 || !LOOPBACK.includes(host))
    throw unavailable(
      `no ZooKeeper answers on ${shown}, and those of other machines are not started from here`,
    );
  return start(port, directory, say);
}

async function start(port: number, directory: string, say: Say): Promise<ZooKeeperProcess> {
  const settings = {
    directory: resolve(directory),
    clientPort: port,
    tickMs: TICK_MS,
    forceSync: true,
    ensemble: null,
  };
  const server = new ZooKeeperProcess(settings, installationFor(say));
  server.spawn();
  try {
    await server.ready();
  } catch (error) {
    await server.kill();
    throw unavailable((error as Error).message);
  }
  say(`ZooKeeper started on ${server.address} (data in ${directory})`);
  return server;
}

async function listenerAt(server: string): Promise<Listener> {
  const address = parseAddress(server);
  return address === null ? 'nobody' : listenerOn(address.host, address.port);
}

/** What is there; else Debian's package is installed, if that needs no password. */
function installationFor(say: Say): ZooKeeperInstallation {
  const found = findZooKeeper();
  if (found.ok) return found.installation;
  if (!found.isMissing || !mayInstall()) throw unavailable(found.reason);
  say('ZooKeeper or java is missing');
  // It says what it installs on standard error.
  const [script = '', ...words] = INSTALL_COMMAND.split(' ');
  const { status } = spawnSync(resolve(SOURCE_ROOT, script), words, {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const again = findZooKeeper();
  if (status !== 0 || !again.ok) throw unavailable(again.ok ? `${INSTALL_COMMAND} failed` : again.reason);
  return again.installation;
}

function mayInstall(): boolean {
  if (findProgram('apt-get') === null) return false;
  if (process.getuid?.() === 0) return true;
  return findProgram('sudo') !== null && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
}

function unavailable(reason: string): CaskadeError {
  return new CaskadeError('coordinatorUnavailable', reason);
}
