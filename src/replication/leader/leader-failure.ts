import { CaskadeError, isDiskFull } from '../../model/errors.ts';
import { asOffset, type Offset, type PartitionId } from '../../model/numbers.ts';
import type { FlushFailure } from '../../storage/flush-failure.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { WriteGate } from './write-gate.ts';

export interface LeaderFailureHost {
  readonly id: PartitionId;
  /** Nobody else is assigned. */
  isAlone(): boolean;
  highWatermark(): Offset;
  /** L8: at once, and leases first. */
  endServing(refusal: CaskadeError): void;
  /** The disk failed: told to the controller, so that another leads. */
  trouble(): void;
  giveUp(inDoubtFrom: Offset, refusedFrom: Offset, error: CaskadeError): void;
}

/** What becomes of a led partition, and of who waits at it, when its disk refuses or fails (R22, R24). */
export class LeaderFailure {
  readonly #host: LeaderFailureHost;
  readonly #store: PartitionStore;
  readonly #writeGate: WriteGate;

  constructor(host: LeaderFailureHost, store: PartitionStore, writeGate: WriteGate) {
    this.#host = host;
    this.#store = store;
    this.#writeGate = writeGate;
  }

  /**
   * Nothing of the batch was written when making room for it failed: it is refused, and so is what came after it. Once
   * the write had begun, or followers may have the batch, nobody can say: in doubt, and the partition is fenced (R22,
   * R24, KAFKA-10778).
   */
  ofFlush(failure: FlushFailure): void {
    const error = asCaskadeError(failure.cause);
    const { firstOffset, nextOffset } = failure;
    const isOut = failure.stage === 'write' || this.#store.sealedOffset > firstOffset;
    if (isOut) {
      this.#giveUp(firstOffset, nextOffset, this.#endByDisk(error));
    } else if (isDiskFull(error)) {
      this.#writeGate.refuseUntilRoom(error);
      this.#giveUp(firstOffset, firstOffset, error);
    } else {
      this.#giveUp(firstOffset, firstOffset, this.#endByDisk(error));
    }
  }

  /** Something failed outside of a flush: what is on disk and not committed is in doubt. */
  elsewhere(error: unknown): void {
    const refusal = this.#endByDisk(asCaskadeError(error));
    this.#giveUp(this.#host.highWatermark(), this.#store.durableOffset, refusal);
  }

  /** Alone, reads go on (R24). In a cluster the leadership moves, and until it does nothing is served: leases go first (L8). */
  #endByDisk(error: CaskadeError): CaskadeError {
    if (this.#host.isAlone()) return this.#writeGate.fence(error);
    const text = `Partition ${this.#host.id}: the disk of its leader failed, another replica takes over`;
    const refusal = new CaskadeError('tryAgain', text, { cause: error });
    this.#host.endServing(refusal);
    this.#writeGate.fence(error);
    this.#writeGate.end(refusal);
    this.#host.trouble();
    return refusal;
  }

  /**
   * What was sealed may be with followers, unless there are none. `firstOffset` is where the failure began; in a
   * cluster nothing above the high watermark is committed by this leader any more.
   */
  #giveUp(firstOffset: Offset, refusedFrom: Offset, error: CaskadeError): void {
    const goesOn = this.#host.isAlone() || !this.#writeGate.isFenced;
    const sealed = this.#host.isAlone() ? 0 : this.#store.sealedOffset;
    this.#store.discardUnwritten();
    const from = goesOn ? firstOffset : this.#host.highWatermark();
    this.#host.giveUp(from, asOffset(Math.max(refusedFrom, sealed)), error);
  }
}

function asCaskadeError(error: unknown): CaskadeError {
  if (error instanceof CaskadeError) return error;
  return new CaskadeError('diskIo', error instanceof Error ? error.message : String(error), { cause: error });
}
