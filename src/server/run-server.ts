import type { Config } from '../config/table.ts';
import { SystemClock } from '../env/clock.ts';
import { createLogger, type Logger, type LogLevel } from '../env/logger.ts';
import { MemoryFileSystem } from '../env/memory-file-system.ts';
import { NodeFileSystem } from '../env/node-file-system.ts';
import { SystemRandom } from '../env/random.ts';
import type { ServerDoors, ServerNotes } from './server-parts.ts';
import { Signals } from './signals.ts';
import { startStoreServer } from './store-server.ts';

/** Runs the server until it is told to stop; returns the exit code. Throws a CaskadeError if it cannot start, or go on. */
export async function runServer(config: Config, notes: ServerNotes): Promise<number> {
  const logger = createLogger({ level: logLevel(config.log.level), ...prettiness(config.log.format) });
  for (const warning of notes.warnings) logger.warn({ component: 'config' }, warning);
  const fileSystem = config.storage.engine === 'memory' ? new MemoryFileSystem() : new NodeFileSystem();
  const doors = { fileSystem, clock: new SystemClock(), random: new SystemRandom(), logger };
  const signals = new Signals();
  return config.coordinator === 'local'
    ? runAlone(config, notes, doors, signals)
    : runMember(config, notes, doors, signals);
}

async function runAlone(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  signals: Signals,
): Promise<number> {
  warnOfUnused(config, doors.logger);
  const server = await startStoreServer(config, notes, doors, () => signals.stop());
  process.stdout.write(`${server.readyLine}\n`);
  await signals.stopped;
  return server.stop();
}

/** A member of a cluster waits for its coordinator as long as it takes, and can be stopped meanwhile. */
async function runMember(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  signals: Signals,
): Promise<number> {
  // Loaded here: a node alone needs neither gRPC nor ZooKeeper's client.
  const { startClusterServer } = await import('./cluster-server.ts');
  const server = await startClusterServer(config, notes, doors, () => signals.stop());
  try {
    await Promise.race([server.joined, signals.stopped, server.failed]);
    if (server.hasJoined) process.stdout.write(`${server.readyLine}\n`);
    await Promise.race([signals.stopped, server.failed]);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server.stop();
}

/** Listeners of a cluster mean nothing to a node alone. */
function warnOfUnused(config: Config, logger: Logger): void {
  const ports = { 'resp.clusterPort': config.resp.clusterPort, 'rpc.port': config.rpc.port };
  for (const [key, port] of Object.entries(ports)) {
    if (port !== 0)
      logger.warn({ component: 'config' }, `${key} is ${port}, but a node alone does not listen there`);
  }
}

function logLevel(level: Config['log']['level']): LogLevel {
  if (level === 'trace') return 'debug';
  return level === 'fatal' ? 'error' : level;
}

function prettiness(format: Config['log']['format']): { pretty?: boolean } {
  return format === 'auto' ? {} : { pretty: format === 'pretty' };
}
