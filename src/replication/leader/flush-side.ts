import { asOffset } from '../../model/numbers.ts';
import { FlushFailure } from '../../storage/flush-failure.ts';
import type { Flushable, FlushScheduler } from '../../storage/flush-scheduler.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { SerialQueue } from '../../storage/serial-queue.ts';

export interface FlushHost {
  /** Nothing more is to be written: the partition is fenced. */
  isOver(): boolean;
  /** Before that what is appended stays in the open batch (R17); call `request` when it becomes true. */
  maySeal(): boolean;
  /** A batch was sealed: followers may have it while it goes to this node's own disk. */
  sealed(): void;
  /** A batch is on the disk. */
  flushed(): void;
  /** A batch is not, and may be half there. */
  flushFailed(failure: FlushFailure): void;
  failed(error: unknown): void;
}

/**
 * What came together while the batch before was on its way to the followers does not wait for it any longer: the node
 * holds it in memory.
 */
const WAITING_BYTES_MAX = 256 * 1024;

/**
 * The way of a led partition's appends to its own disk: one batch at a time, when the node's scheduler says so.
 *
 * The next batch is sealed when the one before it is committed: a round over all replicas costs them about as much for one record
 * as for a hundred, so those that come meanwhile share the next round (`bench/cluster/throughput.ts`). No write waits longer for
 * its answer than two rounds take.
 */
export class FlushSide implements Flushable {
  readonly #host: FlushHost;
  readonly #store: PartitionStore;
  readonly #serial: SerialQueue;
  readonly #scheduler: FlushScheduler;
  readonly #onSealed = (): void => {
    this.#roundEnd = this.#store.sealedOffset;
    this.#isHurried = false;
    this.#host.sealed();
  };
  /** The end of the last batch that was sealed here. What was inherited is not waited for. */
  #roundEnd = asOffset(0);
  #isHurried = false;
  #isRequested = false;
  #isStopped = false;
  flushes = 0;

  constructor(host: FlushHost, store: PartitionStore, serial: SerialQueue, scheduler: FlushScheduler) {
    this.#host = host;
    this.#store = store;
    this.#serial = serial;
    this.#scheduler = scheduler;
  }

  get hasUnflushed(): boolean {
    return !this.#isStopped && this.#mayFlush && this.#store.hasUnflushed;
  }

  get #mayFlush(): boolean {
    const { committedOffset, unflushedBytes } = this.#store;
    const isRoundOver = committedOffset >= this.#roundEnd;
    const waitsNoMore = isRoundOver || this.#isHurried || unflushedBytes >= WAITING_BYTES_MAX;
    return waitsNoMore && this.#host.maySeal();
  }

  /**
   * The role has ended: the store is somebody else's as soon as the running flush is over, though the scheduler may
   * still call.
   */
  stop(): void {
    this.#isStopped = true;
  }

  /** Call after an append; cheap when a flush is on its way. */
  request(): void {
    if (this.#isRequested || !this.#mayFlush) return;
    this.#isRequested = true;
    this.#scheduler.request(this);
  }

  /**
   * What is appended goes at once: somebody waits for this node's disk alone (L10), or for all that was appended, and
   * nothing more comes (L9).
   */
  hurry(): void {
    this.#isHurried = this.#store.hasUnflushed;
    this.request();
  }

  /** The high watermark has moved: a round may be over. */
  committed(): void {
    if (this.hasUnflushed) this.request();
  }

  /** Called by the scheduler, and by a close. */
  async flushOne(): Promise<void> {
    if (this.#isStopped) return;
    try {
      await this.#serial.run(() => this.#flush());
    } catch (error) {
      this.#host.failed(error);
    }
    if (!this.hasUnflushed) this.#isRequested = false;
  }

  async #flush(): Promise<void> {
    if (this.#isStopped) return;
    if (this.#host.isOver()) {
      this.#store.discardUnwritten();
      return;
    }
    try {
      await this.#store.flushOne(this.#onSealed);
    } catch (error) {
      if (!(error instanceof FlushFailure)) throw error;
      this.#host.flushFailed(error);
      return;
    }
    if (this.#isStopped) return;
    this.flushes += 1;
    this.#host.flushed();
  }
}
