import type { Clock, Timer } from '../../env/clock.ts';

const REPEAT_MS = 500;

/**
 * Tells the controller of a failure again and again, because any message may be lost and nobody else will tell it
 * (KAFKA-7837).
 */
export class TroubleReporter {
  readonly #clock: Clock;
  readonly #tell: (trouble: 'disk' | 'corrupt') => void;
  #trouble: 'disk' | 'corrupt' | null = null;
  #timer: Timer | null = null;

  constructor(clock: Clock, tell: (trouble: 'disk' | 'corrupt') => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get trouble(): 'disk' | 'corrupt' | null {
    return this.#trouble;
  }

  begin(trouble: 'disk' | 'corrupt'): void {
    this.end();
    this.#trouble = trouble;
    this.#repeat();
  }

  end(): void {
    this.#trouble = null;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #repeat(): void {
    const trouble = this.#trouble;
    if (trouble === null) return;
    this.#tell(trouble);
    this.#timer = this.#clock.setTimer(REPEAT_MS, () => this.#repeat());
  }
}
