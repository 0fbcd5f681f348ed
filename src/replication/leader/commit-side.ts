import type { Offset } from '../../model/numbers.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { SerialQueue } from '../../storage/serial-queue.ts';

export interface CommitHost {
  /** The partition's: what was committed and told. */
  highWatermark(): Offset;
  isOver(): boolean;
  /** The store has committed up to there. */
  committed(highWatermark: Offset): void;
  failed(error: unknown): void;
}

/**
 * The way of the high watermark into the store: on the spot for what this leader appended, in turn with the flushes for
 * what it inherited.
 */
export class CommitSide {
  readonly #host: CommitHost;
  readonly #store: PartitionStore;
  readonly #serial: SerialQueue;
  readonly #epochStartOffset: Offset;
  /** Where the core wants the high watermark: above the partition's while what was inherited is read from the disk. */
  #target: Offset;
  #isCommitting = false;

  /** `epochStartOffset`: LESO. */
  constructor(host: CommitHost, store: PartitionStore, serial: SerialQueue, epochStartOffset: Offset) {
    this.#host = host;
    this.#store = store;
    this.#serial = serial;
    this.#epochStartOffset = epochStartOffset;
    this.#target = store.committedOffset;
  }

  /** What was inherited may have to be read from the disk first. */
  commit(highWatermark: Offset): void {
    this.#target = highWatermark;
    if (this.#isCommitting) return;
    const isOwn = this.#host.highWatermark() >= this.#epochStartOffset;
    if (isOwn && this.#store.commitTo(highWatermark) === null) {
      this.#host.committed(highWatermark);
      return;
    }
    this.#isCommitting = true;
    this.#serial.run(() => this.#commitInherited()).catch((error: unknown) => this.#host.failed(error));
  }

  async #commitInherited(): Promise<void> {
    while (this.#host.highWatermark() < this.#target && !this.#host.isOver()) {
      const target = this.#target;
      await this.#store.commitTo(target);
      if (!this.#host.isOver()) this.#host.committed(target);
    }
    this.#isCommitting = false;
  }
}
