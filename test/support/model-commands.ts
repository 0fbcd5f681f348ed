import fc from 'fast-check';
import type { SurvivalPolicy } from '../../src/env/simulated-file.ts';
import { ModelledStore, ModelViolation } from './modelled-store.ts';
import { NodeMachine, unlessCrashed } from './node-machine.ts';
import { type ModelRecord, StoreModel } from './store-model.ts';

/** Few keys, so that records of one key pile up, meet in one batch, and lie on both sides of every merge. */
export const MODEL_KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'user:1', 'k'.repeat(300)];

export type ModelCommand =
  | { readonly do: 'put'; readonly key: string; readonly length: number; readonly ttlMs: number }
  | { readonly do: 'remove' | 'persist'; readonly key: string }
  | { readonly do: 'expire'; readonly key: string; readonly ttlMs: number }
  | { readonly do: 'group'; readonly keys: readonly string[]; readonly length: number }
  | { readonly do: 'flushDatabase' | 'turn' | 'settle' | 'mergeBehind' }
  | { readonly do: 'mergeNow' | 'reopen' }
  | { readonly do: 'advance' | 'wallJump'; readonly ms: number }
  | { readonly do: 'slowDisk'; readonly ms: number }
  | { readonly do: 'crash'; readonly policy: SurvivalPolicy }
  | {
      readonly do: 'crashAt';
      readonly policy: SurvivalPolicy;
      readonly operation: number;
      readonly progress: 'before' | 'partly' | 'after';
    };

/** Commands that end what is under way. */
type EventName = 'mergeNow' | 'reopen' | 'crash' | 'crashAt';

const key = fc.constantFrom(...MODEL_KEYS);
const policy = fc.constantFrom<SurvivalPolicy>('loseAll', 'random');
/** Mostly none; else soon enough that some keys fall due in a run and others do not. */
const ttlMs = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  { weight: 1, arbitrary: fc.constant(1e9) },
);
const length = fc.oneof(
  // Small values share batches and sectors.
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  // Two or three of these fill a segment of 4 KiB: rolls, hints and merges come from them.
  { weight: 6, arbitrary: fc.integer({ min: 700, max: 1800 }) },
  // Larger than a segment, and over more than one block of the cache.
  { weight: 1, arbitrary: fc.integer({ min: 5000, max: 40_000 }) },
  // A batch of its own; rare because it takes a hundred times as long.
  { weight: 1, arbitrary: fc.constant(66_000) },
);

/**
 * What can happen to a store, with how often it should. Writes come most, because each must survive everything else; the
 * events (merge, crash, reopen, time) take about a third together, so that two of them rarely have more than a few writes between.
 */
export const modelCommand: fc.Arbitrary<ModelCommand> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ do: fc.constant('put' as const), key, length, ttlMs }) },
  // Deletes are what a merge can get wrong: often enough that a key is gone half of the time.
  { weight: 9, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('group' as const),
      keys: fc.array(key, { minLength: 2, maxLength: 5 }),
      length,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('expire' as const),
      key,
      ttlMs: fc.integer({ min: 1, max: 3000 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('persist' as const), key }) },
  // Makes everything before it uninteresting: rare.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flushDatabase' as const) }) },
  // The end of a turn is where batches are cut; without it everything is one batch.
  { weight: 14, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 4000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wallJump' as const), ms: fc.integer({ min: -4000, max: 4000 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('mergeNow' as const) }) },
  // A merge that the following commands race with.
  { weight: 3, arbitrary: fc.record({ do: fc.constant('mergeBehind' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('slowDisk' as const), ms: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), policy }) },
  // In the middle of whatever comes next: a flush, a roll, a hint, a merge, a restart.
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('crashAt' as const),
      policy,
      operation: fc.integer({ min: 1, max: 40 }),
      progress: fc.constantFrom('before' as const, 'partly' as const, 'after' as const),
    }),
  },
);

const TTL_NONE = 0;

/** Runs commands against one machine and its model, comparing the two after each. */
export class ModelRun {
  readonly machine: NodeMachine;
  readonly model: StoreModel;
  #store: ModelledStore | null = null;
  #values = 0;
  crashes = 0;

  get merges(): number {
    return this.machine.logger.texts('info').filter((text) => text === 'merged segments').length;
  }

  constructor(seed: number, settings: Readonly<Record<string, string>> = {}) {
    this.machine = new NodeMachine({ seed, settings: { 'merge.enabled': 'true', ...settings } });
    this.model = new StoreModel((settings['cluster.flush'] ?? 'always') !== 'always');
  }

  get store(): ModelledStore {
    if (this.#store === null) throw new Error('the store is not open');
    return this.#store;
  }

  async execute(commands: readonly ModelCommand[]): Promise<void> {
    await this.start();
    for (const command of commands) {
      await this.step(command);
      await this.checkNow();
    }
    await this.finish();
  }

  async start(): Promise<void> {
    await this.#recover();
  }

  async step(command: ModelCommand): Promise<void> {
    await this.#do(command);
    await this.#afterCrash();
  }

  async finish(): Promise<void> {
    await this.#reopen();
    await this.checkNow();
  }

  /** Everything that was begun, merges included, comes to its end on a disk that is fast again. */
  async quiet(): Promise<void> {
    await this.#hurry();
    await this.#afterCrash();
    await this.store.settle();
    await this.#afterCrash();
  }

  /** If a crash point was met, the next life begins here. */
  async checkNow(): Promise<void> {
    await this.#afterCrash();
    await this.store.check(MODEL_KEYS);
    await this.#afterCrash();
    const errors = this.machine.unexpectedErrors();
    if (errors.length > 0) throw new ModelViolation(errors.join('; '));
    this.model.settle();
  }

  async #do(command: ModelCommand): Promise<void> {
    const { store, machine } = this;
    switch (command.do) {
      case 'put':
        return store.put(command.key, this.#value(command.length), this.#due(command.ttlMs));
      case 'remove':
        return store.remove(command.key);
      case 'persist':
        return void store.expire(command.key, TTL_NONE);
      case 'expire':
        return void store.expire(command.key, this.#due(command.ttlMs));
      case 'group':
        return store.group(this.#group(command.keys, command.length));
      case 'flushDatabase':
        return store.flushDatabase();
      case 'turn':
        return machine.clock.runTurn();
      case 'settle':
        return store.settle();
      case 'advance':
        await machine.clock.advance(command.ms);
        return store.noteTime();
      case 'wallJump':
        machine.clock.wallJump(command.ms);
        return store.noteTime();
      case 'slowDisk':
        return machine.disk.slow({ readMs: command.ms, writeMs: command.ms, syncMs: command.ms });
      case 'mergeBehind':
        return void unlessCrashed(machine, store.partition.mergeNow());
      case 'mergeNow':
      case 'reopen':
      case 'crash':
      case 'crashAt':
        return this.#event(command);
    }
  }

  async #event(command: Extract<ModelCommand, { do: EventName }>): Promise<void> {
    const { machine, store } = this;
    switch (command.do) {
      case 'mergeNow':
        await this.#hurry();
        if (machine.disk.isCrashed) return;
        await unlessCrashed(machine, machine.clock.until(store.partition.mergeNow()));
        return;
      case 'reopen':
        return this.#reopen();
      case 'crash':
        machine.disk.slow({});
        machine.nextLife({ policy: command.policy });
        return this.#recover();
      case 'crashAt':
        machine.disk.failAtOperation(command.operation, command);
    }
  }

  #value(length: number): string {
    this.#values += 1;
    return `${this.#values}:`.padEnd(length, String.fromCharCode(97 + (this.#values % 26))).slice(0, length);
  }

  #due(ttlMs: number): number {
    return ttlMs === 0 ? 0 : this.machine.clock.wallMs() + ttlMs;
  }

  /** Puts and removes mixed; the same key may come twice. */
  #group(keys: readonly string[], length: number): ModelRecord[] {
    return keys.map((key, index) =>
      index % 3 === 2
        ? { kind: 'remove', key }
        : { kind: 'put', key, value: this.#value(Math.min(length, 2000)), expiresAtMs: 0 },
    );
  }

  /** The disk is fast again, and what hung on its delays goes on. */
  async #hurry(): Promise<void> {
    this.machine.disk.slow({});
    await this.machine.clock.advance(100);
    this.store.noteTime();
  }

  async #reopen(): Promise<void> {
    const { machine } = this;
    await this.#hurry();
    if (!machine.disk.isCrashed) await unlessCrashed(machine, machine.clock.until(this.store.node.close()));
    if (machine.disk.isCrashed) return this.#afterCrash();
    machine.nextProcess();
    await this.#recover();
  }

  async #afterCrash(): Promise<void> {
    while (this.machine.disk.isCrashed) {
      this.crashes += 1;
      this.machine.disk.slow({});
      this.machine.nextLife();
      await this.#recover();
    }
  }

  /** A sector torn in itself may need the operator's word (R19); nothing acknowledged may be lost by giving it. */
  async #recover(): Promise<void> {
    this.#store = await ModelledStore.recover(this.machine, this.model, { 'storage.acceptTornTail': 'true' });
  }
}
