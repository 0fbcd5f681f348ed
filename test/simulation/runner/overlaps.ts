import { keysOf, type Operation } from '../checkers/history.ts';

/**
 * How many operations were in flight together with another one on one of their keys: a history without overlaps tests
 * nothing.
 */
export function countOverlaps(operations: readonly Operation[]): number {
  const overlapping = new Set<number>();
  const latest = new Map<string, Operation>();
  for (const operation of operations) {
    for (const key of keysOf(operation.action)) {
      const before = latest.get(key);
      if (before !== undefined && endOf(before) > operation.invoked) {
        overlapping.add(before.id);
        overlapping.add(operation.id);
      }
      if (before === undefined || endOf(operation) > endOf(before)) latest.set(key, operation);
    }
  }
  return overlapping.size;
}

/** One that nobody heard of again overlaps for ever: that says nothing, so only what was answered counts. */
function endOf({ returned, invoked }: Operation): number {
  return Number.isFinite(returned) ? returned : invoked;
}
