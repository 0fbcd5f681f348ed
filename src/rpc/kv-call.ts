import type { ReadArrivals } from '../cluster/index.ts';
import type { CallDeadline } from './call-deadline.ts';

/** One call of a client of the KeyValue service, kept over its runs. */
export class KeyValueCall {
  readonly key: Uint8Array;
  readonly deadline: CallDeadline;
  /** 0: it has not asked for one yet. */
  #arrival = 0;

  constructor(key: Uint8Array, deadline: CallDeadline) {
    this.key = key;
    this.deadline = deadline;
  }

  /** Its number among the reads of the node: taken when it asks first. */
  arrival(arrivals: ReadArrivals): number {
    if (this.#arrival === 0) this.#arrival = arrivals.next();
    return this.#arrival;
  }
}
