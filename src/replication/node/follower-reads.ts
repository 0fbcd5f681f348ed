import { CaskadeError } from '../../model/errors.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { StaleReads } from './stale-reads.ts';

/**
 * The committed state of a follower. A record that cannot be read is not answered: the replica is told, the read is
 * suspended, and whoever asks for reads of the replica again is refused until it has been built anew (C11).
 */
export class FollowerReads implements StaleReads {
  readonly #store: PartitionStore;
  readonly #unreadable: (error: CaskadeError) => void;
  #hasFailed = false;

  constructor(store: PartitionStore, unreadable: (error: CaskadeError) => void) {
    this.#store = store;
    this.#unreadable = unreadable;
  }

  get committedOffset(): StaleReads['committedOffset'] {
    return this.#store.committedOffset;
  }

  get loaded(): Promise<void> {
    return this.#hasFailed ? Promise.resolve() : this.#store.loaded;
  }

  hash(...of: Parameters<StaleReads['hash']>): number {
    return this.#store.hash(...of);
  }

  readCommitted(...of: Parameters<StaleReads['readCommitted']>): boolean {
    if (this.#hasFailed) return false;
    try {
      return this.#store.readCommitted(...of);
    } catch (error) {
      if (!(error instanceof CaskadeError)) throw error;
      this.#hasFailed = true;
      this.#unreadable(error);
      return false;
    }
  }
}
