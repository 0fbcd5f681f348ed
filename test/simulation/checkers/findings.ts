/** What checkers found wrong. The first of each checker tells most: the rest is often its consequence. */
export interface Finding {
  readonly checker: string;
  readonly atMs: number;
  readonly text: string;
}

/** The checker of unexpected ends of a node. */
export const DEFECT = 'defect';

const FINDINGS_MAX = 50;

export class Findings {
  readonly #nowMs: () => number;
  readonly #found: Finding[] = [];
  #count = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get count(): number {
    return this.#count;
  }

  get list(): readonly Finding[] {
    return this.#found;
  }

  add(checker: string, text: string): void {
    this.#count += 1;
    if (this.#found.length < FINDINGS_MAX) this.#found.push({ checker, atMs: this.#nowMs(), text });
  }

  /** Adds a finding unless `condition` holds; `text` is built only then. */
  expect(condition: boolean, checker: string, text: () => string): void {
    if (!condition) this.add(checker, text());
  }
}
