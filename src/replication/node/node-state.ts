import { join } from 'node:path';
import { readDocument, writeDocument } from '../../env/checked-document.ts';
import type { Clock } from '../../env/clock.ts';
import type { FileSystem } from '../../env/file-system.ts';
import { CaskadeError, invariant } from '../../model/errors.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asPartitionId,
  asPartitionVersion,
  type ControllerEpoch,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type PartitionId,
  type PartitionVersion,
} from '../../model/numbers.ts';
import type { FlushMode } from '../../storage/partition-meta.ts';

/** What a node must never forget about one partition. */
export interface PartitionRecord {
  /** Name of the replica's directory under partitions/; null: nothing of it is held here any more. */
  readonly directory: string | null;
  readonly uuid: string;
  /** Highest leader epoch seen (L6, I1). Kept when the replica is gone: an old leader must not be followed again (4.3-5). */
  readonly leaderEpochMax: LeaderEpoch;
  /** Highest partition version acknowledged under in that epoch (R17). */
  readonly versionMax: PartitionVersion;
}

interface Content {
  readonly format: number;
  /** Absent: this directory has not been part of a cluster yet. */
  readonly clusterId?: string;
  readonly nodeId?: number;
  /** A random word that tells this data directory from all others. Absent: it was made by an earlier version. */
  readonly directory?: string;
  readonly incarnation: number;
  readonly controllerEpochMax: number;
  readonly promiseMsMax: number;
  readonly flushMode: FlushMode;
  readonly partitions: Readonly<Record<string, PartitionRecord>>;
}

const FORMAT = 1;
export const NODE_STATE_NAME = 'STATE';

/**
 * What one node has to remember over its deaths, as one checked document that is replaced as a whole (ADR 4). A change
 * shows in memory at once, so that nobody acts on less than the newest; the promise of the call resolves when it is
 * durable. One replacement runs at a time, and all changes that come meanwhile share the next one.
 *
 * Invariant I1: incarnation, controller epoch, leader epochs, versions within an epoch and the longest promise never decrease.
 */
export class NodeState {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  /** The life before this process; null: there was none. */
  readonly lastIncarnation: Incarnation | null;
  #content: Content;
  /** Counts changes in memory; those up to `#durable` are on disk. */
  #changes = 0;
  #durable = 0;
  #running: Promise<void> = Promise.resolve();
  #runningCovers = 0;
  #next: Promise<void> | null = null;

  private constructor(fileSystem: FileSystem, path: string, content: Content) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.lastIncarnation = content.incarnation === 0 ? null : asIncarnation(content.incarnation);
    this.#content = content;
  }

  /**
   * Reads the document and begins a new life under a new incarnation, which is durable when this resolves: the wall
   * clock in milliseconds in a new directory, else the last one plus one. Throws `corruptMetadata` when the document is
   * unreadable, or missing beside replicas; `foreignDirectory` when it is another node's.
   */
  static async open(
    fileSystem: FileSystem,
    directory: string,
    clock: Clock,
    nodeId?: NodeId,
    newDirectory = '',
  ): Promise<NodeState> {
    const path = join(directory, NODE_STATE_NAME);
    const stored = (await readDocument(fileSystem, path, FORMAT)) as Content | null;
    const owner = stored?.nodeId;
    if (owner !== undefined && nodeId !== undefined && owner !== nodeId) {
      const text = `${directory} belongs to node ${owner}, but node.id is ${nodeId}; check data.dir and node.id`;
      throw new CaskadeError('foreignDirectory', text);
    }
    if (stored === null && (await fileSystem.exists(join(directory, 'partitions')))) {
      throw new CaskadeError(
        'corruptMetadata',
        `${path} is missing, but ${join(directory, 'partitions')} is there; restore ${NODE_STATE_NAME} from a backup, or empty the directory`,
      );
    }
    const content = stored ?? emptyContent();
    const isNamed = content.directory !== undefined || newDirectory === '';
    const state = new NodeState(
      fileSystem,
      path,
      isNamed ? content : { ...content, directory: newDirectory },
    );
    const twice = heldTwice(Object.values(state.#content.partitions));
    if (twice !== null)
      throw new CaskadeError('corruptMetadata', `${path}: ${twice} (I8); restore it from a backup`);
    const first = Math.max(1, Math.floor(clock.wallMs()));
    await state.raiseIncarnation(asIncarnation(stored === null ? first : stored.incarnation + 1));
    return state;
  }

  get incarnation(): Incarnation {
    return asIncarnation(this.#content.incarnation);
  }

  /** A random word for this data directory; empty: it has none. */
  get directory(): string {
    return this.#content.directory ?? '';
  }

  /** The cluster that this directory belongs to; empty: none yet. */
  get clusterId(): string {
    return this.#content.clusterId ?? '';
  }

  get controllerEpochMax(): ControllerEpoch {
    return asControllerEpoch(this.#content.controllerEpochMax);
  }

  /** The longest lease this node ever granted to anybody; 0: none (R20). */
  get promiseMsMax(): number {
    return this.#content.promiseMsMax;
  }

  /** The cluster's mode as last heard (R2): what replicas are opened under before anybody can be asked. */
  get flushMode(): FlushMode {
    return this.#content.flushMode;
  }

  get partitionIds(): readonly PartitionId[] {
    return Object.keys(this.#content.partitions).map((id) => asPartitionId(Number(id)));
  }

  partition(id: PartitionId): PartitionRecord | undefined {
    return this.#content.partitions[id];
  }

  /** For ever: a directory belongs to one cluster. */
  joinCluster(clusterId: string, nodeId: NodeId): Promise<void> {
    invariant(this.clusterId === '' || this.clusterId === clusterId, 'a directory changed its cluster');
    return this.clusterId === clusterId ? this.settled() : this.#change({ clusterId, nodeId });
  }

  raiseIncarnation(incarnation: Incarnation): Promise<void> {
    return this.#raise('incarnation', incarnation);
  }

  raiseControllerEpoch(epoch: ControllerEpoch): Promise<void> {
    return this.#raise('controllerEpochMax', epoch);
  }

  raisePromise(promiseMs: number): Promise<void> {
    return this.#raise('promiseMsMax', promiseMs);
  }

  setFlushMode(flushMode: FlushMode): Promise<void> {
    return flushMode === this.#content.flushMode ? this.settled() : this.#change({ flushMode });
  }

  /**
   * Epoch and version of a partition that is placed already. Within an epoch the version never goes back; a newer epoch
   * brings its own, which is lower only where the coordinator lost writes and the controller elected over all replicas
   * (R17).
   */
  raisePartition(id: PartitionId, leaderEpoch: LeaderEpoch, version: PartitionVersion): Promise<void> {
    const known = this.partition(id);
    if (known === undefined || leaderEpoch < known.leaderEpochMax) return this.settled();
    const isNewEpoch = leaderEpoch > known.leaderEpochMax;
    if (!isNewEpoch && version <= known.versionMax) return this.settled();
    const record = { ...known, leaderEpochMax: leaderEpoch, versionMax: version };
    return this.#change({ partitions: this.#with(id, record) });
  }

  /**
   * Names the directory that holds the replica from now on; null: none does. The one replacement of the document that
   * swaps in a rebuild (C6). A partition made anew under another uuid starts from nothing.
   */
  placePartition(id: PartitionId, uuid: string, directory: string | null): Promise<void> {
    const known = this.partition(id);
    const others = this.partitionIds.filter((other) => other !== id).map((other) => this.partition(other));
    const twice = heldTwice([...others.filter((other) => other !== undefined), { uuid, directory }]);
    invariant(twice === null, `partition ${id}: ${twice} (I8)`);
    const kept = known?.uuid === uuid ? known : NOTHING_SEEN;
    return this.#change({ partitions: this.#with(id, { ...kept, uuid, directory }) });
  }

  /** Resolves when everything changed so far is durable; rejects with the disk's error if it could not be made so. */
  settled(): Promise<void> {
    if (this.#durable === this.#changes) return Promise.resolve();
    if (this.#runningCovers === this.#changes) return this.#running;
    // A microtask later, so that all changes of one turn go out together even when nothing is being written.
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #with(id: PartitionId, record: PartitionRecord): Record<string, PartitionRecord> {
    return { ...this.#content.partitions, [id]: record };
  }

  #raise(field: 'incarnation' | 'controllerEpochMax' | 'promiseMsMax', value: number): Promise<void> {
    if (value <= this.#content[field]) return this.settled();
    return this.#change({ [field]: value });
  }

  #change(fields: Partial<Content>): Promise<void> {
    this.#content = { ...this.#content, ...fields };
    this.#changes += 1;
    return this.settled();
  }

  #begin(): Promise<void> {
    this.#next = null;
    this.#runningCovers = this.#changes;
    this.#running = this.#write(this.#changes);
    return this.#running;
  }

  async #write(covers: number): Promise<void> {
    try {
      await writeDocument(this.#fileSystem, this.#path, { ...this.#content });
      this.#durable = covers;
    } finally {
      // After a failure the next call tries again instead of handing out the old failure.
      this.#runningCovers = 0;
    }
  }
}

const NOTHING_SEEN = {
  leaderEpochMax: asLeaderEpoch(0),
  versionMax: asPartitionVersion(-1),
};

/** I8: one directory for each partition, and none for two. Null: so it is. */
function heldTwice(records: readonly Pick<PartitionRecord, 'uuid' | 'directory'>[]): string | null {
  const held = records.filter(({ directory }) => directory !== null);
  const uuids = new Set<string>();
  const directories = new Set<string | null>();
  for (const { uuid, directory } of held) {
    if (uuids.has(uuid)) return `two directories hold partition ${uuid}`;
    if (directories.has(directory)) return `two partitions have directory ${directory}`;
    uuids.add(uuid);
    directories.add(directory);
  }
  return null;
}

function emptyContent(): Content {
  const counters = { incarnation: 0, controllerEpochMax: 0, promiseMsMax: 0 };
  return { format: FORMAT, ...counters, flushMode: 'always', partitions: {} };
}
