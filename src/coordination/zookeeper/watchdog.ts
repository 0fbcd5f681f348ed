import type { Clock, Timer } from '../../env/clock.ts';

/** One look at a session that is not over. Times are of the monotonic clock. */
export interface Vitals {
  readonly nowMs: number;
  /** T. */
  readonly timeoutMs: number;
  readonly serverCount: number;
  readonly isConnected: boolean;
  /** Since when the attempt to connect lasts; null: none is under way. */
  readonly attemptSinceMs: number | null;
  /** When the oldest request without an answer was sent; null: all were answered. */
  readonly oldestSentMs: number | null;
  readonly lastSentMs: number;
  /** The last answer of a server. */
  readonly lastReplyMs: number;
  /** For how long servers have taken our connections, and none gave us the session (W14); 0: it is served, or nobody takes one. */
  readonly unservedMs: number;
  /** This process itself stood still: what looks like silence may lie in its sockets, unread. */
  readonly isOurStall: boolean;
}

/**
 * `suspend`: nothing is confirmed any more. `dropSilent`: the connection is of no use. `dropWedged`: so is the attempt.
 * `beat`: something must be asked, so that there is an answer. `abandon`: W14.
 */
export type WatchdogAction = 'suspend' | 'dropSilent' | 'dropWedged' | 'beat' | 'abandon';

const ATTEMPT_MS_MIN = 1_000;
/** At least so many attempts in T, though there be one server: one that was just starting may have swallowed the first. */
const ATTEMPTS_PER_TIMEOUT = 3;
const ABANDON_MS_MIN = 60_000;
export const TICKS_PER_TIMEOUT = 10;

/** After so long without the session at servers that are there, it is given up (W14). */
export const abandonMs = (timeoutMs: number): number => Math.max(3 * timeoutMs, ABANDON_MS_MIN);

/** What is to be done, W3, W12 and W14 (H1, H2, H12, H18). Pure. */
export function judge(vitals: Vitals): ReadonlySet<WatchdogAction> {
  const { nowMs, timeoutMs, isConnected, oldestSentMs } = vitals;
  const actions = new Set<WatchdogAction>();
  if (nowMs - vitals.lastReplyMs > timeoutMs / 3) actions.add('suspend');
  if (isConnected) {
    const isSilent = oldestSentMs !== null && nowMs - oldestSentMs > timeoutMs / 2;
    if (isSilent && !vitals.isOurStall) actions.add('dropSilent');
    // A fifth, looked at every tenth: the answer has until a third (W12).
    if (oldestSentMs === null && nowMs - vitals.lastSentMs >= timeoutMs / 5) actions.add('beat');
    return actions;
  }
  if (isWedged(vitals)) actions.add('dropWedged');
  if (vitals.unservedMs > abandonMs(timeoutMs) && !vitals.isOurStall) actions.add('abandon');
  return actions;
}

function isWedged({ nowMs, attemptSinceMs, timeoutMs, serverCount, isOurStall }: Vitals): boolean {
  if (attemptSinceMs === null || isOurStall) return false;
  return (
    nowMs - attemptSinceMs > Math.max(ATTEMPT_MS_MIN, timeoutMs / Math.max(serverCount, ATTEMPTS_PER_TIMEOUT))
  );
}

/**
 * The one timer of a session (W3): ticks every tenth of T, and says whether it came late. Not twice in a row: a process
 * that is always late must not keep to a server that hangs.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #timeoutMs: () => number;
  readonly #onTick: (isLate: boolean) => void;
  #timer: Timer | null = null;
  #wasLate = false;

  constructor(clock: Clock, timeoutMs: () => number, onTick: (isLate: boolean) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onTick = onTick;
  }

  start(): void {
    const intervalMs = this.#timeoutMs() / TICKS_PER_TIMEOUT;
    const dueMs = this.#clock.monotonicMs() + intervalMs;
    this.#timer = this.#clock.setTimer(intervalMs, () => {
      const isLate = !this.#wasLate && this.#clock.monotonicMs() - dueMs > intervalMs;
      this.#wasLate = isLate;
      this.start();
      // After the sockets that are ready were read: the answer may be there already.
      this.#clock.atTurnEnd(() => {
        if (this.#timer !== null) this.#onTick(isLate);
      });
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
