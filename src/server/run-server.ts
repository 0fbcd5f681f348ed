import { ALL_COMMANDS } from '../commands/all-commands.ts';
import { Executor } from '../commands/executor.ts';
import { CommandCounters, type ServerPorts, type ServerStats } from '../commands/ports.ts';
import { CommandTable } from '../commands/table.ts';
import { configEntries } from '../config/describe.ts';
import type { Config } from '../config/table.ts';
import { type Clock, SystemClock } from '../env/clock.ts';
import { type DirectoryLock, lockDirectory } from '../env/directory-lock.ts';
import type { FileSystem } from '../env/file-system.ts';
import { createLogger, type Logger, type LogLevel } from '../env/logger.ts';
import { LoopLag } from '../env/loop-lag.ts';
import { makeDirectoryDurably } from '../env/make-directory.ts';
import { MemoryFileSystem } from '../env/memory-file-system.ts';
import { PrometheusMetrics } from '../env/metrics.ts';
import { NodeFileSystem } from '../env/node-file-system.ts';
import { type Random, SystemRandom } from '../env/random.ts';
import { ExitCode } from '../model/exit-codes.ts';
import { VERSION } from '../model/version.ts';
import { ConnectionRegistry } from '../network/connection-registry.ts';
import { MetricsServer } from '../network/metrics-server.ts';
import { RespServer } from '../network/resp-server.ts';
import { refuseStoredData } from './engine-of-directory.ts';
import { type MetricsParts, registerNodeMetrics } from './node-metrics.ts';
import { Signals } from './signals.ts';
import { StoreNode } from './store-node.ts';

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

const STOP_MS_MAX = 10_000;

/** Runs the server until it is told to stop; returns the exit code. Throws a CaskadeError if it cannot start. */
export async function runServer(config: Config, notes: ServerNotes): Promise<number> {
  const logger = createLogger({ level: logLevel(config.log.level), ...prettiness(config.log.format) });
  for (const warning of notes.warnings) logger.warn({ component: 'config' }, warning);
  warnOfUnused(config, logger);
  const fileSystem = config.storage.engine === 'memory' ? new MemoryFileSystem() : new NodeFileSystem();
  const doors = { fileSystem, clock: new SystemClock(), random: new SystemRandom(), logger };
  const signals = new Signals();
  const server = await startServer(config, notes, doors, () => signals.stop());
  process.stdout.write(`${server.readyLine}\n`);
  await signals.stopped;
  return server.stop();
}

/** Listeners of a cluster may be configured already; they come with it. */
function warnOfUnused(config: Config, logger: Logger): void {
  const ports = { 'resp.clusterPort': config.resp.clusterPort, 'rpc.port': config.rpc.port };
  for (const [key, port] of Object.entries(ports)) {
    if (port !== 0)
      logger.warn({ component: 'config' }, `${key} is ${port}, but this version does not listen there yet`);
  }
}

/** A server that accepts clients. */
export interface RunningServer {
  readonly port: number;
  readonly readyLine: string;
  readonly node: StoreNode;
  stop(): Promise<number>;
}

/** Locks the directory, recovers, listens: in this order, so that a second starter disturbs nothing. */
export async function startServer(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  shutdown: () => void,
): Promise<RunningServer> {
  const startedAtMs = doors.clock.monotonicMs();
  const lock = await lockData(config);
  try {
    const node = await StoreNode.open(config, doors);
    try {
      return await serve(config, notes, doors, shutdown, { node, lock, startedAtMs });
    } catch (error) {
      await node.close();
      throw error;
    }
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

interface Opened {
  readonly node: StoreNode;
  readonly lock: DirectoryLock | null;
  readonly startedAtMs: ServerStats['startedAtMs'];
}

async function serve(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  shutdown: () => void,
  { node, lock, startedAtMs }: Opened,
): Promise<RunningServer> {
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
  const executor = new Executor(table, counters);
  const { host, port, idleTimeoutMs } = config.resp;
  const server = new RespServer(
    { host, port, idleTimeoutMs },
    { executor, router: node.router, ports, registry, clock, logger },
  );
  const metricsServer = await serveMetrics(config, {
    partitions: node.router.partitions,
    store: node,
    registry,
    counters,
    stats,
  });
  try {
    stats.port = await server.listen();
  } catch (error) {
    await metricsServer?.stop();
    throw error;
  }
  loopLag.start();
  logReady(logger, config, node, stats);
  return {
    port: stats.port,
    readyLine: `ready: caskade ${VERSION} answers on ${host}:${stats.port} (${dataPlace(config)}, ${describeRecovery(node, recoveryMs)})`,
    node,
    stop: async () => {
      await metricsServer?.stop();
      return stopServer(server, node, lock, loopLag, logger);
    },
  };
}

/** `GET /metrics`, if it is configured. */
async function serveMetrics(config: Config, parts: MetricsParts): Promise<MetricsServer | null> {
  if (config.metrics.port === 0) return null;
  const metrics = new PrometheusMetrics();
  registerNodeMetrics(metrics, parts);
  const server = new MetricsServer(metrics);
  await server.listen(config.resp.host, config.metrics.port);
  return server;
}

/** Clients are answered first, then everything is written out, then the directory is given free. */
async function stopServer(
  server: RespServer,
  node: StoreNode,
  lock: DirectoryLock | null,
  loopLag: LoopLag,
  logger: Logger,
): Promise<number> {
  logger.info({ component: 'server' }, 'stopping: no more clients, accepted commands are answered');
  const { cutCount } = await server.stop(STOP_MS_MAX);
  if (cutCount > 0)
    logger.warn({ component: 'server', cutCount }, 'clients were cut off before their answer');
  await node.close();
  loopLag.stop();
  await lock?.release();
  const fenced = node.partitions.filter((partition) => partition.isFenced).length;
  logger.info({ component: 'server', fenced }, 'stopped');
  return fenced > 0 ? ExitCode.storage : ExitCode.ok;
}

async function lockData(config: Config): Promise<DirectoryLock | null> {
  if (config.storage.engine === 'memory') {
    await refuseStoredData(new NodeFileSystem(), config.data.dir);
    return null;
  }
  await makeDirectoryDurably(new NodeFileSystem(), config.data.dir);
  return lockDirectory(config.data.dir);
}

/** The port is known only once it is open. */
type OwnStats = Omit<ServerStats, 'port'> & { port: number };

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

function logReady(logger: Logger, config: Config, node: StoreNode, stats: OwnStats): void {
  for (const [index, report] of node.reports.entries()) {
    const partition = node.partitions[index]?.id;
    if (report.verdict === 'lossy') {
      logger.warn(
        { component: 'recovery', partition, ...report },
        'recovered, but the end of the log was given up',
      );
    } else {
      logger.info({ component: 'recovery', partition, ...report }, 'recovered');
    }
  }
  const { clusterId, incarnation, wasClean } = node.coordinator;
  const fields = {
    version: VERSION,
    node: config.node.id,
    clusterId,
    incarnation,
    wasClean,
    port: stats.port,
  };
  logger.info({ component: 'server', ...fields }, 'serving');
}

function dataPlace(config: Config): string {
  return config.storage.engine === 'memory' ? 'data in memory only' : `data in ${config.data.dir}`;
}

function describeRecovery(node: StoreNode, recoveryMs: number): string {
  const keys = node.partitions.reduce((sum, partition) => sum + partition.stats().keyCount, 0);
  return `${keys} keys in ${recoveryMs} ms`;
}

function logLevel(level: Config['log']['level']): LogLevel {
  if (level === 'trace') return 'debug';
  return level === 'fatal' ? 'error' : level;
}

function prettiness(format: Config['log']['format']): { pretty?: boolean } {
  return format === 'auto' ? {} : { pretty: format === 'pretty' };
}
