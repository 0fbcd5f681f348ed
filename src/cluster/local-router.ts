import { InvariantError } from '../model/errors.ts';
import { SLOT_COUNT } from '../model/numbers.ts';
import type { LeaderPartition } from '../replication/leader-partition.ts';
import { ReadArrivals } from '../replication/read-arrivals.ts';
import type { Router } from './router.ts';
import { slotOf } from './slots.ts';

/** Router of a node that leads every partition. Slot ranges are stored facts, not computed: a partition may be split one day. */
export class LocalRouter implements Router {
  readonly partitions: readonly LeaderPartition[];
  readonly arrivals = new ReadArrivals();
  readonly #bySlot: LeaderPartition[];
  readonly #only: LeaderPartition | null;

  constructor(
    partitions: readonly LeaderPartition[],
    slots: readonly (readonly [first: number, last: number, partition: number])[],
  ) {
    this.partitions = partitions;
    const byId = new Map(partitions.map((partition) => [partition.id as number, partition]));
    const bySlot = new Array<LeaderPartition | undefined>(SLOT_COUNT).fill(undefined);
    for (const [first, last, id] of slots) bySlot.fill(byId.get(id), first, last + 1);
    const lost = bySlot.indexOf(undefined);
    if (lost >= 0) throw new InvariantError(`slot ${lost} belongs to no partition`);
    this.#bySlot = bySlot as LeaderPartition[];
    this.#only = partitions.length === 1 ? (partitions[0] ?? null) : null;
  }

  partitionOf(bytes: Uint8Array, start: number, end: number): LeaderPartition {
    return this.#only ?? (this.#bySlot[slotOf(bytes, start, end)] as LeaderPartition);
  }
}
