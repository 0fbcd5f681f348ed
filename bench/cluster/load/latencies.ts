/** Neighbouring buckets differ by this factor: what a percentile may be off by. */
const BUCKET_FACTOR = 1.01;
const LOG_FACTOR = Math.log(BUCKET_FACTOR);
/** Reaches from a microsecond to over 100 s. */
const BUCKETS = 1900;

/** How long operations took: counts in buckets of 1 % width. */
export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  get count(): number {
    return this.#total;
  }

  record(milliseconds: number, operations: number): void {
    const bucket = Math.floor(Math.log(Math.max(milliseconds * 1000, 1)) / LOG_FACTOR);
    this.#counts[Math.min(bucket, BUCKETS - 1)]! += operations;
    this.#total += operations;
  }

  /** The latency in ms that `share` of the operations did not exceed; NaN when there was none. */
  percentile(share: number): number {
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket]!;
      if (seen > 0 && seen >= share * this.#total) return BUCKET_FACTOR ** (bucket + 0.5) / 1000;
    }
    return Number.NaN;
  }
}
