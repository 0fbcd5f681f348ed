import { CaskadeError } from '../../model/errors.ts';
import type { PartitionId } from '../../model/numbers.ts';
import { type StateDigest, stateDigest } from '../../storage/digest.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import { FollowerReads } from './follower-reads.ts';
import type { ReplicaManagerDoors } from './ports.ts';
import { findsRot, type ScrubTarget } from './scrubber.ts';
import type { StaleReads } from './stale-reads.ts';

/** What a reader of all that is committed asks of the replica. */
export interface ReplicaReaderHost {
  /** Null: there is none, or what it holds is not to be relied on. */
  fit(): PartitionStore | null;
  /** A committed record cannot be read. */
  rotten(): void;
}

/** Reads what is committed in a replica, in whatever role it is, and tells it when something cannot be read (C11). */
export class ReplicaReader implements ScrubTarget {
  readonly #id: PartitionId;
  readonly #host: ReplicaReaderHost;
  readonly #doors: Pick<ReplicaManagerDoors, 'clock' | 'logger'>;

  constructor(
    id: PartitionId,
    host: ReplicaReaderHost,
    doors: Pick<ReplicaManagerDoors, 'clock' | 'logger'>,
  ) {
    this.#id = id;
    this.#host = host;
    this.#doors = doors;
  }

  async scrub(bytesPerSecondMax: number): Promise<void> {
    const store = this.#host.fit();
    if (store === null) return;
    const isCancelled = (): boolean => this.#host.fit() !== store;
    const logger = this.#doors.logger.child({ partition: this.#id });
    const { clock } = this.#doors;
    if (await findsRot(store, { bytesPerSecondMax, isCancelled }, { clock, logger })) this.#host.rotten();
  }

  /** The committed state in a few bytes (C14); null: there is none to speak for, or more was committed meanwhile. */
  async digest(): Promise<StateDigest | null> {
    const store = this.#host.fit();
    if (store === null) return null;
    try {
      const digest = await stateDigest(store, this.#doors.clock);
      return this.#host.fit() === store ? digest : null;
    } catch (error) {
      if (this.#host.fit() !== store) return null;
      if (!(error instanceof CaskadeError)) throw error;
      this.#unreadable(error);
      return null;
    }
  }

  /** How far the replica is; null: it is not fit to be asked. */
  get ends(): Pick<PartitionStore, 'logEndOffset' | 'committedOffset'> | null {
    return this.#host.fit();
  }

  /** For whoever is content with a follower's word; null: there is nothing that could be read. */
  get staleReads(): StaleReads | null {
    const store = this.#host.fit();
    return store === null ? null : new FollowerReads(store, (error) => this.#unreadable(error));
  }

  #unreadable(error: CaskadeError): void {
    this.#doors.logger.error(
      { component: 'replica', partition: this.#id, err: error },
      'a committed record cannot be read',
    );
    this.#host.rotten();
  }
}
