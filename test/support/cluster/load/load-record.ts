import type { Ending } from './reply-outcome.ts';

/** One attempt of a client, as the curves need it. Times on the monotonic clock. */
export interface LoadSample {
  readonly isWrite: boolean;
  readonly partition: number;
  readonly client: number;
  /** Whose answer it is: the port of the listener. */
  readonly port: number;
  readonly invokedAtMs: number;
  readonly endedAtMs: number;
  readonly ending: Ending;
  /** What was answered where it was not done. */
  readonly reason: string;
}

/** A stretch of time in which something did not succeed. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Everything that clients met, in the order in which it ended. */
export class LoadRecord {
  readonly #samples: LoadSample[] = [];
  readonly #counts = new Map<Ending, number>();

  get samples(): readonly LoadSample[] {
    return this.#samples;
  }

  add(sample: LoadSample): void {
    this.#samples.push(sample);
    this.#counts.set(sample.ending, this.count(sample.ending) + 1);
  }

  count(ending: Ending): number {
    return this.#counts.get(ending) ?? 0;
  }

  /** Those that ended in [from, to). */
  between(fromMs: number, toMs: number): readonly LoadSample[] {
    return this.#samples.slice(this.#indexAt(fromMs), this.#indexAt(toMs));
  }

  /** The first sample that ended at or after `atMs`. */
  #indexAt(atMs: number): number {
    let low = 0;
    let high = this.#samples.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#samples[middle]!.endedAtMs < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * The longest time in [from, to] in which no write, or no read, succeeded: anywhere, or with `partition` in that one. A
   * gap that begins before or ends after the stretch is cut there.
   */
  longestGap(kind: 'write' | 'read', fromMs: number, toMs: number, partition?: number): Gap {
    let longest: Gap = { fromMs, toMs: fromMs };
    let lastMs = fromMs;
    const close = (atMs: number): void => {
      if (atMs - lastMs > longest.toMs - longest.fromMs) longest = { fromMs: lastMs, toMs: atMs };
      lastMs = atMs;
    };
    for (const sample of this.between(fromMs, toMs)) {
      const isMeant = partition === undefined || sample.partition === partition;
      if (sample.ending === 'done' && sample.isWrite === (kind === 'write') && isMeant)
        close(sample.endedAtMs);
    }
    close(toMs);
    return longest;
  }
}

export const lengthOf = ({ fromMs, toMs }: Gap): number => toMs - fromMs;
