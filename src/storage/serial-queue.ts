/** Runs tasks one after the other, in the order they came: what locks are elsewhere. A failed task does not stop the next. */
export class SerialQueue {
  #last: Promise<void> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /** Resolves when everything queued so far is done. */
  get idle(): Promise<void> {
    return this.#last;
  }
}
