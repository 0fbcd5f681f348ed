import type { Clock } from '../env/clock.ts';

/** Something with unflushed batches. */
export interface Flushable {
  readonly hasUnflushed: boolean;
  /** Flushes one batch. Never rejects: its owner deals with failures. */
  flushOne(): Promise<void>;
}

/**
 * Decides when the logs of a node are written and synced. What was appended in one turn of the event loop goes out at its end; while a
 * log is being synced its next batch grows. No more than `syncsMax` run at a time: they share libuv's thread pool with
 * the reads, and past a few the disk gives nothing more.
 */
export class FlushScheduler {
  readonly #clock: Clock;
  readonly #syncsMax: number;
  readonly #waiting: Flushable[] = [];
  readonly #known = new Set<Flushable>();
  #running = 0;
  #turnEndAsked = false;
  flushes = 0;

  constructor(clock: Clock, syncsMax: number) {
    this.#clock = clock;
    this.#syncsMax = syncsMax;
  }

  /** Call after an append; cheap when the log is already waiting or being flushed. */
  request(log: Flushable): void {
    if (this.#known.has(log)) return;
    this.#known.add(log);
    this.#waiting.push(log);
    if (this.#turnEndAsked) return;
    this.#turnEndAsked = true;
    this.#clock.atTurnEnd(() => {
      this.#turnEndAsked = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#running < this.#syncsMax) {
      const log = this.#waiting.shift();
      if (log === undefined) return;
      this.#running += 1;
      this.flushes += 1;
      void log.flushOne().then(() => this.#finished(log));
    }
  }

  #finished(log: Flushable): void {
    this.#running -= 1;
    if (log.hasUnflushed) this.#waiting.push(log);
    else this.#known.delete(log);
    this.#start();
  }
}
