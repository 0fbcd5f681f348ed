/** Counts what happened in runs, by name: a suite that never met something has not tested it. */
export class Coverage {
  readonly #counts = new Map<string, number>();

  hit(name: string, times = 1): void {
    if (times > 0) this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }

  add(other: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(other)) this.hit(name, count);
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  missing(names: readonly string[]): readonly string[] {
    return names.filter((name) => this.count(name) === 0);
  }

  toRecord(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1)));
  }
}

/** What a suite must meet beside every kind of fault at every role. */
export const COVERED = [
  'election from the ELR',
  'resync',
  'deferred commit',
  'promise wait',
  'read by lease',
  'read by read-index',
  'read by version check',
  'restart proved whole',
  'restart lossy',
  'follower read',
  'expired key',
  'merge',
  'sync by the journal',
  'lap of the journal',
  'log mended by the journal',
  'retry answered from the table',
  'retry joined its waiter',
  'command below the window',
  'gap of a forwarder',
] as const;
export type Covered = (typeof COVERED)[number];
