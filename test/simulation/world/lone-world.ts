import type { Config } from '../../../src/config/table.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import { CaskadeError, type ErrorCode } from '../../../src/model/errors.ts';
import {
  asNodeId,
  asPartitionId,
  type NodeId,
  type Offset,
  type PartitionId,
} from '../../../src/model/numbers.ts';
import { StoreNode } from '../../../src/server/store-node.ts';
import type { FlushMode } from '../../../src/storage/partition-meta.ts';
import type { RecoveryReport } from '../../../src/storage/recovery.ts';
import { configOf } from '../../support/node-machine.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { Backup } from './backup.ts';
import { DataCenter, type OutsideRequest } from './data-center.ts';
import type { FaultKind, FaultRecord } from './fault.ts';
import { FaultInjector } from './fault-injector.ts';
import { loneStrikes, loneWeights } from './lone-faults.ts';
import type { Machine, NodeProgram, ProgramDoors } from './machine.ts';
import { trueWallMs } from './node-clock.ts';
import { type BatchSpan, batchesOf, filesOf, type PartitionFiles, putFiles } from './partition-files.ts';
import type { EventLog } from './world.ts';
import { WorldLogger } from './world-logger.ts';
import { SCRUB_MS } from './world-settings.ts';
import type { WorldSizes } from './world-sizes.ts';

export interface LoneWorldOptions {
  readonly seed: number;
  readonly partitionCount: number;
  readonly flushMode: FlushMode;
  readonly sizes: WorldSizes;
  readonly slownessMs: number;
}

/** One life of the node. */
export interface LiveLoneNode {
  readonly id: NodeId;
  readonly life: number;
  readonly clock: Clock;
  readonly node: StoreNode;
}

export type LoneRequest<Answer> = Omit<OutsideRequest<LoneNode, Answer>, 'to' | 'work'> & {
  readonly work: (live: LiveLoneNode, respond: (answer: Answer) => void) => void;
};

const NODE = asNodeId(1);
const SESSION_MS = 2_000;
const FLUSH_INTERVAL_MS = 100;
/** Bytes a second that merge and scrub may read: no limit, or one that they feel. */
const RATES = [0, 256 * 1024];
/** How soon the operator sees that something is wrong, and puts back what was damaged. */
const WATCH_MS = 150;
const RESTORE_MS = 60;
/** After so long a process that ended by itself was started again. */
const RESTARTED_MS = 500;
/** Deaths at the first start, and of the changes that it makes the last one that is reached. */
const FIRST_STARTS = 4;
const FIRST_CHANGES = 24;
/** A start that ends with one of these has met something that was not as it was left. */
const DAMAGED: readonly ErrorCode[] = [
  'corruptSegment',
  'corruptMetadata',
  'futureFormat',
  'foreignDirectory',
  'tornTailRefused',
  'wrongEngine',
];

/** The program of a node that is alone: there are no peers, and nobody reigns. */
class LoneNode implements NodeProgram {
  readonly node: StoreNode;

  constructor(node: StoreNode) {
    this.node = node;
  }

  receivePeer(): void {}

  receiveControl(): void {}

  peerRefused(): void {}

  stop(): Promise<void> {
    return this.node.close();
  }
}

/**
 * A machine with the one node of a store, and its operator, who restores what was damaged once the node says so. That a
 * node complains of files that nobody touched is a defect.
 */
export class LoneWorld {
  readonly partitions: readonly PartitionId[];
  readonly backup: Backup;
  /** Codes of the starts that were refused. */
  readonly refusals: ErrorCode[] = [];
  readonly #center: DataCenter<LoneNode>;
  readonly #injector: FaultInjector<LoneNode>;
  readonly #machine: Machine<LoneNode>;
  readonly #config: Config;
  readonly #isWeak: boolean;
  readonly #random: SeededRandom;
  /** By partition. */
  readonly #directories: readonly string[];
  #acceptsTornTail = false;
  #expectsRefusal = false;
  #live: LiveLoneNode | null = null;
  readonly #onRejection = (error: unknown): void => {
    this.#center.defects.push(
      `unhandled rejection: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
    );
  };

  constructor(options: LoneWorldOptions) {
    const { seed, partitionCount, flushMode, slownessMs } = options;
    this.#isWeak = flushMode !== 'always';
    this.#config = configFor(options);
    this.#random = new SeededRandom(seed ^ 0xf125);
    this.partitions = Array.from({ length: partitionCount }, (_, index) => asPartitionId(index));
    this.#directories = this.partitions.map((partition) => `/data/partitions/${partition}`);
    this.#center = new DataCenter({
      seed,
      nodeCount: 1,
      mood: { slownessMs },
      sessionMs: SESSION_MS,
      boot: (doors) => this.#boot(doors),
    });
    this.#machine = this.#center.machine(NODE);
    this.backup = new Backup(() => this.#machine.disk.faulty);
    const targets = {
      rolesOf: () => ['alone'] as const,
      isWhole: () => this.isStable(),
      copiesOf: () => '',
    };
    const strikes = loneStrikes(this.backup, this.#isWeak);
    this.#injector = new FaultInjector(this.#center, targets, this.#center.random.fork(), strikes);
    process.on('unhandledRejection', this.#onRejection);
  }

  get nowMs(): number {
    return this.#center.scheduler.nowMs;
  }

  get trueWallMs(): number {
    return trueWallMs(this.#center.scheduler);
  }

  get wallAheadMsMax(): number {
    return Math.max(0, this.#machine.wall.offsetMsMax);
  }

  get events(): EventLog {
    return this.#center.events;
  }

  get digest(): string {
    return this.#center.digest;
  }

  get faults(): readonly FaultRecord[] {
    return this.#injector.records;
  }

  get defects(): readonly string[] {
    return this.#center.defects;
  }

  /** Null while dead or starting; the same object as long as it is the same life. */
  get live(): LiveLoneNode | null {
    const { running } = this.#machine;
    if (running === null) return null;
    const { program, lifeNumber: life, clock } = running;
    if (this.#live?.node !== program.node) this.#live = { id: NODE, life, clock, node: program.node };
    return this.#live;
  }

  get nodes(): readonly NodeId[] {
    return [NODE];
  }

  /** It runs, takes writes everywhere, and nothing is damaged that anybody knows of. */
  isStable(): boolean {
    const { live } = this;
    if (live === null || this.#machine.isStalled || this.#machine.isStopping || this.backup.isNeeded)
      return false;
    return live.node.partitions.every(
      (partition) => partition.isServing && partition.writeRefusal() === null,
    );
  }

  run(ms: number): Promise<void> {
    return this.#center.run(ms);
  }

  runUntil(condition: () => boolean, msMax: number): Promise<boolean> {
    return this.#center.runUntil(condition, msMax);
  }

  observe(observer: () => void): void {
    this.#center.observe(observer);
  }

  after(delayMs: number, callback: () => void): void {
    this.#center.scheduler.after(delayMs, null, callback);
  }

  request<Answer>({ work, answered, failed }: LoneRequest<Answer>): void {
    this.#center.request<Answer>({
      to: NODE,
      answered,
      failed,
      work: (_machine, respond) => {
        if (this.live !== null) work(this.live, respond);
      },
    });
  }

  /** The first start of all is cut short by the end of the process, or of the power, a few times. */
  start(): void {
    this.#machine.start();
    this.#dieAtStart(FIRST_STARTS);
    this.#watch();
  }

  /** False: it may not happen now, or not under this flush mode. */
  fire(kind: FaultKind): boolean {
    if (loneWeights(this.#isWeak)[kind] === 0) return false;
    return this.#injector.fire(kind, this.#machine);
  }

  startFaults(everyMs: number): void {
    this.#injector.start({ everyMs, weights: loneWeights(this.#isWeak) });
  }

  stopFaults(): void {
    this.#injector.stop();
  }

  /** False: it did not serve within `msMax`. What has rotted unseen is found by scrub, or restored now. */
  async quiesce(msMax: number): Promise<boolean> {
    this.#injector.stop();
    this.#injector.healAll();
    this.events.note('world', 'everything is healed');
    if (this.backup.isNeeded) {
      await this.run(SCRUB_MS * 3);
      if (this.backup.isNeeded) this.#restore();
    }
    return this.runUntil(() => this.isStable(), msMax);
  }

  /**
   * Ends the process, lets the last batch of one partition's log rot, and starts it again: first as ever, then with the
   * operator's word that the batch may go (R19), then as ever. Null: there is no batch. Otherwise with what the starts
   * ended.
   */
  async giveUpTail(partition: PartitionId, random: SeededRandom, msMax: number): Promise<TailGivenUp | null> {
    this.#machine.kill('keepAll');
    const batch = await this.#rotTail(partition, random);
    this.refusals.length = 0;
    this.#expectsRefusal = true;
    this.#machine.start();
    await this.runUntil(() => this.refusals.length > 0 || this.live !== null, msMax);
    const refusedWith = this.refusals.at(-1) ?? null;
    this.#acceptsTornTail = true;
    await this.runUntil(() => this.isStable(), msMax);
    this.#acceptsTornTail = false;
    this.#expectsRefusal = false;
    await this.run(RESTARTED_MS);
    const verdict = this.live?.node.reports[partition]?.verdict ?? null;
    return batch === null ? null : { refusedWith, verdict, lostFrom: batch.baseOffset };
  }

  /**
   * A clean end; `harm` changes files, by partition and name; a start, which is to be refused; the files as they were;
   * and a start. The code of the refusal, null if there was none; undefined: nothing was changed.
   */
  async drill(harm: (files: readonly PartitionFiles[]) => boolean, msMax: number): Promise<DrillResult> {
    this.#machine.shutDown();
    await this.runUntil(() => !this.#machine.isUp, msMax);
    const before = await filesOf(this.#diskOfTheDead(), this.#directories);
    const after = before.map((files) => new Map(files));
    const isHarmed = harm(after);
    this.refusals.length = 0;
    this.#expectsRefusal = true;
    if (isHarmed) {
      this.#put(before, after);
      this.#machine.start();
      await this.runUntil(() => this.refusals.length > 0 || this.live !== null, msMax);
      this.#machine.kill('keepAll');
      this.#put(after, before);
    }
    this.#expectsRefusal = false;
    const refusedWith = this.refusals.at(-1) ?? null;
    this.#machine.start();
    const isBack = await this.runUntil(() => this.isStable(), msMax);
    await this.run(RESTARTED_MS);
    return { isHarmed, refusedWith, isBack };
  }

  /** False: it does not serve again within `msMax`. */
  cutPower(policy: SurvivalPolicy, msMax: number): Promise<boolean> {
    this.#machine.kill(policy);
    this.#machine.start();
    return this.runUntil(() => this.isStable(), msMax);
  }

  /** A clean end and a start. */
  async restart(msMax: number): Promise<boolean> {
    this.#machine.shutDown();
    await this.runUntil(() => !this.#machine.isUp, msMax);
    this.#machine.start();
    return this.runUntil(() => this.isStable(), msMax);
  }

  end(): void {
    process.off('unhandledRejection', this.#onRejection);
  }

  /** Makes of what is there what is to be there. */
  #put(present: readonly PartitionFiles[], wanted: readonly PartitionFiles[]): void {
    const disk = this.#diskOfTheDead();
    for (const [at, directory] of this.#directories.entries())
      putFiles(disk, directory, present[at] ?? new Map(), wanted[at] ?? new Map());
  }

  #dieAtStart(times: number): void {
    const policy = this.#random.pick<SurvivalPolicy>(
      this.#isWeak ? ['keepAll'] : ['keepAll', 'loseAll', 'random'],
    );
    this.#machine.disk.crashAtChange(1 + this.#random.below(FIRST_CHANGES), () => {
      this.#machine.kill(policy);
      this.#machine.start();
      if (times > 1) this.#dieAtStart(times - 1);
    });
  }

  /** What the process that ended has left. */
  #diskOfTheDead(): FaultyFileSystem {
    const disk = this.#machine.disk.faulty;
    if (disk.isCrashed) disk.restart();
    return disk;
  }

  async #rotTail(partition: PartitionId, random: SeededRandom): Promise<BatchSpan | null> {
    const disk = this.#diskOfTheDead();
    const directory = this.#directories[partition] ?? '';
    const names = (await disk.fileSystem.list(directory)).filter((name) => name.endsWith('.log'));
    const path = `${directory}/${names.at(-1)}`;
    const batch = batchesOf(disk.contentOf(path) ?? new Uint8Array(0)).at(-1);
    if (batch === undefined) return null;
    const position = batch.start + random.below(batch.end - batch.start);
    disk.flipBit(path, position, random.below(8));
    this.events.note('operator', `${path} rots at ${position}, in its last batch`);
    return batch;
  }

  async #boot(doors: ProgramDoors): Promise<LoneNode> {
    const { fileSystem, clock, random } = doors;
    const logger = new WorldLogger(this.events, 'n1');
    const storage = { ...this.#config.storage, acceptTornTail: this.#acceptsTornTail };
    try {
      const node = await StoreNode.open({ ...this.#config, storage }, { fileSystem, clock, random, logger });
      this.backup.started();
      this.#acceptsTornTail = false;
      this.#machine.disk.mayHaveTorn = false;
      this.#machine.disk.hasRefusedReads = false;
      return new LoneNode(node);
    } catch (error) {
      if (error instanceof CaskadeError) this.#refused(error);
      throw error;
    }
  }

  #refused(error: CaskadeError): void {
    this.refusals.push(error.code);
    if (!DAMAGED.includes(error.code) || this.#expectsRefusal) return;
    if (this.backup.isNeeded) this.after(RESTORE_MS, () => this.#restore());
    else if (error.code === 'tornTailRefused' && this.#machine.disk.mayHaveTorn)
      this.after(RESTORE_MS, () => this.#giveUpTorn());
    else this.#center.defects.push(`it does not start, and nothing was damaged: ${error.message}`);
  }

  /** Looks now and then whether scrub, a merge or a reader has met something rotten. */
  #watch(): void {
    this.after(WATCH_MS, () => {
      const rotFound = this.live?.node.scrubStats.rotFound ?? 0;
      if (rotFound > 0 && this.backup.isNeeded) this.#restore();
      else if (rotFound > 0 && !this.#machine.disk.hasRefusedReads)
        this.#center.defects.push('something has rotted, they say, and nothing has');
      if (rotFound === 0 || this.defects.length === 0) this.#watch();
    });
  }

  /**
   * A sector in which the power failed looks like one that rotted: the operator knows that the power failed (R19). What
   * he gives up was acknowledged to nobody.
   */
  #giveUpTorn(): void {
    this.events.note('operator', 'gives the last batch up');
    this.#machine.kill('keepAll');
    this.#diskOfTheDead();
    this.#acceptsTornTail = true;
    this.#machine.start();
  }

  #restore(): void {
    this.#machine.kill('keepAll');
    this.#diskOfTheDead();
    this.events.note('operator', `restores ${this.backup.restore().join(' ')}`);
    this.#machine.start();
  }
}

export interface DrillResult {
  readonly isHarmed: boolean;
  readonly refusedWith: ErrorCode | null;
  /** With the files as they were. */
  readonly isBack: boolean;
}

export interface TailGivenUp {
  readonly refusedWith: ErrorCode | null;
  readonly verdict: RecoveryReport['verdict'] | null;
  /** Where the batch began. */
  readonly lostFrom: Offset;
}

const of = (values: readonly number[], at: number): number => values[at % values.length] as number;

function configFor({ seed, partitionCount, flushMode, sizes }: LoneWorldOptions): Config {
  const round = Math.floor(seed / 12);
  return configOf({
    'data.dir': '/data',
    'cluster.partitions': String(partitionCount),
    'cluster.flush': flushMode,
    'cluster.flushIntervalMs': String(FLUSH_INTERVAL_MS),
    'storage.segmentBytesMax': String(sizes.segmentBytesMax),
    'storage.cacheBytesMax': String(sizes.cacheBytesMax),
    'merge.deadRatioMin': '0.2',
    'merge.bytesPerSecondMax': String(of(RATES, round)),
    'merge.checkIntervalMs': '400',
    'scrub.intervalMs': String(SCRUB_MS),
    'scrub.bytesPerSecondMax': String(of(RATES, round + 1)),
  });
}
