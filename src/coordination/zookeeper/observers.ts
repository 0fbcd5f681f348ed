import type { Clock, Timer } from '../../env/clock.ts';
import type { Random } from '../../env/random.ts';

export type Observed = 'node' | 'children';

/**
 * Sets a one-shot watch. `armed`: with its first request, so that a read asked later sees what the watch does not tell.
 * `armedLate`: a change may have slipped in between. `failed`: there is none.
 */
export type Armed = 'armed' | 'armedLate' | 'failed';
export type Arm = (path: string, of: Observed, changed: () => void) => Promise<Armed>;

export interface ObserversDoors {
  readonly clock: Clock;
  readonly random: Random;
}

/** H7: beyond so many, those observed last are only looked at by the poll. */
export const WATCHES_MAX = 500;
const POLL_MS_MIN = 10_000;
const POLL_MS_MAX = 30_000;

/** What is observed at one path. Stays when its last listener goes: its watch cannot be taken back. */
interface WatchPoint {
  readonly path: string;
  readonly of: Observed;
  readonly listeners: Set<() => void>;
  /** The library tells watchers apart by identity: one for ever. */
  readonly changed: () => void;
  /** The connection on which the watch stands, or is being set. */
  armedOn: number | null;
  /** How often it fired: an answer to `arm` that comes after that is about a watch that is gone. */
  fired: number;
  isTold: boolean;
}

/**
 * W11: level-triggered. Every listener is called soon after a change, on every connection and now and then; changes of one
 * turn are told once. A watch holds for one connection (the library would set all again in one packet, H7): each new
 * connection sets them anew, and then tells everybody, since changes were missed (H17).
 */
export class Observers {
  readonly #doors: ObserversDoors;
  readonly #arm: Arm;
  readonly #points = new Map<string, WatchPoint>();
  /** The connection that stands, counted; null: none. */
  #connection: number | null = null;
  #connections = 0;
  /** Points whose `armedOn` is not null. */
  #armedCount = 0;
  #poll: Timer | null = null;

  constructor(doors: ObserversDoors, arm: Arm) {
    this.#doors = doors;
    this.#arm = arm;
  }

  observe(path: string, of: Observed, listener: () => void): () => void {
    const point = this.#pointOf(path, of);
    // A listener of its own: the same function may observe twice.
    const own = (): void => listener();
    point.listeners.add(own);
    this.#refresh(point);
    return () => {
      point.listeners.delete(own);
    };
  }

  connected(): void {
    this.#connections += 1;
    this.#connection = this.#connections;
    for (const point of this.#points.values()) this.#refresh(point);
    this.#pollLater();
  }

  /** All watches are gone with the connection, and what nobody observes is forgotten. */
  disconnected(): void {
    this.#connection = null;
    this.#poll?.cancel();
    for (const [key, point] of this.#points) {
      this.#setArmed(point, null);
      if (point.listeners.size === 0) this.#points.delete(key);
    }
  }

  stop(): void {
    this.disconnected();
    for (const point of this.#points.values()) point.listeners.clear();
    this.#points.clear();
  }

  #pointOf(path: string, of: Observed): WatchPoint {
    const key = `${of} ${path}`;
    const known = this.#points.get(key);
    if (known !== undefined) return known;
    const changed = (): void => this.#changed(point);
    const listeners = new Set<() => void>();
    const point: WatchPoint = { path, of, listeners, changed, armedOn: null, fired: 0, isTold: false };
    this.#points.set(key, point);
    return point;
  }

  /** From inside the client: noted now, done later. */
  #changed(point: WatchPoint): void {
    point.fired += 1;
    this.#setArmed(point, null);
    this.#doors.clock.atTurnEnd(() => this.#refresh(point));
  }

  /** The watch first, then the listeners: whatever changes after they read is told again. */
  #refresh(point: WatchPoint): void {
    if (this.#connection === null || point.listeners.size === 0) return;
    if (point.armedOn !== this.#connection && this.#armedCount < WATCHES_MAX) void this.#rearm(point);
    this.#tell(point);
  }

  async #rearm(point: WatchPoint): Promise<void> {
    const connection = this.#connection;
    const { fired } = point;
    this.#setArmed(point, connection);
    const armed = await this.#arm(point.path, point.of, point.changed);
    if (point.armedOn !== connection || point.fired !== fired) return;
    if (armed === 'failed') this.#setArmed(point, null);
    if (armed === 'armedLate') this.#tell(point);
  }

  #tell(point: WatchPoint): void {
    if (point.isTold) return;
    point.isTold = true;
    this.#doors.clock.atTurnEnd(() => {
      point.isTold = false;
      if (this.#connection === null) return;
      for (const listener of [...point.listeners]) listener();
    });
  }

  #pollLater(): void {
    this.#poll?.cancel();
    const delayMs = POLL_MS_MIN + this.#doors.random.below(POLL_MS_MAX - POLL_MS_MIN);
    this.#poll = this.#doors.clock.setTimer(delayMs, () => {
      for (const point of this.#points.values()) this.#refresh(point);
      this.#pollLater();
    });
  }

  #setArmed(point: WatchPoint, connection: number | null): void {
    this.#armedCount += Number(connection !== null) - Number(point.armedOn !== null);
    point.armedOn = connection;
  }
}
