import type { Clock } from '../../env/clock.ts';
import { asOffset, type Offset } from '../../model/numbers.ts';
import { FlushFailure } from '../../storage/flush-failure.ts';
import type { Flushable, FlushScheduler } from '../../storage/flush-scheduler.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { SerialQueue } from '../../storage/serial-queue.ts';
import type { RoundSide, Rounds } from './rounds.ts';

export interface FlushDoors {
  readonly scheduler: FlushScheduler;
  /** Null: a node alone waits for its own disk only, and the scheduler does that. */
  readonly rounds: Rounds | null;
  readonly clock: Clock;
}

export interface FlushHost {
  /** Nothing more is to be written: the partition is fenced. */
  isOver(): boolean;
  /** Before that what is appended stays in the open batch (R17); call `request` when it becomes true. */
  maySeal(): boolean;
  /** A batch was sealed: followers may have it while it goes to this node's own disk. True: somebody gets it now. */
  sealed(): boolean;
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
 * The way of a led partition's appends to its own disk: one batch at a time, in the rounds of the node's partitions and when its
 * scheduler says so.
 *
 * The next batch is sealed when the one before it is committed: a round over all replicas costs them about as much for one record
 * as for a hundred, so those that come meanwhile share the next round (`bench/cluster/throughput.ts`). No write waits longer for
 * its answer than two rounds take.
 */
export class FlushSide implements Flushable, RoundSide {
  readonly #host: FlushHost;
  readonly #store: PartitionStore;
  readonly #serial: SerialQueue;
  readonly #scheduler: FlushScheduler;
  readonly #rounds: Rounds | null;
  readonly #clock: Clock;
  /** A promise: frames are to leave before this node writes, for they have the longer way. */
  readonly #onSealed = (): Promise<void> | null => {
    const { sealedOffset } = this.#store;
    this.#rounds?.began(this, sealedOffset - this.#sealedTo);
    this.#roundEnd = sealedOffset;
    this.#sealedTo = sealedOffset;
    return this.#host.sealed() ? this.#clock.yieldTurn() : null;
  };
  /** The end of the last batch that was sealed here. What was inherited is not waited for. */
  #roundEnd = asOffset(0);
  #sealedTo: Offset;
  /** Up to there somebody waits for this node's disk alone. */
  #hurriedTo = asOffset(0);
  /** The scheduler has it. */
  #isRequested = false;
  #isStopped = false;
  flushes = 0;

  constructor(host: FlushHost, store: PartitionStore, serial: SerialQueue, doors: FlushDoors) {
    this.#host = host;
    this.#store = store;
    this.#serial = serial;
    this.#scheduler = doors.scheduler;
    this.#rounds = doors.rounds;
    this.#clock = doors.clock;
    this.#sealedTo = store.sealedOffset;
  }

  /** Asked by the scheduler: something is to be flushed, and waits for no round. */
  get hasUnflushed(): boolean {
    return this.#mayFlush && this.#isDue;
  }

  get unsealedCount(): number {
    return this.#store.logEndOffset - this.#store.sealedOffset;
  }

  get #mayFlush(): boolean {
    return !this.#isStopped && this.#store.hasUnflushed && this.#host.maySeal();
  }

  get #isDue(): boolean {
    const { sealedOffset, unflushedBytes } = this.#store;
    if (sealedOffset < this.#hurriedTo || unflushedBytes >= WAITING_BYTES_MAX) return true;
    return this.#rounds === null && this.#isRoundOver;
  }

  get #isRoundOver(): boolean {
    return this.#store.committedOffset >= this.#roundEnd;
  }

  /**
   * The role has ended: the store is somebody else's as soon as the running flush is over, though the scheduler may
   * still call.
   */
  stop(): void {
    this.#isStopped = true;
    this.#rounds?.ended(this);
  }

  /** Call after an append; cheap when a flush is on its way. */
  request(): void {
    if (this.#isRequested || !this.#mayFlush) return;
    if (this.#isDue) {
      this.#isRequested = true;
      this.#scheduler.request(this);
    } else if (this.#isRoundOver) this.#rounds?.ask(this);
  }

  startRound(): void {
    if (this.#isRequested || !this.#mayFlush) return;
    this.#isRequested = true;
    this.#scheduler.requestNow(this);
  }

  /**
   * What is appended goes at once: somebody waits for this node's disk alone (L10), or for all that was appended, and
   * nothing more comes (L9).
   */
  hurry(): void {
    this.#hurriedTo = this.#store.logEndOffset;
    this.request();
  }

  /** The high watermark has moved: a round may be over. */
  committed(): void {
    if (!this.#isRoundOver) return;
    this.#rounds?.ended(this);
    this.request();
  }

  /** Called by the scheduler, and by a close. */
  async flushOne(): Promise<void> {
    if (this.#isStopped) return;
    try {
      await this.#serial.run(() => this.#flush());
    } catch (error) {
      this.#host.failed(error);
    }
    if (this.hasUnflushed) return;
    this.#isRequested = false;
    this.request();
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
