import { asDatabaseId, type DatabaseId } from '../../model/numbers.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { KeyView } from '../leader-partition.ts';
import type { ExpiryTarget } from './expiry-sweeper.ts';

/** What expiring a key takes of its partition. */
export interface DueKeysHost {
  readonly isBusy: boolean;
  appendExpired(database: DatabaseId, key: KeyView): void;
}

/** The due keys of one partition's databases, as the sweeper sees them. */
export class DueKeys implements ExpiryTarget {
  readonly #store: PartitionStore;
  readonly #host: DueKeysHost;
  readonly #key: KeyView;

  /** `key` is used again for each key that is due. */
  constructor(store: PartitionStore, host: DueKeysHost, key: KeyView) {
    this.#store = store;
    this.#host = host;
    this.#key = key;
  }

  get isBusy(): boolean {
    return this.#host.isBusy;
  }

  nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const keydir of this.#store.index.keydirs) next = Math.min(next, keydir?.nextDueMs() ?? next);
    return next;
  }

  expireDue(nowMs: number, countMax: number): number {
    let looked = 0;
    for (const [number, keydir] of this.#store.index.keydirs.entries()) {
      if (keydir === undefined) continue;
      const database = asDatabaseId(number);
      looked += keydir.popDue(nowMs, countMax - looked, (bytes, start, end, hash) =>
        this.#expire(database, bytes, start, end, hash),
      );
    }
    return looked;
  }

  /** A key that has a newer record on its way is left to that: the newest appended entry decides (R4). */
  #expire(database: DatabaseId, bytes: Uint8Array, start: number, end: number, hash: number): void {
    const key = this.#key;
    key.bytes = bytes;
    key.start = start;
    key.end = end;
    key.hash = hash;
    if (this.#store.newestUncommitted(database, key) < 0) this.#host.appendExpired(database, key);
  }
}
