/** Edits that turn `from` into `to`: insert, delete, replace, or swap two neighbours. */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) best = Math.min(best, (beforePrevious[column - 2] ?? 0) + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/**
 * The known name that `name` was probably meant to be; null if none is near. Case does not count. The last part
 * of a dotted name counts alone as well: `storage.port` and `port` are near `resp.port`.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  const wanted = name.toLowerCase();
  const leaf = lastPart(wanted);
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const whole = candidate.toLowerCase();
    const byWhole = editDistance(wanted, whole);
    const byLeaf = editDistance(leaf, lastPart(whole)) + (whole.includes('.') ? 0.5 : 0);
    const near = byWhole <= Math.max(2, wanted.length / 4) || byLeaf <= Math.max(1, leaf.length / 4);
    const distance = Math.min(byWhole, byLeaf);
    if (near && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
