import { invariant } from '../model/errors.ts';
import type { Clock } from './clock.ts';
import { PosixError } from './disk-errors.ts';
import { type Fault, FaultPlan, type Slowness } from './fault-plan.ts';
import { bytesUsed, FaultyView, type Life, type WriteInFlight, writeChunks } from './faulty-view.ts';
import type { FileSystem } from './file-system.ts';
import { OperationTrace } from './operation-trace.ts';
import type { Random } from './random.ts';
import { SimulatedFile, type SurvivalPolicy } from './simulated-file.ts';
import { SimulatedNames } from './simulated-names.ts';

/** The machine is gone: every operation of a life that has ended is answered with this, never with a disk error. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

export interface FaultyFileSystemOptions {
  /** Decides everything that is left to chance: the same seed and the same operations give the same disk. */
  readonly random: Random;
  /** Needed for a slow disk only. */
  readonly clock?: Clock;
  /** Default true: what is done is recorded in `trace`. */
  readonly isTraced?: boolean;
}

export interface CrashOptions {
  /** Default `random`. */
  readonly policy?: SurvivalPolicy;
}

export interface CrashPointOptions extends CrashOptions {
  /**
   * How far the operation got that the crash hits. `before`: it did nothing (default). `partly`: torn, the torn part is
   * on the platter. `after`: done, but the caller never learns.
   */
  readonly progress?: 'before' | 'partly' | 'after';
}

type CrashPoint = Required<CrashPointOptions> & { readonly operation: number };

/**
 * A disk that misbehaves to order, with the machine around it: it forgets what was not synced, tears, fails, fills up,
 * is slow, flips bits, and records what was done to it. A test gets the `fileSystem` of the present life, ends the life
 * with `crash` (or lets a crash point end it) and goes on with what `restart` returns.
 *
 * An operation is what changes the disk: create, write, sync, truncate, rename, unlink, makeDirectory,
 * removeDirectory, syncDirectory. Crash points count these, over all lives.
 */
export class FaultyFileSystem {
  readonly trace: OperationTrace;
  readonly #random: Random;
  readonly #plan: FaultPlan;
  #life: SimulatedLife;
  #operationCount = 0;
  #crashPoint: CrashPoint | undefined;

  constructor(options: FaultyFileSystemOptions) {
    this.trace = new OperationTrace(options.isTraced ?? true);
    this.#random = options.random;
    this.#plan = new FaultPlan(options.clock);
    this.#life = this.#begin(new SimulatedNames());
  }

  /** The view of the present life. It stays the view of that life: after a restart ask again. */
  get fileSystem(): FileSystem {
    return this.#life.view;
  }

  /** Operations so far: run once without a crash to learn how many points there are to visit. */
  get operationCount(): number {
    return this.#operationCount;
  }

  get isCrashed(): boolean {
    return !this.#life.isAlive;
  }

  /** Crashes at the n-th operation from now on (1 is the next). */
  failAtOperation(n: number, options: CrashPointOptions = {}): void {
    this.#crashPoint = {
      operation: this.#operationCount + n,
      policy: options.policy ?? 'random',
      progress: options.progress ?? 'before',
    };
  }

  /** Ends this life now. What it had open answers `SimulatedCrash` from here on. */
  crash(options: CrashOptions = {}): void {
    invariant(this.#life.isAlive, 'the machine has crashed already: call restart() first');
    this.#crashPoint = undefined;
    this.#life.end(options.policy ?? 'random');
  }

  /** Begins the next life with what survived. Armed faults, delays and the limit stay as they are. */
  restart(): FileSystem {
    invariant(!this.#life.isAlive, 'the machine is running: call crash() first');
    this.#life = this.#begin(this.#life.survivors());
    return this.#life.view;
  }

  crashAndRestart(options: CrashOptions = {}): FileSystem {
    this.crash(options);
    return this.restart();
  }

  /**
   * Makes one operation (or several in a row) fail. What a failed sync should have written is read until the power is
   * cut, and never written.
   */
  arm(fault: Fault): void {
    this.#plan.arm(fault);
  }

  slow(slowness: Slowness): void {
    this.#plan.slow(slowness);
  }

  /** All files together take at most this many bytes; a write beyond it writes what fits and fails: `diskFull`. */
  limitBytes(bytesMax: number): void {
    this.#plan.bytesMax = bytesMax;
  }

  clearFaults(): void {
    this.#plan.clear();
  }

  /** Changes one bit of a file, in the cache and on the platter. */
  flipBit(path: string, position: number, bit: number): void {
    this.#life.names.tree.file(path).flipBit(position, bit);
  }

  /** Of all files together, as `limitBytes` counts. */
  get bytesUsed(): number {
    return bytesUsed(this.#life.names.tree.root);
  }

  /** Cuts a file short, in the cache and on the platter. */
  cutShort(path: string, length: number): void {
    const file = this.#life.names.tree.file(path);
    file.truncate(length);
    file.commit(file.mark());
  }

  /** The name is gone, in the cache and on the platter, with all that was not yet durable of its directory. */
  lose(path: string): void {
    const { names } = this.#life;
    names.tree.unlink(path);
    names.commitAll();
  }

  /** A copy of what a file holds now, in the cache; null: it is not there. */
  contentOf(path: string): Uint8Array | null {
    const { tree } = this.#life.names;
    if (!tree.has(path)) return null;
    const { cached } = tree.file(path);
    const bytes = new Uint8Array(cached.length);
    cached.read(bytes, 0);
    return bytes;
  }

  /** Puts a file there with these bytes, in the cache and on the platter, as who restores a backup. */
  restore(path: string, bytes: Uint8Array): void {
    const { names } = this.#life;
    if (names.tree.has(path)) names.tree.unlink(path);
    const file = new SimulatedFile();
    file.write(bytes, 0);
    file.commit(file.mark());
    names.tree.create(path, file);
    names.commitAll();
  }

  #begin(names: SimulatedNames): SimulatedLife {
    return new SimulatedLife(names, this.#plan, this.trace, this.#random, () => this.#countOperation());
  }

  /** The crash point when the operation just counted is the one. */
  #countOperation(): CrashPoint | undefined {
    this.#operationCount += 1;
    if (this.#operationCount !== this.#crashPoint?.operation) return undefined;
    const point = this.#crashPoint;
    this.#crashPoint = undefined;
    return point;
  }
}

class SimulatedLife implements Life {
  readonly names: SimulatedNames;
  readonly plan: FaultPlan;
  readonly trace: OperationTrace;
  readonly random: Random;
  readonly view: FileSystem;
  readonly writesInFlight = new Set<WriteInFlight>();
  readonly #countOperation: () => CrashPoint | undefined;
  #survivors: SimulatedNames | undefined;

  constructor(
    names: SimulatedNames,
    plan: FaultPlan,
    trace: OperationTrace,
    random: Random,
    countOperation: () => CrashPoint | undefined,
  ) {
    this.names = names;
    this.plan = plan;
    this.trace = trace;
    this.random = random;
    this.#countOperation = countOperation;
    this.view = new FaultyView(this);
  }

  get isAlive(): boolean {
    return this.#survivors === undefined;
  }

  checkAlive(): void {
    if (!this.isAlive) throw new SimulatedCrash('the machine has crashed; restart() begins the next life');
  }

  enter(action: { readonly whole: () => void; readonly partly: () => void }): void {
    const point = this.#countOperation();
    if (point === undefined) return;
    try {
      if (point.progress === 'after') action.whole();
      if (point.progress === 'partly') action.partly();
    } catch (error) {
      // An operation that cannot be done (renaming what is not there) changes nothing; the crash comes all the same.
      if (!(error instanceof PosixError)) throw error;
    }
    this.end(point.policy);
    throw new SimulatedCrash(`the machine crashed at operation ${point.operation}`);
  }

  end(policy: SurvivalPolicy): void {
    for (const { file, chunks, position } of this.writesInFlight) {
      // A killed process leaves each of its writes done or not done; a power cut may leave any sectors of it.
      if (policy === 'random' || this.random.below(2) === 0) writeChunks(file, chunks, position);
    }
    this.writesInFlight.clear();
    // The page cache lives on when only the process dies: names and files go over as they are, with all that is not yet
    // durable of them.
    this.#survivors =
      policy === 'keepAll' ? this.names : new SimulatedNames(this.names.survivors(policy, this.random));
  }

  survivors(): SimulatedNames {
    invariant(this.#survivors !== undefined, 'a life that goes on has no survivors yet');
    return this.#survivors;
  }
}
