/** Something that waiters wait out. */
export class Pause {
  #end: Promise<void> | null = null;
  #resolve: () => void = () => {};

  /** Resolves when it is over; null while there is none. Never rejects. */
  get end(): Promise<void> | null {
    return this.#end;
  }

  begin(): void {
    this.#end ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  stop(): void {
    this.#end = null;
    this.#resolve();
  }
}
