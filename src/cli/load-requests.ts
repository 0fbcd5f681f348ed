import { CaskadeError } from '../model/errors.ts';
import type { LoadCounts } from './load-counts.ts';
import type { EncodedBatch } from './load-pairs.ts';
import { RespScanner } from './resp-scanner.ts';

/** Passes RESP requests on as they are, counting where they end, so that the replies can be matched. */
export class RequestPasser {
  readonly #scanner = new RespScanner({ inline: true });
  readonly #counts: LoadCounts;

  constructor(counts: LoadCounts) {
    this.#counts = counts;
  }

  /** Throws CaskadeError `invalidArgument` naming the position when the bytes are not requests. */
  encode(chunk: Buffer): EncodedBatch[] {
    const before = this.#scanner.completed;
    try {
      this.#scanner.scan(chunk);
    } catch (cause) {
      throw new CaskadeError(
        'invalidArgument',
        `the input is not RESP after byte ${this.#scanner.position}: ${(cause as Error).message}; ` +
          'use --format pairs for key<TAB>value lines',
        { cause },
      );
    }
    return [{ bytes: chunk, commands: this.#scanner.completed - before }];
  }

  finish(): EncodedBatch[] {
    if (this.#scanner.unfinished) {
      this.#counts.addMalformed(
        `the input ends in the middle of a request, after byte ${this.#scanner.position}`,
      );
    }
    return [];
  }
}
