import type { ClusterFacts } from '../../../../src/model/partition-state.ts';
import { History } from '../../../simulation/checkers/history.ts';
import { SeededRandom } from '../../seeded-random.ts';
import type { NodeAddresses } from '../node-process.ts';
import { keyTags } from './key-tags.ts';
import { Ledger } from './ledger.ts';
import { LoadClient } from './load-client.ts';
import { isUniqueKey, LoadMaterial } from './load-material.ts';
import { LoadRecord } from './load-record.ts';

export interface ClusterLoadOptions {
  /** All keys begin with it: two loads on one cluster have names of their own. */
  readonly name: string;
  readonly seed: number;
  readonly facts: Pick<ClusterFacts, 'slots'>;
  readonly nodes: readonly NodeAddresses[];
  /** Of each partition. Every other one uses the cluster listener; they are spread over the nodes. */
  readonly clientsPerPartition: number;
  /** Of all clients together, while all goes well. */
  readonly actionsPerSecond: number;
  /** More than the server's own deadline. */
  readonly timeoutMs: number;
  /** Default both. */
  readonly listeners?: readonly ('plain' | 'cluster')[];
}

/** Clients of every partition, through every node and both kinds of listener, and all that they met. */
export class ClusterLoad {
  readonly history = new History(() => performance.now());
  readonly ledger = new Ledger();
  readonly record = new LoadRecord();
  readonly clients: readonly LoadClient[];
  readonly #materials: readonly LoadMaterial[];

  constructor(options: ClusterLoadOptions) {
    const { name, seed, facts, nodes, clientsPerPartition, actionsPerSecond, timeoutMs } = options;
    const { listeners = ['plain', 'cluster'] } = options;
    const random = new SeededRandom(seed);
    const tags = keyTags(facts);
    this.#materials = tags.map(
      (tag, index) => new LoadMaterial(random.fork(), name, index, tag, this.ledger),
    );
    const count = tags.length * clientsPerPartition;
    const intervalMs = (1000 * count) / actionsPerSecond;
    this.clients = Array.from({ length: count }, (_, client) => {
      const partition = client % tags.length;
      const turn = Math.floor(client / tags.length);
      const listener = listeners[turn % listeners.length]!;
      const ports = nodes.map((_node, index) => {
        const { plainPort, clusterPort } = nodes[(index + partition + turn) % nodes.length]!;
        return listener === 'plain' ? plainPort : clusterPort;
      });
      return new LoadClient(
        { client, partition, listener, ports, intervalMs, timeoutMs },
        {
          material: this.#materials[partition]!,
          history: this.history,
          ledger: this.ledger,
          record: this.record,
          random: random.fork(),
        },
      );
    });
  }

  get partitions(): readonly number[] {
    return this.#materials.map((_material, partition) => partition);
  }

  get inFlight(): number {
    return this.clients.filter(({ isInFlight }) => isInFlight).length;
  }

  /** Of everything that was ever asked for, by partition. */
  get keys(): readonly (readonly string[])[] {
    const keys = this.#materials.map(({ sharedKeys }) => [...sharedKeys]);
    for (const { partition, action } of this.history.operations())
      if ('key' in action && isUniqueKey(action.key)) keys[partition]?.push(action.key);
    return keys.map((some) => [...new Set(some)]);
  }

  start(): void {
    for (const client of this.clients) client.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.stop()));
  }
}
