/** What was written once, under a key of its own, and acknowledged: it must be there for ever. */
export class Ledger {
  readonly #acknowledged = new Map<string, string>();
  /** By partition, the newest, so that they are read while they are fresh. */
  readonly #recent: string[][] = [];

  get size(): number {
    return this.#acknowledged.size;
  }

  get keys(): Iterable<string> {
    return this.#acknowledged.keys();
  }

  acknowledge(partition: number, key: string, value: string): void {
    this.#acknowledged.set(key, value);
    const recent = this.#recent[partition] ?? [];
    this.#recent[partition] = recent;
    recent.push(key);
    if (recent.length > RECENT_MAX) recent.shift();
  }

  valueOf(key: string): string | undefined {
    return this.#acknowledged.get(key);
  }

  recent(partition: number): readonly string[] {
    return this.#recent[partition] ?? [];
  }

  /** Keys that do not hold what was acknowledged. */
  lost(held: ReadonlyMap<string, string | null>): readonly string[] {
    return [...this.#acknowledged].filter(([key, value]) => held.get(key) !== value).map(([key]) => key);
  }
}

const RECENT_MAX = 50;
