import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import type { FileHandle, FileSystem } from '../../src/env/file-system.ts';
import { CaskadeError, type ErrorCode } from '../../src/model/errors.ts';
import {
  asControllerEpoch,
  asDatabaseId,
  asEpochMillis,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
  type LeaderEpoch,
  type Offset,
  SLOT_COUNT,
} from '../../src/model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../../src/model/partition-state.ts';
import { LONE_HOST } from '../../src/replication/leader/lone-host.ts';
import type { Partition } from '../../src/replication/leader/partition.ts';
import { PartitionLeader } from '../../src/replication/leader/partition-leader.ts';
import { EntryView, KeyView, ReadOutcome } from '../../src/replication/leader-partition.ts';
import type { ReplicaManagerSettings } from '../../src/replication/node/ports.ts';
import { ProducerTable } from '../../src/replication/producers/producer-table.ts';
import { RULES } from '../../src/replication/rules/rules.ts';
import { BlockCache } from '../../src/storage/block-cache.ts';
import { FlushScheduler } from '../../src/storage/flush-scheduler.ts';
import { type HintDoors, hintDoorsOf, writeHint } from '../../src/storage/hint-file.ts';
import type { MaintenanceSettings } from '../../src/storage/maintenance.ts';
import { Merge, type MergeHost, type MergeOutcome } from '../../src/storage/merge.ts';
import { openPartition } from '../../src/storage/open-partition.ts';
import type { EngineName, FlushMode } from '../../src/storage/partition-meta.ts';
import { PartitionStore } from '../../src/storage/partition-store.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedClock } from './simulated-clock.ts';

export const DIRECTORY = '/data/partitions/0';
export const PARTITION_UUID = '00112233445566778899aabbccddeeff';
export const DATABASE = asDatabaseId(0);

export interface StoreOptions {
  readonly segmentBytesMax?: number;
  readonly flush?: FlushMode;
  readonly engine?: EngineName;
  readonly acceptTornTail?: boolean;
  readonly cacheBytesMax?: number;
  readonly seed?: number;
  /** What recovery did not know to be committed stays so: what a leader with followers inherits. */
  readonly inherits?: boolean;
}

export interface PartitionOptions extends StoreOptions {
  readonly maintenance?: Partial<MaintenanceSettings>;
  readonly minInsync?: number;
  readonly flushIntervalMs?: number;
  readonly syncsMax?: number;
  readonly writeTimeoutMs?: number;
}

/** One simulated machine with one partition directory: opens stores and partitions over it, life after life. */
export class StoreMachine {
  readonly clock: SimulatedClock;
  readonly disk: FaultyFileSystem;
  readonly logger = new CollectingLogger();
  readonly options: PartitionOptions;
  readonly random: SeededRandom;
  #leaderEpoch = 0;
  cache: BlockCache;

  constructor(options: PartitionOptions = {}) {
    this.options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.clock = new SimulatedClock();
    this.disk = new FaultyFileSystem({ random: this.random.fork(), clock: this.clock });
    this.cache = this.#newCache();
  }

  get fileSystem(): FileSystem {
    return this.disk.fileSystem;
  }

  /** Recovers the directory (or creates it) and begins the next leader epoch in it. */
  async openStore(changes: StoreOptions = {}): Promise<TestStore> {
    const { segmentBytesMax, flush, engine, acceptTornTail, inherits } = { ...this.options, ...changes };
    const { fileSystem, clock, logger } = this;
    this.cache = this.#newCache();
    const doors = { fileSystem, clock, random: this.random, logger, cache: this.cache };
    const options = {
      directory: DIRECTORY,
      partition: asPartitionId(0),
      partitionUuid: PARTITION_UUID,
      nodeId: asNodeId(1),
      engine: engine ?? 'bitcask',
      flush: flush ?? 'always',
      segmentBytesMax: segmentBytesMax ?? 16 * 1024,
      acceptTornTail: acceptTornTail ?? false,
      mustExist: false,
      producers: new ProducerTable(),
    };
    const opened = await openPartition(options, doors);
    this.#leaderEpoch = Math.max(this.#leaderEpoch, opened.epochs.latest?.epoch ?? 0) + 1;
    const epoch = asLeaderEpoch(this.#leaderEpoch);
    const store = new PartitionStore(opened, doors, options.flush);
    await store.beginEpoch(epoch);
    if (inherits !== true) await store.commitTo(store.durableOffset);
    return new TestStore(store, this);
  }

  async openPartition(changes: StoreOptions = {}): Promise<TestPartition> {
    const { store } = await this.openStore(changes);
    const { clock, logger, cache, fileSystem, options } = this;
    const scheduler = new FlushScheduler(clock, options.syncsMax ?? 4);
    const maintenance = { enabled: false, deadRatioMin: 0.5, bytesPerSecondMax: 0, ...options.maintenance };
    const flushMode = changes.flush ?? options.flush ?? 'always';
    const role = new PartitionLeader({
      settings: leaderSettings(options, maintenance),
      rules: RULES,
      store,
      state: loneState(store, asLeaderEpoch(this.#leaderEpoch)),
      view: { facts: loneFacts(flushMode, options.minInsync ?? 1), live: new Map([[NODE, LIFE]]) },
      incarnation: LIFE,
      host: LONE_HOST,
      versionCheck: LONE_HOST,
      fileSystem,
      clock,
      random: this.random,
      logger,
      cache,
      scheduler,
      rounds: null,
    });
    role.start();
    return new TestPartition(role, store, clock);
  }

  /** The machine stops at this point; the next open is that of the next life. */
  powerCut(): void {
    this.disk.crashAndRestart({ policy: 'loseAll' });
  }

  #newCache(): BlockCache {
    return new BlockCache(this.options.cacheBytesMax ?? 1024 * 1024);
  }
}

/** A store with keys and values as text; a put is committed by `flush`. */
export class TestStore {
  readonly store: PartitionStore;
  readonly #machine: StoreMachine;
  readonly #entry = new EntryView();

  constructor(store: PartitionStore, machine: StoreMachine) {
    this.store = store;
    this.#machine = machine;
  }

  key(text: string): KeyView {
    return keyOf(text, this.store);
  }

  put(key: string, value: string | Uint8Array, expiresAtMs = 0): Offset {
    const bytes = Buffer.from(value);
    return this.store.put(0, this.key(key), bytes, 0, bytes.length, expiresAtMs);
  }

  remove(key: string, reason = 0): Offset {
    return this.store.remove(0, this.key(key), reason);
  }

  changeExpiry(key: string, expiresAtMs: number): Offset {
    return this.store.changeExpiry(0, this.key(key), expiresAtMs);
  }

  flushDatabase(): Offset {
    return this.store.flushDatabase(0);
  }

  /** Writes, syncs and commits everything appended. */
  async flush(): Promise<void> {
    while (this.store.hasUnflushed) await this.store.flushOne();
    await this.store.commitTo(this.store.durableOffset);
  }

  /** One committed batch of its own for each pair. */
  async commit(pairs: Readonly<Record<string, string>>): Promise<void> {
    for (const [key, value] of Object.entries(pairs)) {
      this.put(key, value);
      await this.flush();
    }
  }

  async roll(): Promise<void> {
    await this.flush();
    await this.store.rollNow();
  }

  /** Committed value; null: the key is not there. */
  async get(key: string): Promise<string | null> {
    const entry = await this.committed(key);
    return entry.found ? textOf(entry) : null;
  }

  async committed(key: string): Promise<EntryView> {
    while (!this.store.readCommitted(0, this.key(key), this.#entry, true)) await this.store.loaded;
    return this.#entry;
  }

  async appended(key: string): Promise<EntryView> {
    while (!this.store.readAppended(0, this.key(key), this.#entry, true)) await this.store.loaded;
    return this.#entry;
  }

  get hintDoors(): HintDoors {
    return hintDoorsOf(this.#machine, this.store);
  }

  async writeHints(): Promise<void> {
    for (const segment of this.store.log.segments.slice(0, -1)) {
      if (!segment.hasHint) {
        await writeHint(this.hintDoors, segment, this.store.index, () => this.store.syncEvidence());
      }
    }
  }

  /** Merges sealed segments; by default all of them, unthrottled, with nothing in the way. */
  merge(
    first = 0,
    count = this.store.log.segments.length - 1 - first,
    host: Partial<MergeHost> = {},
    bytesPerSecondMax = 0,
  ): Promise<MergeOutcome | null> {
    const all = { ...freeMergeHost(this.store), ...host };
    const { log, index } = this.store;
    return new Merge(this.hintDoors, log, index, { bytesPerSecondMax }, all).run(first, count);
  }

  async close(): Promise<void> {
    await this.flush();
    await this.store.close();
  }

  /** Closes and opens again, through recovery. */
  async reopen(changes: StoreOptions = {}): Promise<TestStore> {
    await this.close();
    return this.#machine.openStore(changes);
  }
}

/** A leader partition with keys and values as text; what it appends is flushed when the clock settles. */
export class TestPartition {
  readonly role: PartitionLeader;
  readonly partition: Partition;
  readonly store: PartitionStore;
  readonly entry = new EntryView();
  readonly #clock: SimulatedClock;

  constructor(role: PartitionLeader, store: PartitionStore, clock: SimulatedClock) {
    this.role = role;
    this.partition = role.partition;
    this.store = store;
    this.#clock = clock;
  }

  key(text: string): KeyView {
    return keyOf(text, this.store);
  }

  put(key: string, value: string | Uint8Array, expiresAtMs = 0): Offset {
    const bytes = Buffer.from(value);
    const { partition } = this;
    return partition.put(DATABASE, this.key(key), bytes, 0, bytes.length, asEpochMillis(expiresAtMs));
  }

  remove(key: string): Offset {
    return this.partition.remove(DATABASE, this.key(key), 0);
  }

  readCommitted(key: string): ReadOutcome {
    return this.partition.readCommitted(DATABASE, this.key(key), this.entry, true);
  }

  readAppended(key: string): ReadOutcome {
    return this.partition.readAppended(DATABASE, this.key(key), this.entry, true);
  }

  /** Reads as a command does: waits and runs again while it is suspended. A refusal is thrown. */
  async get(key: string): Promise<string | null> {
    for (;;) {
      const outcome = this.readCommitted(key);
      if (outcome === ReadOutcome.refused) throw this.partition.refusal;
      if (outcome === ReadOutcome.ready) return this.entry.found ? textOf(this.entry) : null;
      await this.#clock.until(this.partition.suspension);
    }
  }

  async close(): Promise<void> {
    await this.#clock.until(this.role.close());
  }
}

export const NODE = asNodeId(1);
export const LIFE = asIncarnation(1);

export function leaderSettings(
  options: PartitionOptions,
  maintenance: MaintenanceSettings,
): ReplicaManagerSettings {
  return {
    nodeId: NODE,
    directory: DIRECTORY,
    engine: options.engine ?? 'bitcask',
    segmentBytesMax: options.segmentBytesMax ?? 16 * 1024,
    cacheBytesMax: options.cacheBytesMax ?? 1024 * 1024,
    flushIntervalMs: options.flushIntervalMs ?? 1000,
    lagMsMax: 1500,
    pollMsMax: 150,
    writeTimeoutMs: options.writeTimeoutMs ?? 4000,
    fetchBytesMax: 1024 * 1024,
    mergeIntervalMs: 10_000,
    maintenance,
  };
}

/** The state of a partition whose only replica is this store. */
export function loneState(store: PartitionStore, leaderEpoch: LeaderEpoch): PartitionState {
  return {
    id: asPartitionId(0),
    uuid: PARTITION_UUID,
    version: asPartitionVersion(0),
    replicas: [NODE],
    adding: [],
    removing: [],
    leader: NODE,
    leaderEpoch,
    isr: [NODE],
    elr: [],
    incarnations: { [NODE]: LIFE },
    directoryIds: { [NODE]: store.directoryId },
    controllerEpoch: asControllerEpoch(1),
    recovery: 'clean',
  };
}

function loneFacts(flushMode: FlushMode, minInsync: number): ClusterFacts {
  const slots = [[0, SLOT_COUNT - 1, 0]] as const;
  return {
    clusterId: 'test',
    version: 1,
    replicationFactor: 1,
    minInsync,
    flushMode,
    leaseMsMax: 600,
    slots,
  };
}

export function keyOf(text: string, hasher: { hash: PartitionStore['hash'] }): KeyView {
  const key = new KeyView();
  key.bytes = Buffer.from(text);
  key.end = key.bytes.length;
  key.hash = hasher.hash(key.bytes, key.start, key.end);
  return key;
}

export function textOf(entry: EntryView): string {
  return Buffer.from(entry.bytes.subarray(entry.start, entry.end)).toString();
}

export async function readFileBytes(fileSystem: FileSystem, path: string): Promise<Buffer> {
  return withFile(fileSystem, path, 'read', async (handle) => {
    const bytes = Buffer.alloc(await handle.size());
    await handle.readAt(bytes, 0);
    return bytes;
  });
}

/** Overwrites bytes of a file behind the store's back, durably. */
export async function overwrite(
  fileSystem: FileSystem,
  path: string,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  await withFile(fileSystem, path, 'write', async (handle) => {
    await handle.writeAt([bytes], position);
    await handle.sync();
  });
}

export async function cutFile(fileSystem: FileSystem, path: string, length: number): Promise<void> {
  await withFile(fileSystem, path, 'write', async (handle) => {
    await handle.truncate(length);
    await handle.sync();
  });
}

async function withFile<T>(
  fileSystem: FileSystem,
  path: string,
  mode: 'read' | 'write',
  action: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await fileSystem.open(path, mode);
  try {
    return await action(handle);
  } finally {
    await handle.close();
  }
}

/** The error that `action` throws or rejects with; fails the test if it does neither. */
export async function failureOf(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error('expected a failure, but there was none');
}

/** Expects a CaskadeError of this code, and returns it. */
export async function expectCode(action: () => unknown, code: ErrorCode): Promise<CaskadeError> {
  const error = await failureOf(action);
  if (error instanceof CaskadeError && error.code === code) return error;
  throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
}

export const offsets = (...values: readonly number[]): Offset[] => values.map(asOffset);

/** Of a partition that nothing else goes on in: a merge may take all that is committed, and every tombstone. */
export function freeMergeHost(store: PartitionStore): MergeHost {
  return {
    syncEvidence: () => store.syncEvidence(),
    producers: store.producers,
    isCancelled: () => false,
    committedOffset: () => store.committedOffset,
    tombstoneRemoveOffset: () => asOffset(Number.POSITIVE_INFINITY),
    isFloorPinned: () => false,
    exclusively: (change) => change(),
  };
}
