import { join } from 'node:path';
import type { FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import { makeDirectoryDurably } from '../../env/make-directory.ts';
import { removeDirectoryOfFiles } from '../../env/remove-directory.ts';
import { CaskadeError } from '../../model/errors.ts';
import type { PartitionId } from '../../model/numbers.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { NodeState } from './node-state.ts';

/** `unusable`: others have what this one lost. */
export type FoundReplica =
  | { readonly kind: 'opened'; readonly store: PartitionStore }
  | { readonly kind: 'unusable'; readonly reason: string; readonly directoryId: string | null };

/**
 * Opens what lies in a directory, or makes a new replica in an empty one. Throws a CaskadeError for what only an
 * operator can mend.
 */
export type OpenReplica = (
  directory: string,
  partition: PartitionId,
  uuid: string,
  mustExist: boolean,
) => Promise<FoundReplica>;

/** A replica's files, and the name under which the node's state has to place them. */
export interface FreshReplica {
  readonly name: string;
  readonly store: PartitionStore;
}

/**
 * The directories below partitions/. Only the node's state says which of them counts (ADR 4): nothing is ever renamed,
 * and what no record names is what a crash left of a creation, a rebuild or a removal.
 */
export class ReplicaDirectories {
  readonly #fileSystem: FileSystem;
  readonly #root: string;
  readonly #nodeState: NodeState;
  readonly #openReplica: OpenReplica;
  readonly #logger: Logger;

  constructor(
    fileSystem: FileSystem,
    directory: string,
    nodeState: NodeState,
    openReplica: OpenReplica,
    logger: Logger,
  ) {
    this.#fileSystem = fileSystem;
    this.#root = join(directory, 'partitions');
    this.#nodeState = nodeState;
    this.#openReplica = openReplica;
    this.#logger = logger;
  }

  /** Makes the root and removes what no record names. */
  async sweep(): Promise<void> {
    await makeDirectoryDurably(this.#fileSystem, this.#root);
    const named = new Set(this.#nodeState.partitionIds.map((id) => this.#nodeState.partition(id)?.directory));
    for (const name of await this.#fileSystem.list(this.#root)) {
      if (!named.has(name)) await this.remove(name);
    }
  }

  /** The replica that a record names. */
  open(id: PartitionId, uuid: string, name: string): Promise<FoundReplica> {
    return this.#openReplica(join(this.#root, name), id, uuid, true);
  }

  /**
   * A new and empty replica under a name that nothing has. It counts once the node's state places it. Who fails leaves
   * nothing behind: on a full disk it is tried again and again.
   */
  async fresh(id: PartitionId, uuid: string): Promise<FreshReplica> {
    const taken = new Set(await this.#fileSystem.list(this.#root));
    let name = String(id);
    for (let number = 2; taken.has(name); number += 1) name = `${id}-${number}`;
    try {
      const found = await this.#openReplica(join(this.#root, name), id, uuid, false);
      if (found.kind === 'unusable') throw new CaskadeError('corruptMetadata', found.reason);
      return { name, store: found.store };
    } catch (error) {
      await this.remove(name);
      throw error;
    }
  }

  /** Of a directory that counts no longer: a failure is logged, and the next start removes what is left. */
  async remove(name: string): Promise<void> {
    const directory = join(this.#root, name);
    try {
      await removeDirectoryOfFiles(this.#fileSystem, directory);
    } catch (error) {
      this.#logger.warn(
        { component: 'replica', err: error, directory },
        'an old directory is not removed yet',
      );
    }
  }
}
