import type { Clock } from '../../env/clock.ts';
import type { CaskadeError } from '../../model/errors.ts';
import type { Offset } from '../../model/numbers.ts';
import type { CommitListener, LeaderPartition } from '../leader-partition.ts';
import { CommitListeners } from './commit-listeners.ts';
import { Congestion } from './congestion.ts';
import { ResolutionQueue } from './resolution-queue.ts';
import { type StallTarget, StallWatch } from './stall-watch.ts';

/**
 * Everybody who waits for what was appended to a partition, told from one place (PROTOCOL 2.7): the high watermark
 * moved, the write deadline is over, or the appends are given up.
 */
export class AppendOutcomes {
  readonly #listeners: CommitListeners;
  readonly #committed = new ResolutionQueue();
  readonly #flushed = new ResolutionQueue();
  readonly #congestion = new Congestion();
  readonly #stallWatch: StallWatch;

  constructor(partition: LeaderPartition & StallTarget, clock: Clock, writeTimeoutMs: number) {
    this.#listeners = new CommitListeners(partition);
    this.#stallWatch = new StallWatch(clock, partition, writeTimeoutMs);
  }

  get congestion(): Promise<void> | null {
    return this.#congestion.relief;
  }

  listen(listener: CommitListener, newest: Offset): void {
    this.#listeners.add(listener, newest);
  }

  /** `offset` is neither committed nor given up yet. */
  whenResolved(offset: Offset): Promise<void> {
    return this.#committed.wait(offset);
  }

  whenFlushed(offset: Offset): Promise<void> {
    return this.#flushed.wait(offset);
  }

  /** Call after appends that nobody was told of: the deadline runs. */
  appended(unflushedBytes: number): void {
    this.#congestion.appended(unflushedBytes);
    this.#stallWatch.look();
  }

  flushed(durableOffset: Offset, unflushedBytes: number): void {
    this.#congestion.flushed(unflushedBytes);
    this.#flushed.resolveBelow(durableOffset);
  }

  committed(highWatermark: Offset): void {
    this.#listeners.committed(highWatermark);
    this.#committed.resolveBelow(highWatermark);
  }

  /** The write deadline is over: what waits is in doubt, and may be committed later. */
  stalled(highWatermark: Offset, reason: string): void {
    this.#listeners.doubtAll(highWatermark, reason);
    this.#endWaits(highWatermark);
  }

  /** What was appended from `firstOffset` on will not be committed by this leader; from `refusedFrom` on it never was (R22). */
  giveUp(firstOffset: Offset, refusedFrom: Offset, error: CaskadeError): void {
    this.#listeners.giveUp(firstOffset, refusedFrom, error);
    this.#endWaits(firstOffset);
  }

  stop(): void {
    this.#stallWatch.stop();
  }

  /** Who waits for something below `firstOffset` goes on waiting. */
  #endWaits(firstOffset: Offset): void {
    this.#committed.resolveFrom(firstOffset);
    this.#flushed.resolveFrom(firstOffset);
    this.#congestion.end();
  }
}
