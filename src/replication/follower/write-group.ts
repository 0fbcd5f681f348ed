import type { Clock, Timer } from '../../env/clock.ts';

/** Whose write is over waits no longer than this for those of the others. */
const WAIT_MS_MAX = 2;

/** Writes that began in one turn. */
class Group {
  isOpen = true;
  running = 0;
  timer: Timer | null = null;
  readonly #waiting: (() => void)[] = [];

  get isOver(): boolean {
    return !this.isOpen && this.running === 0;
  }

  whenOver(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  letGo(): void {
    this.timer?.cancel();
    this.timer = null;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * Writes of a node's followers that began in one turn of the event loop, most often what one frame of a leader brought, are told of
 * together when the last is over: the answers then go back in one frame. They end at about the same time, for they share the disk; where one
 * takes longer, as who catches up does, the others do not wait for it.
 */
export class WriteGroup {
  readonly #clock: Clock;
  #open: Group | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What comes of `write`, once everything that began in this turn is over, well or not, or a little later. */
  async run<T>(write: () => Promise<T>): Promise<T> {
    const group = this.#openGroup();
    group.running += 1;
    try {
      return await write();
    } finally {
      group.running -= 1;
      if (group.isOver) group.letGo();
      else await this.#others(group);
    }
  }

  #openGroup(): Group {
    if (this.#open !== null) return this.#open;
    const group = new Group();
    this.#open = group;
    this.#clock.atTurnEnd(() => {
      this.#open = null;
      group.isOpen = false;
      if (group.isOver) group.letGo();
    });
    return group;
  }

  #others(group: Group): Promise<void> {
    group.timer ??= this.#clock.setTimer(WAIT_MS_MAX, () => group.letGo());
    return group.whenOver();
  }
}
