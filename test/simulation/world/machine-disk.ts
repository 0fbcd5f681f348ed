import type { Clock } from '../../../src/env/clock.ts';
import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { FileHandle, FileSystem, OpenMode } from '../../../src/env/file-system.ts';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { Life } from './life.ts';

/** How long operations take, in milliseconds: `min` plus up to `spread`, mostly near `min`. */
interface DiskPace {
  readonly min: number;
  readonly spread: number;
}

const USUAL: DiskPace = { min: 0.05, spread: 1.5 };
const READ: DiskPace = { min: 0.02, spread: 0.2 };
const SLOW: DiskPace = { min: 50, spread: 450 };

/** What a process that has ended waits for. Each a promise of its own, so that nothing piles up on one. */
const never = <Result>(): Promise<Result> => new Promise(() => undefined);

/**
 * The disk of a machine, over all lives of its node. Every operation takes its time on the clock of the life that
 * asked, so that a crash can fall before, into or behind each.
 */
export class MachineDisk {
  readonly #random: SeededRandom;
  /**
   * A life ended in the middle of a write, or one failed: it may have ended within a sector. Until whoever starts has
   * looked at it.
   */
  mayHaveTorn = false;
  /** A read failed since the last start: what scrub then calls bad is whole on the disk. */
  hasRefusedReads = false;
  #disk: FaultyFileSystem;
  #clock: Clock | null = null;
  #isSlow = false;
  #crashIn = 0;
  #crashEnding = '';
  #crash: (() => void) | null = null;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#disk = this.#blank();
  }

  get faulty(): FaultyFileSystem {
    return this.#disk;
  }

  /** What a life that begins now works on. */
  mount(clock: Clock, life: Life): FileSystem {
    this.#clock = clock;
    if (this.#disk.isCrashed) this.#disk.restart();
    return new TimedFileSystem(this, this.#disk.fileSystem, clock, life);
  }

  /** The life has ended; `policy` says what of the unsynced is left. */
  crash(policy: SurvivalPolicy): void {
    this.mayHaveTorn ||= this.#disk.isCrashed || policy === 'random';
    this.#crash = null;
    if (!this.#disk.isCrashed) this.#disk.crash({ policy });
  }

  /** A new disk was put in: nothing is left of the old one. */
  wipe(): void {
    this.#disk = this.#blank();
  }

  set isSlow(slow: boolean) {
    this.#isSlow = slow;
  }

  /** Calls `crash` at the n-th change from now on of a file whose path ends like this, in the middle of it. */
  crashAtChange(n: number, crash: () => void, ending = ''): void {
    this.#crashIn = n;
    this.#crashEnding = ending;
    this.#crash = crash;
  }

  get isCrashArmed(): boolean {
    return this.#crash !== null;
  }

  /** Takes back everything that was armed; it is as fast as ever. */
  heal(): void {
    this.#isSlow = false;
    this.#crash = null;
    this.#disk.clearFaults();
    this.#pace();
  }

  /** True: the machine ends with this change, which the caller begins and never sees the end of. */
  isLastChange(path: string): boolean {
    if (this.#crash === null || !path.endsWith(this.#crashEnding)) return false;
    this.#crashIn -= 1;
    return this.#crashIn <= 0;
  }

  endNow(): void {
    const crash = this.#crash;
    this.#crash = null;
    crash?.();
  }

  /** How long an operation takes that does not count its own time. */
  delayMs(): number {
    return this.#draw(this.#isSlow ? SLOW : USUAL);
  }

  /** Whether a change happens at the begin or at the end of its time. */
  happensFirst(): boolean {
    return this.#random.chance(0.5);
  }

  #blank(): FaultyFileSystem {
    const disk = new FaultyFileSystem({
      random: this.#random.fork(),
      clock: this.#presentClock(),
      isTraced: false,
    });
    this.#disk = disk;
    this.#pace();
    return disk;
  }

  #pace(): void {
    this.#disk.slow({
      readMs: () => this.#draw(this.#isSlow ? SLOW : READ),
      writeMs: () => this.delayMs(),
      syncMs: () => this.delayMs(),
    });
  }

  #draw(pace: DiskPace): number {
    return pace.min + this.#random.fraction() ** 3 * pace.spread;
  }

  /** Delegates to the clock of the life that runs: the disk outlives them all. */
  #presentClock(): Clock {
    const clock = (): Clock => {
      if (this.#clock === null) throw new Error('nobody uses this disk yet');
      return this.#clock;
    };
    return {
      wallMs: () => clock().wallMs(),
      monotonicMs: () => clock().monotonicMs(),
      setTimer: (delayMs, callback) => clock().setTimer(delayMs, callback),
      atTurnEnd: (callback) => clock().atTurnEnd(callback),
      yieldTurn: () => clock().yieldTurn(),
      sleep: (delayMs) => clock().sleep(delayMs),
    };
  }
}

/** The file system of one life: changes of names take time as well, and any change may be the last. */
class TimedFileSystem implements FileSystem {
  readonly #disk: MachineDisk;
  readonly #inner: FileSystem;
  readonly #clock: Clock;
  readonly #life: Life;

  constructor(disk: MachineDisk, inner: FileSystem, clock: Clock, life: Life) {
    this.#disk = disk;
    this.#inner = inner;
    this.#clock = clock;
    this.#life = life;
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const open = (): Promise<FileHandle> => this.#inner.open(path, mode);
    const handle = await (mode === 'create' ? this.change(path, open) : this.look(open));
    return new TimedHandle(handle, this);
  }

  exists(path: string): Promise<boolean> {
    return this.look(() => this.#inner.exists(path));
  }

  list(directory: string): Promise<string[]> {
    return this.look(() => this.#inner.list(directory));
  }

  makeDirectory(path: string): Promise<void> {
    return this.change(path, () => this.#inner.makeDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.change(to, () => this.#inner.rename(from, to));
  }

  unlink(path: string): Promise<void> {
    return this.change(path, () => this.#inner.unlink(path));
  }

  removeDirectory(path: string): Promise<void> {
    return this.change(path, () => this.#inner.removeDirectory(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.timed(path, () => this.#inner.syncDirectory(path));
  }

  freeBytes(path: string): Promise<number> {
    return this.look(() => this.#inner.freeBytes(path));
  }

  /** What changes nothing. Asked by a process that has just ended, it is never answered, as everything below. */
  look<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.#life.isAlive ? action() : never();
  }

  /** A change that the disk below does at once: it is done at the begin or at the end of the time it takes. */
  async change<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
    if (!this.#life.isAlive) return never();
    const delayMs = this.#disk.delayMs();
    const isFirst = this.#disk.happensFirst();
    if (this.#disk.isLastChange(path)) {
      if (isFirst) await action();
      this.#disk.endNow();
      return never();
    }
    if (!isFirst) await this.#clock.sleep(delayMs);
    const result = await action();
    if (isFirst) await this.#clock.sleep(delayMs);
    return result;
  }

  writeFailed(): void {
    this.#disk.mayHaveTorn = true;
  }

  readFailed(): void {
    this.#disk.hasRefusedReads = true;
  }

  /** A change whose time the disk below counts. */
  timed<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
    if (!this.#life.isAlive) return never();
    if (!this.#disk.isLastChange(path)) return action();
    // Begun, so that a power cut may leave any part of it.
    void action();
    this.#disk.endNow();
    return never();
  }
}

class TimedHandle implements FileHandle {
  readonly path: string;
  readonly #inner: FileHandle;
  readonly #fileSystem: TimedFileSystem;

  constructor(inner: FileHandle, fileSystem: TimedFileSystem) {
    this.path = inner.path;
    this.#inner = inner;
    this.#fileSystem = fileSystem;
  }

  size(): Promise<number> {
    return this.#fileSystem.look(() => this.#inner.size());
  }

  readAt(target: Uint8Array, position: number): Promise<number> {
    return this.#fileSystem.look(() => {
      const read = this.#inner.readAt(target, position);
      read.catch(() => this.#fileSystem.readFailed());
      return read;
    });
  }

  writeAt(chunks: readonly Uint8Array[], position: number): Promise<void> {
    return this.#fileSystem.timed(this.path, () => {
      const written = this.#inner.writeAt(chunks, position);
      // Whoever is killed next for another reason finds it as well.
      written.catch(() => this.#fileSystem.writeFailed());
      return written;
    });
  }

  sync(): Promise<void> {
    return this.#fileSystem.timed(this.path, () => this.#inner.sync());
  }

  truncate(length: number): Promise<void> {
    return this.#fileSystem.change(this.path, () => this.#inner.truncate(length));
  }

  close(): Promise<void> {
    return this.#fileSystem.look(() => this.#inner.close());
  }
}
