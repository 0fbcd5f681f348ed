import type { NodeId } from '../../model/numbers.ts';

export interface IsrElr {
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[];
}

/**
 * ISR and ELR after a change of the ISR (R1, KIP-966). While the ISR has at least `minInsync` members the high
 * watermark moves, so that whoever is outside falls behind: no ELR. Below that it is frozen, and who leaves has
 * everything committed; except `dropped`, of whom that is not known.
 */
export function nextIsrElr(
  now: IsrElr,
  nextIsr: readonly NodeId[],
  minInsync: number,
  dropped: ReadonlySet<NodeId>,
): IsrElr {
  if (nextIsr.length >= minInsync) return { isr: nextIsr, elr: [] };
  const complete = new Set([...now.elr, ...now.isr]);
  const elr = [...complete].filter((node) => !nextIsr.includes(node) && !dropped.has(node));
  return { isr: nextIsr, elr };
}
