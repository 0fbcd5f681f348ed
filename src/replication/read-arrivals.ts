/**
 * Numbers the commands that read, in the order in which they asked for their first confirmation. One for a node: a
 * stamp that was sent after a number was given was sent after every read with that number or a lower one arrived
 * (PROTOCOL 4.2-2).
 */
export class ReadArrivals {
  #last = 0;

  /** Number of a read that arrives now; above 0. */
  next(): number {
    this.#last += 1;
    return this.#last;
  }
}
