import { isTaken } from '../../scripts/cluster/port-probe.ts';

/** From 20,000 on, below the range from which the kernel takes the ports of outgoing connections. */
const OFFSET_MIN = 13_000;
const OFFSET_MAX = 24_000;
/** Apart enough that ten nodes have ports of their own; the bases differ by 10, 100 and 200. */
const STEP = 300;
const BASES: readonly number[] = [7000, 7010, 7100, 7200];
const ATTEMPTS_MAX = 100;

const taken = new Set<number>();

/** What to add to the ports of conf/cluster3 so that `nodeCount` nodes find all of theirs free; another one each time. */
export async function freePortOffset(nodeCount: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const steps = Math.floor((Math.random() * (OFFSET_MAX - OFFSET_MIN)) / STEP);
    const offset = OFFSET_MIN + steps * STEP;
    if (taken.has(offset)) continue;
    taken.add(offset);
    if (await areFree(offset, nodeCount)) return offset;
  }
  throw new Error(`no offset at which the ports of ${nodeCount} nodes are free`);
}

async function areFree(offset: number, nodeCount: number): Promise<boolean> {
  for (const base of BASES) {
    for (let id = 1; id <= nodeCount; id += 1)
      if (await isTaken('127.0.0.1', base + offset + id)) return false;
  }
  return true;
}
