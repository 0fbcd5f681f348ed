import { join } from 'node:path';
import { readDocument, writeDocument } from '../../env/checked-document.ts';
import type { FileSystem } from '../../env/file-system.ts';
import type { Random } from '../../env/random.ts';
import { TEMPORARY_SUFFIX } from '../../env/replace-file.ts';
import { CaskadeError } from '../../model/errors.ts';
import {
  asIncarnation,
  asLeaderEpoch,
  asPartitionId,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type PartitionId,
  SLOT_COUNT,
} from '../../model/numbers.ts';
import {
  type ClusterFacts,
  NODE_FORMAT,
  type NodeRecord,
  type PartitionRecord,
  readNodeRecord,
  type SlotRange,
  writeNodeRecord,
} from './node-record.ts';

/** What the configuration says this node is. */
export interface NodeExpectation {
  /** Empty: whatever the directory says, or a new one. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly engine: string;
  readonly cluster: Omit<ClusterFacts, 'slots'>;
}

/** One partition as this node is to lead it now. */
export interface LocalPartition {
  readonly id: PartitionId;
  readonly uuid: string;
  readonly leaderEpoch: LeaderEpoch;
  /** False only until the first start of the node is done. */
  readonly mustExist: boolean;
}

const CLEAN_NAME = 'CLEAN';

/**
 * The coordinator of a node alone: cluster id, incarnation and leader epochs are kept in the data directory. `open` raises
 * incarnation and every epoch, durably, before a log is opened: a restarted leader never goes on in the same epoch
 * (PROTOCOL 2.8).
 */
export class LocalCoordinator {
  readonly clusterId: string;
  readonly incarnation: Incarnation;
  readonly partitions: readonly LocalPartition[];
  readonly slots: readonly SlotRange[];
  /** Whether the last shutdown was clean. */
  readonly wasClean: boolean;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  #record: NodeRecord;

  private constructor(fileSystem: FileSystem, directory: string, record: NodeRecord, wasClean: boolean) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.clusterId = record.clusterId;
    this.incarnation = asIncarnation(record.incarnation);
    this.slots = record.cluster.slots;
    this.wasClean = wasClean;
    this.partitions = Object.entries(record.partitions).map(([id, { uuid, leaderEpoch }]) => ({
      id: asPartitionId(Number(id)),
      uuid,
      leaderEpoch: asLeaderEpoch(leaderEpoch),
      mustExist: record.inUse,
    }));
    this.#record = record;
  }

  /** Throws `wrongEngine`, `foreignDirectory` or `configurationInvalid` for a directory that is not what is expected. */
  static async open(
    fileSystem: FileSystem,
    directory: string,
    expected: NodeExpectation,
    random: Random,
  ): Promise<LocalCoordinator> {
    const stored = await readNodeRecord(fileSystem, directory);
    if (stored !== null) compare(stored, expected, directory);
    const record = raised(stored ?? created(expected, random));
    await removeTemporaries(fileSystem, directory);
    const wasClean = await takeCleanMarker(fileSystem, directory, stored?.incarnation ?? 0);
    await writeNodeRecord(fileSystem, directory, record);
    return new LocalCoordinator(fileSystem, directory, record, wasClean);
  }

  /** Every partition has been opened. Called before anything is served; writes only the first time. */
  async markInUse(): Promise<void> {
    if (this.#record.inUse) return;
    this.#record = { ...this.#record, inUse: true };
    await writeNodeRecord(this.#fileSystem, this.#directory, this.#record);
  }

  /** The last write of an orderly shutdown. */
  async markClean(logEndOffsets: Readonly<Record<string, number>>): Promise<void> {
    await writeDocument(this.#fileSystem, join(this.#directory, CLEAN_NAME), {
      format: NODE_FORMAT,
      incarnation: this.incarnation,
      partitions: logEndOffsets,
    });
  }
}

function created(expected: NodeExpectation, random: Random): NodeRecord {
  const partitions: Record<string, PartitionRecord> = {};
  const slots: SlotRange[] = [];
  const count = expected.cluster.partitions;
  for (let id = 0; id < count; id += 1) {
    partitions[id] = { uuid: random.uuid().replaceAll('-', ''), leaderEpoch: 0 };
    slots.push([Math.ceil((id * SLOT_COUNT) / count), Math.ceil(((id + 1) * SLOT_COUNT) / count) - 1, id]);
  }
  return {
    format: NODE_FORMAT,
    clusterId: expected.clusterId === '' ? random.uuid() : expected.clusterId,
    nodeId: expected.nodeId,
    incarnation: 0,
    engine: expected.engine,
    partitions,
    cluster: { ...expected.cluster, slots },
    inUse: false,
  };
}

function raised(record: NodeRecord): NodeRecord {
  const partitions: Record<string, PartitionRecord> = {};
  for (const [id, partition] of Object.entries(record.partitions)) {
    partitions[id] = { ...partition, leaderEpoch: partition.leaderEpoch + 1 };
  }
  return { ...record, incarnation: record.incarnation + 1, partitions };
}

function compare(stored: NodeRecord, expected: NodeExpectation, directory: string): void {
  if (stored.engine !== expected.engine) {
    throw new CaskadeError(
      'wrongEngine',
      `${directory} was created by storage.engine=${stored.engine}, but ${expected.engine} is configured; set storage.engine to ${stored.engine} or choose another data.dir`,
    );
  }
  if (
    stored.nodeId !== expected.nodeId ||
    (expected.clusterId !== '' && expected.clusterId !== stored.clusterId)
  ) {
    throw new CaskadeError(
      'foreignDirectory',
      `${directory} belongs to node ${stored.nodeId} of cluster ${stored.clusterId}, but node.id is ${expected.nodeId} and cluster.id is ${expected.clusterId || 'not set'}; check data.dir, node.id and cluster.id`,
    );
  }
  for (const key of ['partitions', 'replicationFactor', 'minInsync', 'flush'] as const) {
    if (stored.cluster[key] === expected.cluster[key]) continue;
    throw new CaskadeError(
      'configurationInvalid',
      `cluster.${key}: ${expected.cluster[key]} is configured, but the store in ${directory} was created with ${stored.cluster[key]}, and that cannot be changed by configuration; set it to ${stored.cluster[key]}`,
    );
  }
}

/** What a crash left of a document that was being replaced. */
async function removeTemporaries(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const name of await fileSystem.list(directory)) {
    if (name.endsWith(TEMPORARY_SUFFIX)) await fileSystem.unlink(join(directory, name));
  }
}

/** Reads the marker of a clean shutdown and removes it, durably, before anything else happens (KAFKA-10471). */
async function takeCleanMarker(
  fileSystem: FileSystem,
  directory: string,
  lastIncarnation: number,
): Promise<boolean> {
  const path = join(directory, CLEAN_NAME);
  const marker = await readDocument(fileSystem, path, NODE_FORMAT);
  if (marker === null) return false;
  await fileSystem.unlink(path);
  await fileSystem.syncDirectory(directory);
  return marker.incarnation === lastIncarnation;
}
