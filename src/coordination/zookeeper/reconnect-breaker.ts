const WINDOW_MS = 10_000;
const CONNECTS_MAX = 10;
const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 10_000;
/** About half a minute of ever longer pauses has not helped. */
const TRIPS_MAX = 5;

/**
 * W3, H7: a server that accepts a session and drops it at once would be asked hundreds of times a second. More than ten
 * connections in ten seconds: from then on a pause before each, doubled each time, until one lasts.
 */
export class ReconnectBreaker {
  #connects: number[] = [];
  #trips = 0;
  #lastMs = 0;

  connected(nowMs: number): void {
    if (this.#trips > 0) {
      const hasLasted = nowMs - this.#lastMs > WINDOW_MS + this.backoffMs;
      this.#trips = hasLasted ? 0 : this.#trips + 1;
    }
    this.#lastMs = nowMs;
    this.#connects = [...this.#connects.filter((atMs) => nowMs - atMs < WINDOW_MS), nowMs];
    if (this.#trips > 0 || this.#connects.length <= CONNECTS_MAX) return;
    this.#trips = 1;
    this.#connects = [];
  }

  /** To wait before the next attempt. */
  get backoffMs(): number {
    return this.#trips === 0 ? 0 : Math.min(BACKOFF_MS_MIN * 2 ** (this.#trips - 1), BACKOFF_MS_MAX);
  }

  /** This session gets nowhere: only a new one may help. */
  get isHopeless(): boolean {
    return this.#trips > TRIPS_MAX;
  }
}
