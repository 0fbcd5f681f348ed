import { crc32 } from 'node:zlib';
import type { EventLog } from './world.ts';

const LINES_KEPT = 100_000;
const UNSUMMED_MAX = 16_384;

/** The last lines of what happened, and a checksum of all of them. */
export class RingEventLog implements EventLog {
  readonly #nowMs: () => number;
  readonly #ring: string[] = [];
  #lineCount = 0;
  #crc = 0;
  /** Lines that the checksum does not cover yet: one call for many. */
  #unsummed = '';

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get digest(): string {
    this.#sum();
    return `${this.#lineCount}-${this.#crc.toString(16).padStart(8, '0')}`;
  }

  get lineCount(): number {
    return this.#lineCount;
  }

  note(who: string, what: string): void {
    const line = `${this.#nowMs().toFixed(3)} ${who} ${what}`;
    this.#unsummed += line;
    if (this.#unsummed.length > UNSUMMED_MAX) this.#sum();
    this.#ring[this.#lineCount % LINES_KEPT] = line;
    this.#lineCount += 1;
  }

  #sum(): void {
    this.#crc = crc32(this.#unsummed, this.#crc);
    this.#unsummed = '';
  }

  lines(): readonly string[] {
    const begin = this.#lineCount % LINES_KEPT;
    return this.#lineCount <= LINES_KEPT
      ? [...this.#ring]
      : [...this.#ring.slice(begin), ...this.#ring.slice(0, begin)];
  }
}
