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
  /**
   * The directory that counted before the node's state was told of the fresh one; null: it was not told, and names the
   * fresh one surely not.
   */
  #before: { readonly name: string | null } | null = null;

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
   * One rewrite of the node's state decides: a crash before it leaves the old directory, after it the new one. If it
   * fails nobody can say which of the two the disk names: then nothing may be acknowledged under the old one until
   * `discard` has taken it back, or this call, made again, has succeeded. `placed` is called once it is decided, before
   * the old one is closed.
   */
  async adopt(old: PartitionStore | null, placed: (store: PartitionStore) => void): Promise<void> {
    const fresh = this.#fresh;
    if (fresh === null) throw new InvariantError(`partition ${this.#id}: there is no rebuild to adopt`);
    this.#before ??= { name: this.#nodeState.partition(this.#id)?.directory ?? null };
    const { name } = this.#before;
    await this.#nodeState.placePartition(this.#id, this.#uuid, fresh.name);
    this.#fresh = null;
    this.#before = null;
    placed(fresh.store);
    if (old !== null) await abandon(old);
    if (name !== null) await this.#directories.remove(name);
  }

  /**
   * Removes what is not adopted. Where the disk may name it, it must first surely name the old one again: if that fails
   * both stay, and neither may be used before the next start.
   */
  async discard(): Promise<void> {
    const fresh = this.#fresh;
    if (fresh === null) return;
    if (this.#before !== null) {
      await this.#nodeState.placePartition(this.#id, this.#uuid, this.#before.name);
    }
    await this.close();
    await this.#directories.remove(fresh.name);
  }

  /** Closes the files of what is not adopted, and leaves them to the next start. */
  async close(): Promise<void> {
    const fresh = this.#fresh;
    this.#fresh = null;
    this.#before = null;
    if (fresh !== null) await abandon(fresh.store);
  }
}

/** Of files that are not needed any more: how closing them goes is all the same. */
async function abandon(store: PartitionStore): Promise<void> {
  await store.abandon().catch(() => {});
}
