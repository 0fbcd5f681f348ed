import { ReadArrivals, type Router, slotOf } from '../../src/cluster/index.ts';
import { SLOT_COUNT } from '../../src/model/numbers.ts';
import { FakePartition, type FakePartitionOptions } from './fake-partition.ts';

/** A router over fake partitions that own equal contiguous slot ranges. */
export class FakeRouter implements Router {
  readonly partitions: readonly FakePartition[];
  readonly arrivals = new ReadArrivals();

  constructor(count = 1, options: FakePartitionOptions = {}) {
    this.partitions = Array.from({ length: count }, (_, id) => new FakePartition({ ...options, id }));
  }

  partitionOf(bytes: Uint8Array, start: number, end: number): FakePartition {
    const index = Math.floor((slotOf(bytes, start, end) * this.partitions.length) / SLOT_COUNT);
    return this.partitions[index] as FakePartition;
  }
}
