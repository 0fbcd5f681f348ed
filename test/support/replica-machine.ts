import { type CrashOptions, FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import { asLeaderEpoch, asNodeId, asOffset, asPartitionId, type Offset } from '../../src/model/numbers.ts';
import { EntryView, type KeyView } from '../../src/replication/leader-partition.ts';
import { ProducerTable } from '../../src/replication/producers/producer-table.ts';
import { BlockCache } from '../../src/storage/block-cache.ts';
import { hintDoorsOf } from '../../src/storage/hint-file.ts';
import { Merge, type MergeHost, type MergeOutcome } from '../../src/storage/merge.ts';
import { MERGE_RULES, type MergeRules } from '../../src/storage/merge-rules.ts';
import { hashSeedOf, type OpenedReplica, openReplica } from '../../src/storage/open-partition.ts';
import type { FlushMode } from '../../src/storage/partition-meta.ts';
import { PartitionStore } from '../../src/storage/partition-store.ts';
import type { LogSlice } from '../../src/storage/replica-log.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { freeMergeHost, keyOf, textOf } from './store-fixture.ts';

export const REPLICA_DIRECTORY = '/data/partitions/0';
const UUID = '00112233445566778899aabbccddeeff';

export interface ReplicaOptions {
  readonly node?: number;
  readonly segmentBytesMax?: number;
  readonly flush?: FlushMode;
  readonly seed?: number;
}

/** One simulated machine that holds a replica of the partition that all of them share. */
export class ReplicaMachine {
  readonly disk: FaultyFileSystem;
  readonly clock = new SimulatedClock();
  readonly #random: SeededRandom;
  readonly #options: ReplicaOptions;
  #cache = new BlockCache(0);

  constructor(options: ReplicaOptions = {}) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed ?? options.node ?? 1);
    this.disk = new FaultyFileSystem({ random: this.#random.fork(), clock: this.clock });
  }

  /** Opens the directory as it is now. */
  async tryOpen(options: { closedCleanly?: boolean; mustExist?: boolean } = {}): Promise<OpenedReplica> {
    this.#cache = new BlockCache(1024 * 1024);
    const { node = 1, segmentBytesMax = 16 * 1024, flush = 'always' } = this.#options;
    return openReplica(
      {
        directory: REPLICA_DIRECTORY,
        partition: asPartitionId(0),
        partitionUuid: UUID,
        nodeId: asNodeId(node),
        engine: 'bitcask',
        flush,
        segmentBytesMax,
        acceptTornTail: false,
        mustExist: options.mustExist ?? false,
        producers: new ProducerTable(),
        hashSeed: hashSeedOf(UUID),
        member: { closedCleanly: options.closedCleanly ?? false },
      },
      this.#doors,
    );
  }

  async open(options: { closedCleanly?: boolean } = {}): Promise<TestReplica> {
    const outcome = await this.tryOpen(options);
    if (outcome.kind === 'unusable') throw new Error(outcome.reason);
    const { flush = 'always' } = this.#options;
    return new TestReplica(new PartitionStore(outcome.opened, this.#doors, flush), this);
  }

  /** Opens and leads in the epoch. */
  async lead(epoch: number): Promise<TestReplica> {
    const replica = await this.open();
    await replica.store.beginEpoch(asLeaderEpoch(epoch));
    return replica;
  }

  /** Ends this life, if it has not crashed already, and begins the next. */
  nextLife(crash: CrashOptions = { policy: 'loseAll' }): void {
    if (this.disk.isCrashed) this.disk.restart();
    else this.disk.crashAndRestart(crash);
  }

  get #doors(): ConstructorParameters<typeof PartitionStore>[1] {
    const { fileSystem } = this.disk;
    const logger = new CollectingLogger();
    return { fileSystem, clock: this.clock, random: this.#random, logger, cache: this.#cache };
  }
}

/** A replica's store with keys and values as text. */
export class TestReplica {
  readonly store: PartitionStore;
  readonly #machine: ReplicaMachine;
  readonly #entry = new EntryView();

  constructor(store: PartitionStore, machine: ReplicaMachine) {
    this.store = store;
    this.#machine = machine;
  }

  put(key: string, value: string): Offset {
    const bytes = Buffer.from(value);
    return this.store.put(0, this.#key(key), bytes, 0, bytes.length, 0);
  }

  remove(key: string): Offset {
    return this.store.remove(0, this.#key(key), 0);
  }

  async flush(): Promise<void> {
    while (this.store.hasUnflushed) await this.store.flushOne();
  }

  /** One batch of its own for each pair, written and synced. */
  async write(...pairs: readonly (readonly [string, string])[]): Promise<void> {
    for (const [key, value] of pairs) {
      this.put(key, value);
      await this.flush();
    }
  }

  async commit(offset: number = this.store.durableOffset): Promise<void> {
    await this.store.commitTo(asOffset(offset));
  }

  /** Committed value; null: the key is not there. */
  async get(key: string): Promise<string | null> {
    const view = this.#key(key);
    while (!this.store.readCommitted(0, view, this.#entry, true)) await this.store.loaded;
    return this.#entry.found ? textOf(this.#entry) : null;
  }

  async read(offset: number, bytesMax = 4096): Promise<LogSlice> {
    return this.store.readLog(asOffset(offset), bytesMax);
  }

  /** Fetches all that the leader has sealed, in pieces. */
  async follow(leader: TestReplica, bytesMax = 4096): Promise<void> {
    while (this.store.logEndOffset < leader.store.sealedOffset) {
      const { bytes, nextOffset, epochs } = await leader.read(this.store.logEndOffset, bytesMax);
      await this.store.appendFetched(bytes, nextOffset, { epochs });
    }
  }

  /** Merges sealed segments; by default all of them that are committed. */
  async merge(
    first = 0,
    count?: number,
    host: Partial<MergeHost> = {},
    rules: MergeRules = MERGE_RULES,
  ): Promise<MergeOutcome | null> {
    const { log, index, committedOffset } = this.store;
    const sealed = log.segments.slice(0, -1).filter(({ end }) => end <= committedOffset).length;
    const all = { ...freeMergeHost(this.store), ...host };
    const { fileSystem } = this.#machine.disk;
    const doors = hintDoorsOf({ fileSystem, clock: this.#machine.clock }, this.store);
    const taken = count ?? sealed - first;
    if (taken <= 0) return null;
    return new Merge(doors, log, index, { bytesPerSecondMax: 0 }, all, rules).run(first, taken);
  }

  #key(text: string): KeyView {
    return keyOf(text, this.store);
  }
}
