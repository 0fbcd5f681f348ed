import type { Clock } from '../env/clock.ts';

export interface TurnTask {
  /** Called once, at the end of the turn in which the task was added. */
  atTurnEnd(): void;
}

/** Work for the end of the turn, gathered from all connections under one call of the clock. */
export class TurnQueue {
  readonly #clock: Clock;
  #tasks: TurnTask[] = [];
  #spare: TurnTask[] = [];
  readonly #run = (): void => this.#drain();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A task added while others run has its turn after the sockets were looked at again. */
  add(task: TurnTask): void {
    this.#tasks.push(task);
    if (this.#tasks.length === 1) this.#clock.atTurnEnd(this.#run);
  }

  #drain(): void {
    const tasks = this.#tasks;
    this.#tasks = this.#spare;
    for (const task of tasks) task.atTurnEnd();
    tasks.length = 0;
    this.#spare = tasks;
  }
}
