import { invariant } from '../model/errors.ts';
import type { Clock } from './clock.ts';
import { PosixError } from './disk-errors.ts';

export type FaultyOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'removeDirectory'
  | 'syncDirectory';

export interface Fault {
  readonly operation: FaultyOperation;
  /** The n-th matching operation from now on fails; default 1, the next. */
  readonly nth?: number;
  /** Only operations whose path contains this count; default all. */
  readonly path?: string;
  /** Default `EIO`. */
  readonly errno?: string;
  /** How many in a row fail, from the n-th on; default 1. */
  readonly times?: number;
}

/** How long an operation takes; a function is asked anew each time. */
export type Duration = number | (() => number);

export interface Slowness {
  readonly readMs?: Duration;
  readonly writeMs?: Duration;
  /** Of files and of directories. */
  readonly syncMs?: Duration;
}

interface ArmedFault {
  readonly fault: Fault;
  passesLeft: number;
  failuresLeft: number;
}

/** What a simulated disk is told to do wrong: which operation fails, how slow it is, how much it takes. */
export class FaultPlan {
  readonly #clock: Clock | undefined;
  #faults: ArmedFault[] = [];
  #slowness: Slowness = {};
  /** Of all files together. */
  bytesMax = Number.POSITIVE_INFINITY;

  constructor(clock: Clock | undefined) {
    this.#clock = clock;
  }

  arm(fault: Fault): void {
    this.#faults.push({ fault, passesLeft: (fault.nth ?? 1) - 1, failuresLeft: fault.times ?? 1 });
  }

  /** Takes back every armed fault, every delay and the limit. */
  clear(): void {
    this.#faults = [];
    this.#slowness = {};
    this.bytesMax = Number.POSITIVE_INFINITY;
  }

  slow(slowness: Slowness): void {
    invariant(this.#clock !== undefined, 'a slow disk needs a clock: give one to its constructor');
    this.#slowness = slowness;
  }

  async delay(kind: keyof Slowness): Promise<void> {
    const duration = this.#slowness[kind] ?? 0;
    const delayMs = typeof duration === 'number' ? duration : duration();
    if (this.#clock !== undefined && delayMs > 0) await this.#clock.sleep(delayMs);
  }

  /** Counts the operation on every armed fault it matches; the error of the first that strikes. */
  strike(operation: FaultyOperation, path: string): PosixError | undefined {
    let struck: PosixError | undefined;
    for (const armed of this.#faults) {
      const { fault } = armed;
      if (fault.operation !== operation || !path.includes(fault.path ?? '')) continue;
      if (armed.passesLeft > 0) armed.passesLeft -= 1;
      else if (struck === undefined) {
        armed.failuresLeft -= 1;
        struck = new PosixError(fault.errno ?? 'EIO');
      }
    }
    this.#faults = this.#faults.filter((armed) => armed.failuresLeft > 0);
    return struck;
  }
}
