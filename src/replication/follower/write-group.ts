import type { Clock } from '../../env/clock.ts';

/**
 * Writes of a node's followers that began in one turn of the event loop, most often what one frame of a leader brought, are told of
 * together when the last is over: the answers then go back in one frame. They end at about the same time, for they share the disk.
 */
export class WriteGroup {
  readonly #clock: Clock;
  /** Of this turn. */
  #members: Promise<unknown>[] = [];
  #all: Promise<unknown> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What comes of `write`, once everything that began in this turn is over, well or not. */
  async run<T>(write: () => Promise<T>): Promise<T> {
    const own = write();
    this.#members.push(own);
    this.#all ??= this.#closedAtTurnEnd();
    await this.#all;
    return own;
  }

  #closedAtTurnEnd(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#clock.atTurnEnd(() => {
        const members = this.#members;
        this.#members = [];
        this.#all = null;
        resolve(Promise.allSettled(members));
      });
    });
  }
}
