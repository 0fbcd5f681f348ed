import { ALL_COMMANDS } from '../commands/all-commands.ts';
import { CommandCounters, type ServerPorts, type ServerStats } from '../commands/ports.ts';
import { CommandTable } from '../commands/table.ts';
import { configEntries } from '../config/describe.ts';
import type { Config } from '../config/table.ts';
import type { Clock } from '../env/clock.ts';
import { type DirectoryLock, lockDirectory } from '../env/directory-lock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import { LoopLag } from '../env/loop-lag.ts';
import { makeDirectoryDurably } from '../env/make-directory.ts';
import { PrometheusMetrics } from '../env/metrics.ts';
import { NodeFileSystem } from '../env/node-file-system.ts';
import type { Random } from '../env/random.ts';
import { VERSION } from '../model/version.ts';
import { ConnectionRegistry } from '../network/connection-registry.ts';
import { MetricsServer } from '../network/metrics-server.ts';
import { refuseStoredData } from './engine-of-directory.ts';
import { type MetricsParts, registerNodeMetrics } from './node-metrics.ts';

/** Where the configuration came from, for INFO and the log. */
export interface ServerNotes {
  readonly configFile: string;
  readonly warnings: readonly string[];
}

/** What a test may put in the place of the machine's. */
export interface ServerDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A server that accepts clients. */
export interface RunningServer {
  /** Of the plain listener. */
  readonly port: number;
  readonly readyLine: string;
  /** Resolves to the exit code. */
  stop(): Promise<number>;
}

/** Clients have so long to take their last answers. */
export const STOP_MS_MAX = 10_000;

/** The port is known only once it is open. */
export type OwnStats = Omit<ServerStats, 'port'> & { port: number };

/** What stands around the data of a node, whether it is alone or one of a cluster. */
export interface ServerParts {
  readonly stats: OwnStats;
  readonly registry: ConnectionRegistry;
  readonly counters: CommandCounters;
  readonly table: CommandTable;
  readonly ports: ServerPorts;
  readonly loopLag: LoopLag;
}

export interface ServerPartsOptions {
  readonly config: Config;
  readonly notes: ServerNotes;
  readonly doors: ServerDoors;
  readonly startedAtMs: ServerStats['startedAtMs'];
  readonly shutdown: () => void;
}

export function newServerParts({
  config,
  notes,
  doors,
  startedAtMs,
  shutdown,
}: ServerPartsOptions): ServerParts {
  const { clock, logger } = doors;
  const recoveryMs = Math.round(clock.monotonicMs() - startedAtMs);
  const loopLag = new LoopLag();
  const stats = newStats(config, notes, doors, loopLag, startedAtMs, recoveryMs);
  const registry = new ConnectionRegistry(config.resp.clientsMax);
  const counters = new CommandCounters();
  const table = new CommandTable(ALL_COMMANDS);
  const ports: ServerPorts = {
    stats,
    clients: registry,
    config: { entries: () => configEntries(config) },
    counters,
    table,
    valueBytesMax: config.storage.valueBytesMax,
    mergeFailed: (partition, error) =>
      logger.error({ component: 'merge', partition, err: error }, 'a merge by hand failed'),
    shutdown,
  };
  return { stats, registry, counters, table, ports, loopLag };
}

/** `GET /metrics`, if it is configured. */
export async function serveMetrics(config: Config, parts: MetricsParts): Promise<MetricsServer | null> {
  if (config.metrics.port === 0) return null;
  const metrics = new PrometheusMetrics();
  registerNodeMetrics(metrics, parts);
  const server = new MetricsServer(metrics);
  await server.listen(config.resp.host, config.metrics.port);
  return server;
}

export async function lockData(config: Config): Promise<DirectoryLock | null> {
  if (config.storage.engine === 'memory') {
    await refuseStoredData(new NodeFileSystem(), config.data.dir);
    return null;
  }
  await makeDirectoryDurably(new NodeFileSystem(), config.data.dir);
  return lockDirectory(config.data.dir);
}

function newStats(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  loopLag: LoopLag,
  startedAtMs: ServerStats['startedAtMs'],
  recoveryMs: number,
): OwnStats {
  return {
    version: VERSION,
    runId: Buffer.from(doors.random.bytes(20)).toString('hex'),
    processId: process.pid,
    port: config.resp.port,
    executable: process.execPath,
    configFile: notes.configFile,
    dataDirectory: config.data.dir,
    engine: config.storage.engine,
    flushMode: config.cluster.flush,
    startedAtMs,
    startedAtWallMs: doors.clock.wallMs(),
    memory: memoryUse,
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return { user: user / 1e6, system: system / 1e6 };
    },
    loopLagMs: () => loopLag.largestMs(),
    recoveryMs,
  };
}

function memoryUse(): ReturnType<ServerStats['memory']> {
  const { rss, heapUsed, external } = process.memoryUsage();
  const rssPeakBytes = process.resourceUsage().maxRSS * 1024;
  return { rssBytes: rss, heapUsedBytes: heapUsed, externalBytes: external, rssPeakBytes };
}

export function dataPlace(config: Config): string {
  return config.storage.engine === 'memory' ? 'data in memory only' : `data in ${config.data.dir}`;
}
