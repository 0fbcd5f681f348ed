import { join } from 'node:path';
import { KeyView, type LeaderPartition } from '../cluster/index.ts';
import { LocalRouter } from '../cluster/local-router.ts';
import type { Config } from '../config/table.ts';
import { LocalCoordinator, type LocalPartition } from '../coordination/local/local-coordinator.ts';
import type { Clock } from '../env/clock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import { makeDirectoryDurably } from '../env/make-directory.ts';
import type { Random } from '../env/random.ts';
import { LIMITS } from '../model/limits.ts';
import { asNodeId } from '../model/numbers.ts';
import { Partition } from '../replication/leader/partition.ts';
import { BlockCache } from '../storage/block-cache.ts';
import { FlushScheduler } from '../storage/flush-scheduler.ts';
import { openPartition } from '../storage/open-partition.ts';
import { PartitionStore } from '../storage/partition-store.ts';
import type { RecoveryReport } from '../storage/recovery.ts';

export interface NodeDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The data side of one node that is alone: its coordinator, its partitions, and the router to them. Under a simulated clock and disk it runs
 * as it does in production.
 */
export class StoreNode {
  readonly coordinator: LocalCoordinator;
  readonly router: LocalRouter;
  readonly partitions: readonly Partition[];
  readonly reports: readonly RecoveryReport[];

  private constructor(
    coordinator: LocalCoordinator,
    partitions: readonly Partition[],
    reports: readonly RecoveryReport[],
  ) {
    this.coordinator = coordinator;
    this.partitions = partitions;
    this.reports = reports;
    this.router = new LocalRouter(partitions as readonly LeaderPartition[], coordinator.slots);
  }

  /** Recovers everything in the data directory, which the caller has locked, and begins the background work. */
  static async open(config: Config, doors: NodeDoors): Promise<StoreNode> {
    const directory = config.data.dir;
    await makeDirectoryDurably(doors.fileSystem, directory);
    const { partitions: count, replicationFactor, minInsync, flush } = config.cluster;
    const coordinator = await LocalCoordinator.open(
      doors.fileSystem,
      directory,
      {
        clusterId: config.cluster.id,
        nodeId: asNodeId(config.node.id),
        engine: config.storage.engine,
        cluster: { partitions: count, replicationFactor, minInsync, flush },
      },
      doors.random,
    );
    const cache = new BlockCache(config.storage.cacheBytesMax);
    const scheduler = new FlushScheduler(doors.clock, LIMITS.concurrentSyncsMax);
    const partitions: Partition[] = [];
    const reports: RecoveryReport[] = [];
    for (const local of coordinator.partitions) {
      const { partition, report } = await lead(local, config, { ...doors, cache, scheduler });
      partitions.push(partition);
      reports.push(report);
    }
    await coordinator.markInUse();
    for (const partition of partitions) partition.start();
    return new StoreNode(coordinator, partitions, reports);
  }

  /** Writes out what was appended and, if every partition is well, the marker of a clean shutdown. */
  async close(): Promise<void> {
    await Promise.all(this.partitions.map((partition) => partition.close()));
    if (this.partitions.some((partition) => partition.isFenced)) return;
    const ends = this.partitions.map((partition) => [partition.id, partition.stats().logEndOffset]);
    await this.coordinator.markClean(Object.fromEntries(ends) as Record<string, number>);
  }
}

type LeadDoors = NodeDoors & { readonly cache: BlockCache; readonly scheduler: FlushScheduler };

/** Opens one partition and becomes its leader: the epoch and its start are durable before anything is served (KAFKA-7415). */
async function lead(
  local: LocalPartition,
  config: Config,
  doors: LeadDoors,
): Promise<{ partition: Partition; report: RecoveryReport }> {
  const nodeId = asNodeId(config.node.id);
  const { flush: flushMode, flushIntervalMs, minInsync } = config.cluster;
  const { engine, segmentBytesMax, acceptTornTail } = config.storage;
  const logger = doors.logger.child({ partition: local.id });
  const opened = await openPartition(
    {
      directory: join(config.data.dir, 'partitions', String(local.id)),
      partition: local.id,
      partitionUuid: local.uuid,
      nodeId,
      engine,
      flush: flushMode,
      segmentBytesMax,
      acceptTornTail,
      mustExist: local.mustExist,
    },
    { ...doors, logger },
  );
  const store = new PartitionStore(opened, { ...doors, logger }, flushMode);
  await store.beginEpoch(local.leaderEpoch);
  // Nobody else has a copy: what is on the disk is committed.
  await store.commitTo(store.durableOffset);
  const { enabled, deadRatioMin, bytesPerSecondMax } = config.merge;
  const maintenance = { enabled, deadRatioMin, bytesPerSecondMax };
  const settings = {
    id: local.id,
    nodeId,
    leaderEpoch: local.leaderEpoch,
    minInsync,
    flushMode,
    flushIntervalMs,
    writeTimeoutMs: config.replication.writeTimeoutMs,
    mergeIntervalMs: config.merge.checkIntervalMs,
  };
  const partition = new Partition({ ...settings, maintenance }, store, { ...doors, logger }, new KeyView());
  return { partition, report: opened.report };
}
