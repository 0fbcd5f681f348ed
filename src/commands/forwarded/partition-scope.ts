import {
  type LeaderPartition,
  type MapSource,
  NO_PARTITION,
  type ReadArrivals,
  type Router,
  slotOf,
} from '../../cluster/index.ts';

/** A router that knows one partition: what a forwarded command is about, whether it names keys or not. */
export class PartitionScope implements Router {
  readonly #router: Router & MapSource;
  #partitions: readonly LeaderPartition[] = [];

  constructor(router: Router & MapSource) {
    this.#router = router;
  }

  get partitions(): readonly LeaderPartition[] {
    return this.#partitions;
  }

  get arrivals(): ReadArrivals {
    return this.#router.arrivals;
  }

  enter(partition: LeaderPartition): void {
    if (this.#partitions[0] !== partition) this.#partitions = [partition];
  }

  /** A key that does not lie here finds nothing that would take it. */
  partitionOf(bytes: Uint8Array, start: number, end: number): LeaderPartition {
    const partition = this.#partitions[0] ?? NO_PARTITION;
    const route = this.#router.map.partitionOfSlot(slotOf(bytes, start, end));
    return route?.id === partition.id ? partition : NO_PARTITION;
  }
}
