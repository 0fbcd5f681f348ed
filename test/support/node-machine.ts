import { basename, join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/table.ts';
import { readDocument } from '../../src/env/checked-document.ts';
import type { Clock } from '../../src/env/clock.ts';
import { type CrashOptions, FaultyFileSystem, SimulatedCrash } from '../../src/env/faulty-file-system.ts';
import type { FileSystem } from '../../src/env/file-system.ts';
import { StoreNode } from '../../src/server/store-node.ts';
import { hintFileName, type Manifest, segmentFileName } from '../../src/storage/manifest.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedClock } from './simulated-clock.ts';

export const NODE_DIRECTORY = '/data';
export const PARTITION_DIRECTORY = '/data/partitions/0';

export interface MachineOptions {
  readonly seed?: number;
  /** Configuration keys and values as text; a small, single-partition node by default. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Puts something between the node and the disk, for tests of the tests. */
  readonly wrap?: (fileSystem: FileSystem) => FileSystem;
}

const SMALL_NODE: Readonly<Record<string, string>> = {
  'data.dir': NODE_DIRECTORY,
  'storage.segmentBytesMax': '4096',
  'storage.cacheBytesMax': '0',
  'merge.enabled': 'false',
  'merge.bytesPerSecondMax': '0',
};

/** Loading a configuration takes longer than the rest of a start, and thousands of starts have the same one. */
const CONFIGS = new Map<string, Config>();

export function configOf(settings: Readonly<Record<string, string>>): Config {
  const flags = Object.entries(settings).map(([key, value]) => ({ flag: `--${key}`, key, value }));
  return loadConfig({ flags }).config;
}

/**
 * A simulated machine that runs one whole node (`StoreNode`), life after life, on the same disk. Each life has a clock of its own: timers
 * and turns of a life that ended never fire, and the monotonic clock begins anew, while the wall clock goes on.
 */
export class NodeMachine {
  readonly disk: FaultyFileSystem;
  readonly logger = new CollectingLogger();
  readonly random: SeededRandom;
  readonly #options: MachineOptions;
  #clock = new SimulatedClock();
  #lives = 0;

  constructor(options: MachineOptions = {}) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.disk = new FaultyFileSystem({ random: this.random.fork(), clock: this.#presentClock() });
  }

  /** The clock of the present life. */
  get clock(): SimulatedClock {
    return this.#clock;
  }

  get fileSystem(): FileSystem {
    const { fileSystem } = this.disk;
    return this.#options.wrap?.(fileSystem) ?? fileSystem;
  }

  get lives(): number {
    return this.#lives;
  }

  config(settings: Readonly<Record<string, string>> = {}): Config {
    const key = JSON.stringify([this.#options.settings, settings]);
    let config = CONFIGS.get(key);
    if (config === undefined) {
      config = configOf({ ...SMALL_NODE, ...this.#options.settings, ...settings });
      CONFIGS.set(key, config);
    }
    return config;
  }

  /** Starts the node; rejects as the server would. */
  async open(settings: Readonly<Record<string, string>> = {}): Promise<StoreNode> {
    this.#lives += 1;
    const { fileSystem, clock, random, logger } = this;
    return clock.until(StoreNode.open(this.config(settings), { fileSystem, clock, random, logger }));
  }

  /** Null: the machine crashed during the start. */
  async tryOpen(settings: Readonly<Record<string, string>> = {}): Promise<StoreNode | null> {
    try {
      return await this.open(settings);
    } catch (error) {
      if (this.disk.isCrashed) return null;
      throw error;
    }
  }

  /** Ends this life, if a crash point has not done so yet, and makes the next one ready to open. */
  nextLife(options: CrashOptions = {}): void {
    if (!this.disk.isCrashed) this.disk.crash(options);
    this.disk.restart();
    this.#clock = new SimulatedClock({ wallMs: this.#clock.wallMs(), monotonicMs: 1000 * this.#lives });
  }

  /** After an orderly close: the next process on a machine that went on running. */
  nextProcess(): void {
    this.#clock = new SimulatedClock({ wallMs: this.#clock.wallMs(), monotonicMs: 1000 * this.#lives });
  }

  async files(): Promise<string[]> {
    return this.fileSystem.list(PARTITION_DIRECTORY);
  }

  async manifest(): Promise<Manifest> {
    const document = await readDocument(this.fileSystem, join(PARTITION_DIRECTORY, 'MANIFEST'), 1);
    return document as unknown as Manifest;
  }

  /** What the directories of node and partition hold beyond what its manifest names, and what is missing. Empty when in order. */
  async disorder(): Promise<string[]> {
    const { segments } = await this.manifest();
    const required = new Set(['META', 'MANIFEST', 'EPOCHS']);
    const optional = new Set<string>();
    for (const { base, generation, state } of segments) {
      required.add(segmentFileName(base, generation));
      if (state !== 'active') optional.add(hintFileName(base, generation));
    }
    const files = await this.files();
    const extra = files.filter((name) => !required.has(name) && !optional.has(name));
    const missing = [...required].filter((name) => !files.includes(name));
    const above = await this.fileSystem.list(NODE_DIRECTORY);
    extra.push(...above.filter((name) => !['NODE', 'CLEAN', 'partitions'].includes(name)));
    return [...extra.map((name) => `extra ${name}`), ...missing.map((name) => `missing ${name}`)];
  }

  async segmentFiles(): Promise<string[]> {
    return (await this.files()).filter((name) => name.endsWith('.log'));
  }

  path(name: string): string {
    return join(PARTITION_DIRECTORY, basename(name));
  }

  /** Errors that were logged and did not come from the end of a life: background work hides its failures there. */
  unexpectedErrors(): string[] {
    return this.logger.events
      .filter(({ level, fields }) => level === 'error' && !isFromCrash(fields.err))
      .map(({ text, fields }) => `${text}: ${String(fields.err)}`);
  }

  /** Delegates to the clock of the life that runs: the disk outlives them all. */
  #presentClock(): Clock {
    return {
      wallMs: () => this.#clock.wallMs(),
      monotonicMs: () => this.#clock.monotonicMs(),
      setTimer: (delayMs, callback) => this.#clock.setTimer(delayMs, callback),
      atTurnEnd: (callback) => this.#clock.atTurnEnd(callback),
      yieldTurn: () => this.#clock.yieldTurn(),
      sleep: (delayMs) => this.#clock.sleep(delayMs),
    };
  }
}

function isFromCrash(error: unknown): boolean {
  if (error instanceof SimulatedCrash) return true;
  return error instanceof Error && error.cause !== undefined && isFromCrash(error.cause);
}

/** Lets a crash end the wait for `action`; any other failure is one. */
export async function unlessCrashed<T>(machine: NodeMachine, action: Promise<T>): Promise<T | null> {
  try {
    return await action;
  } catch (error) {
    if (machine.disk.isCrashed || error instanceof SimulatedCrash) return null;
    throw error;
  }
}
