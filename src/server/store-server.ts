import { Executor } from '../commands/executor.ts';
import type { Config } from '../config/table.ts';
import type { DirectoryLock } from '../env/directory-lock.ts';
import type { Logger } from '../env/logger.ts';
import type { LoopLag } from '../env/loop-lag.ts';
import { ExitCode } from '../model/exit-codes.ts';
import type { MonotonicMillis } from '../model/numbers.ts';
import { VERSION } from '../model/version.ts';
import { RespServer } from '../network/resp-server.ts';
import { refuseMemberData } from './kind-of-directory.ts';
import {
  dataPlace,
  lockData,
  newServerParts,
  type OwnStats,
  type RunningServer,
  type ServerDoors,
  type ServerNotes,
  STOP_MS_MAX,
  serveMetrics,
} from './server-parts.ts';
import { StoreNode } from './store-node.ts';

/** A node alone. */
export interface StoreServer extends RunningServer {
  readonly node: StoreNode;
}

/** Locks the directory, recovers, listens: in this order, so that a second starter disturbs nothing. */
export async function startStoreServer(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  shutdown: () => void,
): Promise<StoreServer> {
  const startedAtMs = doors.clock.monotonicMs();
  const lock = await lockData(config);
  try {
    await refuseMemberData(doors.fileSystem, config.data.dir);
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
  readonly startedAtMs: MonotonicMillis;
}

async function serve(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  shutdown: () => void,
  { node, lock, startedAtMs }: Opened,
): Promise<StoreServer> {
  const { clock, logger } = doors;
  const parts = newServerParts({ config, notes, doors, startedAtMs, shutdown });
  const { stats, registry, counters, table, ports, loopLag } = parts;
  const executor = new Executor(table, counters);
  const { host, port, idleTimeoutMs } = config.resp;
  const server = new RespServer(
    { host, port, idleTimeoutMs },
    { executor, router: node.router, ports, registry, clock, logger },
  );
  const metricsServer = await serveMetrics(config, {
    router: node.router,
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
    readyLine: `ready: caskade ${VERSION} answers on ${host}:${stats.port} (${dataPlace(config)}, ${describeRecovery(node, stats.recoveryMs)})`,
    node,
    stop: async () => {
      await metricsServer?.stop();
      return stopServer(server, node, lock, loopLag, logger);
    },
  };
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

function describeRecovery(node: StoreNode, recoveryMs: number): string {
  const keys = node.partitions.reduce((sum, partition) => sum + partition.stats().keyCount, 0);
  return `${keys} keys in ${recoveryMs} ms`;
}
