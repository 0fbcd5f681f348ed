import type { CaskadeError } from '../../src/model/errors.ts';
import { asDatabaseId, asEpochMillis, asOffset, type Offset } from '../../src/model/numbers.ts';
import type { Partition } from '../../src/replication/leader/partition.ts';
import {
  type CommitListener,
  EntryView,
  type LeaderPartition,
  ReadOutcome,
} from '../../src/replication/leader-partition.ts';
import type { StoreNode } from '../../src/server/store-node.ts';
import { textOf, viewOf } from './modelled-store.ts';
import type { NodeMachine } from './node-machine.ts';

const DATABASE = asDatabaseId(0);

/** What became of a write: done, or the code of the error it was answered with. */
export type WriteOutcome = 'ok' | CaskadeError['code'];

interface Pending {
  readonly offset: Offset;
  readonly resolve: (outcome: WriteOutcome) => void;
}

/** One client of a node's only partition, as the connection and the commands would treat it. */
export class NodeClient implements CommitListener {
  readonly machine: NodeMachine;
  readonly node: StoreNode;
  readonly partition: Partition;
  #pending: Pending[] = [];

  constructor(machine: NodeMachine, node: StoreNode) {
    this.machine = machine;
    this.node = node;
    this.partition = node.partitions[0] as Partition;
  }

  static async open(
    machine: NodeMachine,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<NodeClient> {
    return new NodeClient(machine, await machine.open(settings));
  }

  committed(partition: LeaderPartition): void {
    this.#resolve(({ offset }) => offset < partition.highWatermark, 'ok');
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    this.#resolve(({ offset }) => offset >= firstOffset, error.code);
  }

  /** Answered when resolved; the caller moves the clock. */
  put(key: string, value: string, expiresAtMs = 0): Promise<WriteOutcome> {
    const bytes = Buffer.from(value, 'latin1');
    return this.#write((partition) =>
      partition.put(DATABASE, viewOf(key, partition), bytes, 0, bytes.length, asEpochMillis(expiresAtMs)),
    );
  }

  remove(key: string): Promise<WriteOutcome> {
    return this.#write((partition) => partition.remove(DATABASE, viewOf(key, partition), 0));
  }

  expire(key: string, expiresAtMs: number): Promise<WriteOutcome> {
    return this.#write((partition) =>
      partition.changeExpiry(DATABASE, viewOf(key, partition), asEpochMillis(expiresAtMs)),
    );
  }

  async set(key: string, value: string, expiresAtMs = 0): Promise<WriteOutcome> {
    return this.machine.clock.until(this.put(key, value, expiresAtMs));
  }

  async del(key: string): Promise<WriteOutcome> {
    return this.machine.clock.until(this.remove(key));
  }

  /** The value, null, or the error the read was refused with. */
  async get(key: string): Promise<string | null | CaskadeError> {
    const { partition } = this;
    const entry = new EntryView();
    for (;;) {
      const outcome = partition.readCommitted(DATABASE, viewOf(key, partition), entry, true);
      if (outcome === ReadOutcome.refused) return partition.refusal;
      if (outcome === ReadOutcome.ready) return entry.found ? textOf(entry) : null;
      await this.machine.clock.until(partition.suspension);
    }
  }

  async value(key: string): Promise<string | null> {
    const found = await this.get(key);
    if (found !== null && typeof found !== 'string') throw found;
    return found;
  }

  /** One attempt: what GET would see now, without waiting; `suspended` or `refused` if it would see nothing yet. */
  peek(key: string): string | null {
    const { partition } = this;
    const entry = new EntryView();
    const outcome = partition.readCommitted(DATABASE, viewOf(key, partition), entry, true);
    if (outcome !== ReadOutcome.ready) return outcome === ReadOutcome.refused ? 'refused' : 'suspended';
    return entry.found ? textOf(entry) : null;
  }

  expiryOf(key: string): number {
    const { partition } = this;
    const entry = new EntryView();
    partition.readCommitted(DATABASE, viewOf(key, partition), entry, false);
    return entry.expiresAtMs;
  }

  keyCount(): number {
    return this.partition.keyCount(DATABASE);
  }

  #write(append: (partition: Partition) => Offset): Promise<WriteOutcome> {
    const refusal = this.partition.writeRefusal();
    if (refusal !== null) return Promise.resolve(refusal.code);
    const offset = append(this.partition);
    this.partition.listen(this);
    return new Promise((resolve) => this.#pending.push({ offset: asOffset(offset), resolve }));
  }

  #resolve(which: (pending: Pending) => boolean, outcome: WriteOutcome): void {
    const resolved = this.#pending.filter(which);
    this.#pending = this.#pending.filter((pending) => !which(pending));
    for (const pending of resolved) pending.resolve(outcome);
  }
}
