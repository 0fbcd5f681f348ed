import { Latencies } from './latencies.ts';

/** Counts what is answered between the end of the warm-up and the end of the run. */
export class LoadMeter {
  readonly latencies = new Latencies();
  /** Null: nothing went wrong. */
  failure: string | null = null;
  #measuring = false;
  #open = true;

  /** Whether new units may be sent. */
  get isOpen(): boolean {
    return this.#open && this.failure === null;
  }

  answered(sentAtMs: number, operations: number): void {
    if (this.#measuring) this.latencies.record(performance.now() - sentAtMs, operations);
  }

  fail(reason: string): void {
    this.failure ??= reason;
  }

  measure(): void {
    this.#measuring = true;
  }

  stop(): void {
    this.#measuring = false;
    this.#open = false;
  }
}
