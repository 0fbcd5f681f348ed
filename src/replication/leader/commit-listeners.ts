import { CaskadeError } from '../../model/errors.ts';
import { asOffset, type Offset } from '../../model/numbers.ts';
import type { CommitListener, LeaderPartition } from '../leader-partition.ts';

/** Who appended to a partition and waits for the outcome: one entry a listener, however many records it appended. */
export class CommitListeners {
  readonly #partition: LeaderPartition;
  /** With the newest offset that each appended. */
  readonly #newest = new Map<CommitListener, Offset>();

  constructor(partition: LeaderPartition) {
    this.#partition = partition;
  }

  add(listener: CommitListener, newest: Offset): void {
    this.#newest.set(listener, newest);
  }

  /** The high watermark has moved: everybody looks whether that is enough; those with nothing left to wait for go. */
  committed(highWatermark: Offset): void {
    for (const [listener, newest] of this.#newest) {
      if (newest < highWatermark) this.#newest.delete(listener);
      listener.committed(this.#partition);
    }
  }

  /** Everything that waits is in doubt; the records may still be committed later. */
  doubtAll(highWatermark: Offset, reason: string): void {
    const listeners = [...this.#newest.keys()];
    this.#newest.clear();
    const error = new CaskadeError('inDoubt', reason);
    for (const listener of listeners) listener.inDoubt(this.#partition, highWatermark, error);
  }

  /**
   * Offsets from `refusedFrom` on were never written: they are refused with `error`. Those from `firstOffset` to there may
   * be on the disk or not: in doubt (R22). Told in this order, because a listener takes each offset's first outcome.
   * What is below `firstOffset` and not committed yet is still on its way: who waits for it goes on waiting.
   */
  giveUp(firstOffset: Offset, refusedFrom: Offset, error: CaskadeError): void {
    const listeners = [...this.#newest.keys()];
    this.#keepBelow(firstOffset);
    for (const listener of listeners) {
      listener.inDoubt(this.#partition, refusedFrom, error);
      if (firstOffset >= refusedFrom) continue;
      const inDoubt = new CaskadeError('inDoubt', error.message, { cause: error });
      listener.inDoubt(this.#partition, firstOffset, inDoubt);
    }
  }

  /** Nobody waits for anything from `firstOffset` on any more. */
  #keepBelow(firstOffset: Offset): void {
    if (firstOffset <= this.#partition.highWatermark) {
      this.#newest.clear();
      return;
    }
    const newestKept = asOffset(firstOffset - 1);
    for (const [listener, newest] of this.#newest)
      if (newest > newestKept) this.#newest.set(listener, newestKept);
  }
}
