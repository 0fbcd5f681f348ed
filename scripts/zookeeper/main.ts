/**
 * Runs one ZooKeeper server, or an ensemble, on 127.0.0.1 in the foreground until Ctrl-C; keeps its data.
 *
 * Usage: node dist/scripts/zookeeper/main.js [--port 2181] [--data ./data/zookeeper] [--servers 1] [--tick 2000]
 *        [--peer-port PORT]
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PORT_MAX } from '../../src/config/address.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';
import { integerOption, onStopSignals, runScript } from '../processes/run-script.ts';
import type { EnsembleMember, ZooKeeperSettings } from './configuration.ts';
import { findZooKeeper } from './installation.ts';
import { ZooKeeperProcess } from './zookeeper-process.ts';

const USAGE = `Usage: node dist/scripts/zookeeper/main.js [options]

Runs one ZooKeeper server, or an ensemble, on 127.0.0.1 until Ctrl-C. Its data is kept.

  --port PORT       of the first server, default 2181; the others take the next ones
  --data DIR        where its data lies, default ./data/zookeeper; servers of an ensemble in DIR/1, DIR/2, ...
  --servers N       1 (default), 3, 5 or 7
  --tick MS         the unit of its timeouts, default 2000: sessions last between 2 and 20 ticks
  --peer-port PORT  first of the 2 x N ports that servers of an ensemble use among themselves, default PORT + 1000

The jars are those of ZOOKEEPER_HOME, or else of Debian's package (scripts/setup-system.sh zookeeper).
Exit codes: 0 stopped, 2 usage, 6 a server does not serve, or died.
`;

const SERVERS_MAX = 7;

interface Flags {
  readonly port: string;
  readonly data: string;
  readonly servers: string;
  readonly tick: string;
  readonly 'peer-port'?: string;
}

/** One entry for each server. Throws CaskadeError `usage`. */
function settingsOf(flags: Flags): ZooKeeperSettings[] {
  const size = integerOption('servers', flags.servers, 1, SERVERS_MAX);
  const port = integerOption('port', flags.port, 1, PORT_MAX - size);
  const tickMs = integerOption('tick', flags.tick, 50, 60_000);
  const peerPort = integerOption(
    'peer-port',
    flags['peer-port'] ?? String(port + 1000),
    1,
    PORT_MAX - 2 * size,
  );
  const members: EnsembleMember[] = Array.from({ length: size }, (_, index) => ({
    id: index + 1,
    quorumPort: peerPort + 2 * index,
    electionPort: peerPort + 2 * index + 1,
  }));
  const directory = resolve(flags.data);
  return members.map(({ id }) => ({
    directory: size === 1 ? directory : join(directory, String(id)),
    clientPort: port + id - 1,
    tickMs,
    forceSync: true,
    ensemble: size === 1 ? null : { id, members },
  }));
}

async function run(argv: string[]): Promise<number> {
  const flags = readFlags(argv);
  if (flags === null) {
    process.stdout.write(USAGE);
    return ExitCode.ok;
  }
  const found = findZooKeeper();
  if (!found.ok) throw new CaskadeError('coordinatorUnavailable', found.reason);
  const servers = settingsOf(flags).map((settings) => new ZooKeeperProcess(settings, found.installation));
  let isStopping = false;
  const stopped = new Promise<number>((resolved) =>
    onStopSignals(
      () => resolved(ExitCode.ok),
      () => process.exit(ExitCode.interrupted),
    ),
  );
  const died = async (server: ZooKeeperProcess): Promise<number> => {
    await server.ended();
    if (!isStopping)
      console.error(`zookeeper: the server ${server.address} ended by itself; its log is ${server.logPath}`);
    return ExitCode.coordinator;
  };
  try {
    for (const server of servers) server.spawn();
    await Promise.all(servers.map((server) => server.ready()));
    const addresses = servers.map(({ address }) => address).join(',');
    process.stdout.write(`ready: ZooKeeper answers on ${addresses} (data in ${flags.data})\n`);
    return await Promise.race([stopped, ...servers.map(died)]);
  } catch (error) {
    throw new CaskadeError('coordinatorUnavailable', (error as Error).message, { cause: error });
  } finally {
    isStopping = true;
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Null: help was asked for. */
function readFlags(argv: string[]): Flags | null {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        port: { type: 'string', default: '2181' },
        data: { type: 'string', default: './data/zookeeper' },
        servers: { type: 'string', default: '1' },
        tick: { type: 'string', default: '2000' },
        'peer-port': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values.help ? null : values;
  } catch (error) {
    throw new CaskadeError('usage', `${(error as Error).message} (--help says more)`);
  }
}

await runScript('zookeeper', () => run(process.argv.slice(2)));
