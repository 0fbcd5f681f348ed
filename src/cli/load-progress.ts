import { SingleBar } from 'cli-progress';
import type { TerminalWritable } from './cli-io.ts';
import type { LoadCounts } from './load-counts.ts';

const REDRAW_MS = 200;
const LINE_MS = 5_000;
const MIB = 1024 * 1024;

export const perSecond = (count: number, elapsedMs: number): number =>
  Math.round((count * 1000) / Math.max(1, elapsedMs));

/** Shows how a load goes: a bar on a terminal, else a plain line every few seconds. `totalBytes` may be unknown. */
export class LoadProgress {
  readonly #output: TerminalWritable;
  readonly #counts: LoadCounts;
  readonly #totalBytes: number | undefined;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #bar: SingleBar | undefined;
  /** Bytes of the input that were read. */
  readBytes = 0;

  constructor(output: TerminalWritable, counts: LoadCounts, totalBytes: number | undefined) {
    this.#output = output;
    this.#counts = counts;
    this.#totalBytes = totalBytes;
    const terminal = output.isTTY === true;
    if (terminal && totalBytes !== undefined) this.#bar = openBar(output, totalBytes);
    this.#timer = setInterval(() => this.#tick(), this.#bar === undefined ? LINE_MS : REDRAW_MS);
    this.#timer.unref();
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#bar === undefined) return;
    this.#tick();
    this.#bar.stop();
  }

  #tick(): void {
    const { loaded, errors } = this.#counts;
    const rate = perSecond(loaded, this.elapsedMs);
    if (this.#bar !== undefined) {
      this.#bar.update(this.readBytes, { loaded, errors, rate });
      return;
    }
    this.#output.write(`loaded ${loaded}, errors ${errors}, ${rate}/s, ${this.#position()}\n`);
  }

  #position(): string {
    const read = `${Math.floor(this.readBytes / MIB)} MiB read`;
    if (this.#totalBytes === undefined || this.#totalBytes === 0) return read;
    return `${Math.floor((100 * this.readBytes) / this.#totalBytes)} %`;
  }
}

function openBar(output: TerminalWritable, totalBytes: number): SingleBar {
  const bar = new SingleBar({
    format: '{bar} {percentage} % | {loaded} loaded | {errors} errors | {rate}/s',
    stream: output,
    barsize: 30,
    hideCursor: true,
    noTTYOutput: false,
  });
  bar.start(totalBytes, 0, { loaded: 0, errors: 0, rate: 0 });
  return bar;
}
