import { join } from 'node:path';
import { LocalRouter } from '../cluster/local-router.ts';
import type { Config } from '../config/table.ts';
import { LocalCoordinator, type LocalPartition } from '../coordination/local/local-coordinator.ts';
import type { Clock } from '../env/clock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import { makeDirectoryDurably } from '../env/make-directory.ts';
import type { Random } from '../env/random.ts';
import { LIMITS } from '../model/limits.ts';
import { asControllerEpoch, asNodeId, asPartitionVersion, type NodeId } from '../model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../model/partition-state.ts';
import { LONE_HOST } from '../replication/leader/lone-host.ts';
import type { Partition } from '../replication/leader/partition.ts';
import { PartitionLeader } from '../replication/leader/partition-leader.ts';
import { findsRot, Scrubber, type ScrubTarget } from '../replication/node/scrubber.ts';
import { ProducerTable } from '../replication/producers/producer-table.ts';
import { RULES } from '../replication/rules/rules.ts';
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
 * The data side of one node that is alone: its coordinator, its partitions, and the router to them. Under a simulated
 * clock and disk it runs as it does in production.
 */
export class StoreNode {
  readonly coordinator: LocalCoordinator;
  readonly router: LocalRouter;
  readonly partitions: readonly Partition[];
  readonly reports: readonly RecoveryReport[];
  readonly #leaders: readonly PartitionLeader[];
  readonly #stores: readonly PartitionStore[];
  readonly #scrubber: Scrubber;
  readonly #scrub: ScrubState;

  private constructor(
    coordinator: LocalCoordinator,
    led: readonly Led[],
    scrub: ScrubState,
    scrubber: Scrubber,
  ) {
    this.coordinator = coordinator;
    this.#leaders = led.map(({ role }) => role);
    this.partitions = this.#leaders.map((leader) => leader.partition);
    this.#stores = led.map(({ store }) => store);
    this.reports = led.map(({ report }) => report);
    this.#scrub = scrub;
    this.#scrubber = scrubber;
    scrubber.start();
    this.router = new LocalRouter(this.partitions, coordinator.slots);
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
    const scrub: ScrubState = { rotFound: 0, isOver: false };
    const led: Led[] = [];
    for (const local of coordinator.partitions)
      led.push(await lead(local, coordinator, config, { ...doors, cache, scheduler, scrub }));
    await coordinator.markInUse();
    for (const { role } of led) role.start();
    return new StoreNode(coordinator, led, scrub, new Scrubber(doors.clock, config.scrub, () => led));
  }

  /**
   * Committed records that could not be read, by scrub, merge or a reader: nobody else has them. And rounds of scrub
   * that came to their end.
   */
  get scrubStats(): { readonly rotFound: number; readonly rounds: number } {
    return { rotFound: this.#scrub.rotFound, rounds: this.#scrubber.rounds };
  }

  /** What stands behind each of `partitions`. */
  get stores(): readonly PartitionStore[] {
    return this.#stores;
  }

  /** Reads everything committed here once. */
  scrubNow(): Promise<void> {
    return this.#scrubber.runNow();
  }

  /** Writes out what was appended and, if every partition is well, the marker of a clean shutdown. */
  async close(): Promise<void> {
    this.#scrub.isOver = true;
    this.#scrubber.stop();
    await Promise.all(this.#leaders.map((leader) => leader.close()));
    if (this.partitions.some((partition) => partition.isFenced)) return;
    const ends = this.partitions.map((partition) => [partition.id, partition.stats().logEndOffset]);
    await this.coordinator.markClean(Object.fromEntries(ends) as Record<string, number>);
  }
}

/** What all partitions share of scrub. */
interface ScrubState {
  rotFound: number;
  isOver: boolean;
}

type LeadDoors = NodeDoors & {
  readonly cache: BlockCache;
  readonly scheduler: FlushScheduler;
  readonly scrub: ScrubState;
};

interface Led extends ScrubTarget {
  readonly role: PartitionLeader;
  readonly store: PartitionStore;
  readonly report: RecoveryReport;
}

/** Opens one partition and becomes its leader: the epoch and its start are durable before anything is served (KAFKA-7415). */
async function lead(
  local: LocalPartition,
  coordinator: LocalCoordinator,
  config: Config,
  doors: LeadDoors,
): Promise<Led> {
  const nodeId = asNodeId(config.node.id);
  const { engine, segmentBytesMax, cacheBytesMax, acceptTornTail } = config.storage;
  const { flush, flushIntervalMs } = config.cluster;
  const logger = doors.logger.child({ partition: local.id });
  const directory = join(config.data.dir, 'partitions', String(local.id));
  const opened = await openPartition(
    {
      directory,
      partition: local.id,
      partitionUuid: local.uuid,
      nodeId,
      engine,
      flush,
      segmentBytesMax,
      acceptTornTail,
      mustExist: local.mustExist,
      closedCleanly: coordinator.wasClean,
      producers: new ProducerTable(),
    },
    { ...doors, logger },
  );
  const store = new PartitionStore(opened, { ...doors, logger }, flush);
  await store.beginEpoch(local.leaderEpoch);
  // Nobody else has a copy: what is on the disk is committed.
  await store.commitTo(store.durableOffset);
  const { lagMsMax, pollMsMax, writeTimeoutMs } = config.replication;
  const { enabled, deadRatioMin, bytesPerSecondMax, checkIntervalMs } = config.merge;
  const { incarnation } = coordinator;
  const role = new PartitionLeader({
    settings: {
      nodeId,
      directory,
      engine,
      segmentBytesMax,
      cacheBytesMax,
      flushIntervalMs,
      lagMsMax,
      pollMsMax,
      writeTimeoutMs,
      fetchBytesMax: LIMITS.batchBytesTarget,
      mergeIntervalMs: checkIntervalMs,
      maintenance: { enabled, deadRatioMin, bytesPerSecondMax },
    },
    rules: RULES,
    store,
    state: loneState(local, coordinator, nodeId, opened.meta.directoryId),
    view: { facts: loneFacts(coordinator, config), live: new Map([[nodeId, incarnation]]) },
    incarnation,
    host: {
      ...LONE_HOST,
      trouble: (trouble) => {
        if (trouble === 'corrupt') doors.scrub.rotFound += 1;
      },
    },
    versionCheck: LONE_HOST,
    rounds: null,
    ...doors,
    logger,
  });
  const scrub = async (rate: number): Promise<void> => {
    const settings = { bytesPerSecondMax: rate, isCancelled: () => doors.scrub.isOver };
    if (await findsRot(store, settings, { clock: doors.clock, logger })) doors.scrub.rotFound += 1;
  };
  return { role, store, report: opened.report, scrub };
}

/** An ISR of one. */
function loneState(
  local: LocalPartition,
  { incarnation }: LocalCoordinator,
  nodeId: NodeId,
  directoryId: string,
): PartitionState {
  return {
    id: local.id,
    uuid: local.uuid,
    version: asPartitionVersion(0),
    replicas: [nodeId],
    adding: [],
    removing: [],
    leader: nodeId,
    leaderEpoch: local.leaderEpoch,
    isr: [nodeId],
    elr: [],
    incarnations: { [nodeId]: incarnation },
    directoryIds: { [nodeId]: directoryId },
    controllerEpoch: asControllerEpoch(0),
    recovery: 'clean',
  };
}

function loneFacts({ clusterId, slots }: LocalCoordinator, config: Config): ClusterFacts {
  const { replicationFactor, minInsync, flush: flushMode } = config.cluster;
  const { leaseMs: leaseMsMax } = config.replication;
  return { clusterId, version: 0, replicationFactor, minInsync, flushMode, leaseMsMax, slots };
}
