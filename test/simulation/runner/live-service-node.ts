import { EntryView, KeyView, type LeaderPartition, ReadArrivals } from '../../../src/cluster/index.ts';
import type { Clock } from '../../../src/env/clock.ts';
import { asDatabaseId, type NodeId, type PartitionId } from '../../../src/model/numbers.ts';
import { type Action, keysOf, Replies } from '../checkers/history.ts';
import type { FollowerRead, ServiceNode } from '../clients/service-node.ts';
import type { LiveNode } from '../world/world.ts';

const DATABASE = asDatabaseId(0);

/** The command layer's view of one life of a node of a world. */
export class LiveServiceNode implements ServiceNode {
  readonly clock: Clock;
  readonly arrivals = new ReadArrivals();
  readonly #node: LiveNode;

  constructor(node: LiveNode) {
    this.#node = node;
    this.clock = node.clock;
  }

  lead(partition: PartitionId): LeaderPartition | null {
    return this.#node.cluster.replicas.leading(partition);
  }

  leaderHint(partition: PartitionId): NodeId | null {
    return this.#node.cluster.replicas.replica(partition)?.state?.leader ?? null;
  }

  followerRead(partition: PartitionId, action: Action, stalenessMsMax: number): FollowerRead {
    const reads = this.#node.cluster.replicas.readStale(partition, stalenessMsMax);
    if (reads === null) return { kind: 'refused' };
    const values: (string | null)[] = [];
    for (const key of keysOf(action)) {
      const view = new KeyView();
      view.bytes = Buffer.from(key, 'latin1');
      view.end = view.bytes.length;
      view.hash = reads.hash(view.bytes, 0, view.end);
      const entry = new EntryView();
      if (!reads.readCommitted(DATABASE, view, entry, true))
        return { kind: 'suspended', until: reads.loaded };
      const { bytes, start, end } = entry;
      values.push(entry.found ? Buffer.from(bytes.subarray(start, end)).toString('latin1') : null);
    }
    const reply = action.kind === 'multiGet' ? Replies.values(values) : Replies.value(values[0] ?? null);
    return { kind: 'reply', reply };
  }
}
