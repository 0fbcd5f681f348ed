/**
 * Work that runs one at a time and looks for itself at what there is to do: asked for while it runs, it runs once more,
 * however often it was asked.
 */
export class CoalescedWork {
  readonly #work: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #isRunning = false;
  #isWanted = false;

  constructor(work: () => Promise<void>, onError: (error: unknown) => void) {
    this.#work = work;
    this.#onError = onError;
  }

  request(): void {
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#rounds().catch(this.#onError);
  }

  async #rounds(): Promise<void> {
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        await this.#work();
      }
    } finally {
      // In the same turn as the last look: a request after it starts anew.
      this.#isRunning = false;
    }
  }
}
