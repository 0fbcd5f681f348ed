import { encodeFrame, type JournalRecord } from './frame.ts';
import type { LapFile } from './lap-file.ts';

interface UnderWay {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  isWritten: boolean;
}

/**
 * Frames that are being written, in their order. Several are at a time, and a start believes none behind one that is missing:
 * so none is on the disk before those before it are, and none is any more after one has failed.
 */
export class FramesUnderWay {
  #queue: UnderWay[] = [];
  #nextSequence: number;
  #durableSequence: number;
  #running = 0;
  #failure: Error | null = null;
  #whenEnded: (() => void)[] = [];
  readonly #onOver: () => void;

  /** `onOver`: the disk is done with one, well or not. */
  constructor(nextSequence: number, onOver: () => void) {
    this.#onOver = onOver;
    this.#nextSequence = nextSequence;
    this.#durableSequence = nextSequence - 1;
  }

  /** How many the disk works at. */
  get count(): number {
    return this.#running;
  }

  /** Resolves when the frame counts; rejects where nobody can say, and from then on. */
  write(lap: LapFile, records: readonly JournalRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure === null) this.#begin(lap, records, resolve, reject);
      else reject(this.#failure);
    });
  }

  /** Resolves when nothing is being written. */
  ended(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEnded.push(resolve));
  }

  #begin(
    lap: LapFile,
    records: readonly JournalRecord[],
    resolve: UnderWay['resolve'],
    reject: UnderWay['reject'],
  ): void {
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    const header = { lap: lap.lap, lapId: lap.lapId, sequence, durableSequence: this.#durableSequence };
    const frame = { sequence, resolve, reject, isWritten: false };
    this.#queue.push(frame);
    this.#running += 1;
    lap.write(encodeFrame(header, records)).then(
      () => this.#written(frame),
      (error: Error) => this.#failed(frame, error),
    );
  }

  #written(frame: UnderWay): void {
    frame.isWritten = true;
    while (this.#queue[0]?.isWritten === true) {
      const { sequence, resolve } = this.#queue.shift() as UnderWay;
      this.#durableSequence = sequence;
      resolve();
    }
    this.#over();
  }

  #failed(frame: UnderWay, error: Error): void {
    this.#failure ??= error;
    const first = this.#queue.indexOf(frame);
    // One before it has failed already, and taken it along.
    if (first >= 0) for (const { reject } of this.#queue.splice(first)) reject(error);
    this.#over();
  }

  #over(): void {
    this.#running -= 1;
    if (this.#running === 0) for (const resolve of this.#whenEnded.splice(0)) resolve();
    this.#onOver();
  }
}
