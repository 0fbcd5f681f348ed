import type { Clock } from '../env/clock.ts';

/** Something with unflushed batches. */
export interface Flushable {
  readonly hasUnflushed: boolean;
  /** Flushes one batch. Never rejects: its owner deals with failures. */
  flushOne(): Promise<void>;
}

/**
 * After a flush the next one waits for so many turns: those whose writes were just acknowledged send their next ones in them,
 * and a sync for all costs what a sync for a few does. With one client the turns are empty and take microseconds. Measured in
 * bench/RESULTS.md.
 */
const GATHER_TURNS = 3;

/**
 * Decides when the logs of a node are written and synced. What was appended in one turn of the event loop goes out at
 * its end; while a log is being synced its next batch grows. No more than `syncsMax` run at a time: they share libuv's
 * thread pool with the reads, and past a few the disk gives nothing more.
 */
export class FlushScheduler {
  readonly #clock: Clock;
  readonly #syncsMax: number;
  readonly #gatherTurns: number;
  readonly #waiting: Flushable[] = [];
  readonly #known = new Set<Flushable>();
  #running = 0;
  #startAsked = false;
  flushes = 0;

  /** `gatherTurns`: 0 where whoever asks for flushes has gathered before. */
  constructor(clock: Clock, syncsMax: number, gatherTurns = GATHER_TURNS) {
    this.#clock = clock;
    this.#syncsMax = syncsMax;
    this.#gatherTurns = gatherTurns;
  }

  /** Call after an append; cheap when the log is already waiting or being flushed. */
  request(log: Flushable): void {
    if (this.#enqueue(log)) this.#startAfter(1);
  }

  /** As `request`, of one who has waited for the end of the turn already. */
  requestNow(log: Flushable): void {
    if (this.#enqueue(log)) this.#start();
  }

  /** False: it waits already, or is being flushed. */
  #enqueue(log: Flushable): boolean {
    if (this.#known.has(log)) return false;
    this.#known.add(log);
    this.#waiting.push(log);
    return true;
  }

  /** One start is on its way at a time; whatever is waiting when it comes goes with it. */
  #startAfter(turns: number): void {
    if (this.#startAsked) return;
    this.#startAsked = true;
    this.#countDown(turns);
  }

  #countDown(turns: number): void {
    this.#clock.atTurnEnd(() => {
      if (turns > 1) {
        this.#countDown(turns - 1);
        return;
      }
      this.#startAsked = false;
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
    if (this.#gatherTurns === 0) this.#start();
    else this.#startAfter(this.#gatherTurns);
  }
}
