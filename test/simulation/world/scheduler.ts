/** In whose name an event happens: a life of a node. Null stands for the world itself (packets under way, the coordinator). */
export interface EventHost {
  /** False: not now. Either the host has kept the event for later, or it is gone and the event never happens. */
  admit(event: ScheduledEvent): boolean;
  /** An event threw: the process would have ended by it. */
  failed(error: unknown): void;
}

export interface ScheduledEvent {
  readonly atMs: number;
  readonly sequence: number;
  readonly host: EventHost | null;
  readonly isTimer: boolean;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Events at one instant without end mean two parts that wake each other for ever: the run is told so instead of hanging. */
const EVENTS_AT_INSTANT_MAX = 200_000;
/** The real event loop gets a turn after this many events: signals, rejections that nobody handled. */
const EVENTS_BETWEEN_REAL_TURNS = 4096;

/** Resolves when no promise has anything left to do: a tick runs only after the queue of microtasks is empty. */
const drained = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const realTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Virtual time, and everything that will happen in it, ordered by (time, sequence). After each event all promises run
 * until none has anything to do, so what an event causes has happened before the next one begins.
 */
export class Scheduler {
  readonly #heap: ScheduledEvent[] = [];
  #nowMs = 0;
  #sequence = 0;
  #eventCount = 0;
  #eventsAtInstant = 0;
  #digest = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  get pendingCount(): number {
    return this.#heap.length;
  }

  /** Over time and sequence of every event so far. */
  get digest(): number {
    return this.#digest >>> 0;
  }

  at(atMs: number, host: EventHost | null, run: () => void, isTimer = false): ScheduledEvent {
    const event: ScheduledEvent = {
      atMs: Math.max(atMs, this.#nowMs),
      sequence: this.#sequence++,
      host,
      isTimer,
      run,
      isCancelled: false,
    };
    this.#push(event);
    return event;
  }

  after(delayMs: number, host: EventHost | null, run: () => void): ScheduledEvent {
    return this.at(this.#nowMs + delayMs, host, run);
  }

  /**
   * Runs what is due up to `untilMs`, which is then the time. Ends earlier, at the time of an event, once `stop` says
   * so after it.
   */
  async run(untilMs: number, stop?: () => boolean): Promise<void> {
    await drained();
    for (let event = this.#takeDue(untilMs); event !== null; event = this.#takeDue(untilMs)) {
      if (event.isCancelled || (event.host !== null && !event.host.admit(event))) continue;
      this.#begin(event);
      try {
        event.run();
      } catch (error) {
        if (event.host === null) throw error;
        event.host.failed(error);
      }
      await drained();
      if (this.#eventCount % EVENTS_BETWEEN_REAL_TURNS === 0) await realTurn();
      if (stop?.() === true) return;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #begin(event: ScheduledEvent): void {
    this.#eventCount += 1;
    if (event.atMs > this.#nowMs) {
      this.#nowMs = event.atMs;
      this.#eventsAtInstant = 0;
    } else {
      this.#eventsAtInstant += 1;
      if (this.#eventsAtInstant > EVENTS_AT_INSTANT_MAX)
        throw new Error(
          `${EVENTS_AT_INSTANT_MAX} events at ${this.#nowMs} ms: something wakes itself for ever`,
        );
    }
    this.#digest = Math.imul(this.#digest ^ Math.round(event.atMs * 1e4), 0x01000193) + event.sequence;
  }

  #takeDue(untilMs: number): ScheduledEvent | null {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > untilMs) return null;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = heap[parentAt];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
  }

  /** Puts an event in at the root, whose place is free. */
  #sink(event: ScheduledEvent): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let childAt = at * 2 + 1;
      let child = heap[childAt];
      if (child === undefined) break;
      const other = heap[childAt + 1];
      if (other !== undefined && isBefore(other, child)) {
        childAt += 1;
        child = other;
      }
      if (isBefore(event, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = event;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
