import type { ClusterLoad } from '../../test/support/cluster/load/cluster-load.ts';
import { isInDoubt } from './fault-window.ts';
import { count } from './verdict.ts';

const INTERVAL_MS = 200;
/** Where nobody looks, a line stays, and comes less often. */
const INTERVAL_MS_KEPT = 2_000;
const RATE_MS = 1_000;

/** One line that says how the demonstration stands: rewritten in place on a terminal, else a new one now and then. */
export class LiveLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #load: ClusterLoad;
  readonly #words: () => string;
  readonly #beganAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** `words`: who leads, and what is wrong. */
  constructor(stream: NodeJS.WriteStream, load: ClusterLoad, words: () => string) {
    this.#stream = stream;
    this.#load = load;
    this.#words = words;
  }

  start(): void {
    const intervalMs = this.#stream.isTTY ? INTERVAL_MS : INTERVAL_MS_KEPT;
    this.#timer = setInterval(() => this.#write(this.text), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }

  /** A line that stays, above the live one. */
  say(text: string): void {
    this.#stream.write(this.#stream.isTTY ? `\r\u001b[K${text}\n` : `${text}\n`);
  }

  get text(): string {
    const { record, ledger, inFlight } = this.#load;
    const nowMs = performance.now();
    const recent = record.between(nowMs - RATE_MS, nowMs).filter(({ ending }) => ending === 'done');
    const doubtful = record.samples.filter(isInDoubt).length;
    const parts = [
      `${((nowMs - this.#beganAtMs) / 1000).toFixed(0).padStart(3)} s`,
      `${count(recent.length)}/s`,
      `keys acknowledged ${count(ledger.size)}`,
      `refused ${count(record.count('refused'))}`,
      `in doubt ${count(doubtful)}`,
      `in flight ${inFlight}`,
      this.#words(),
    ];
    return parts.join('  ');
  }

  #write(text: string): void {
    if (!this.#stream.isTTY) this.#stream.write(`${text}\n`);
    else this.#stream.write(`\r\u001b[K${text.slice(0, this.#stream.columns - 1)}`);
  }
}
