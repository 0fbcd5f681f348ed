import { InvariantError } from '../../model/errors.ts';
import type { PartitionId } from '../../model/numbers.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { NodeState } from './node-state.ts';
import type { FreshReplica, ReplicaDirectories } from './replica-directories.ts';

/** The directory that a rebuild of one replica fills, beside the one that counts (C6). At most one at a time. */
export class RebuildSite {
  readonly #id: PartitionId;
  readonly #uuid: string;
  readonly #nodeState: NodeState;
  readonly #directories: ReplicaDirectories;
  #fresh: FreshReplica | null = null;

  constructor(id: PartitionId, uuid: string, nodeState: NodeState, directories: ReplicaDirectories) {
    this.#id = id;
    this.#uuid = uuid;
    this.#nodeState = nodeState;
    this.#directories = directories;
  }

  async open(): Promise<PartitionStore> {
    await this.discard();
    this.#fresh = await this.#directories.fresh(this.#id, this.#uuid);
    return this.#fresh.store;
  }

  /**
   * One rewrite of the node's state decides: a crash before it leaves the old directory, after it the new one. If it fails nobody can say which of the two the disk
   * names, so neither is removed before the next start. `placed` is called once it is decided, before the old one is closed.
   */
  async adopt(old: PartitionStore | null, placed: (store: PartitionStore) => void): Promise<void> {
    const fresh = this.#fresh;
    if (fresh === null) throw new InvariantError(`partition ${this.#id}: there is no rebuild to adopt`);
    this.#fresh = null;
    const oldName = this.#nodeState.partition(this.#id)?.directory ?? null;
    try {
      await this.#nodeState.placePartition(this.#id, this.#uuid, fresh.name);
    } catch (error) {
      await abandon(fresh.store);
      throw error;
    }
    placed(fresh.store);
    if (old !== null) await abandon(old);
    if (oldName !== null) await this.#directories.remove(oldName);
  }

  async discard(): Promise<void> {
    const fresh = this.#fresh;
    this.#fresh = null;
    if (fresh === null) return;
    await abandon(fresh.store);
    await this.#directories.remove(fresh.name);
  }
}

/** Of files that are not needed any more: how closing them goes is all the same. */
async function abandon(store: PartitionStore): Promise<void> {
  await store.abandon().catch(() => {});
}
