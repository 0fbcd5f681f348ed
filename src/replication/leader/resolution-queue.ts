import type { Offset } from '../../model/numbers.ts';

interface Waiter {
  readonly offset: Offset;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/**
 * Those who wait for an offset to be committed or given up: readers behind their own write, reads of keys that are due.
 * Many may wait for the same offset; they share a promise. Completed from one place (PROTOCOL 2.7).
 */
export class ResolutionQueue {
  /** In order of offset. */
  readonly #waiters: Waiter[] = [];

  wait(offset: Offset): Promise<void> {
    let at = this.#waiters.length;
    while (at > 0 && (this.#waiters[at - 1] as Waiter).offset > offset) at -= 1;
    const before = this.#waiters[at - 1];
    if (before?.offset === offset) return before.promise;
    const { promise, resolve } = newDeferred();
    this.#waiters.splice(at, 0, { offset, promise, resolve });
    return promise;
  }

  /** Everything below `offset` is resolved. */
  resolveBelow(offset: Offset): void {
    let done = 0;
    while (done < this.#waiters.length && (this.#waiters[done] as Waiter).offset < offset) done += 1;
    for (const waiter of this.#waiters.splice(0, done)) waiter.resolve();
  }

  /** `offset` and everything above it is resolved. */
  resolveFrom(offset: Offset): void {
    let kept = this.#waiters.length;
    while (kept > 0 && (this.#waiters[kept - 1] as Waiter).offset >= offset) kept -= 1;
    for (const waiter of this.#waiters.splice(kept)) waiter.resolve();
  }
}

function newDeferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
