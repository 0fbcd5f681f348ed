/** What the rates are made of: totals at one instant. */
export interface RateSample {
  readonly atMs: number;
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

const SPAN_MS_MIN = 100;
const SPAN_MS_MAX = 1600;
const START: RateSample = { atMs: 0, commands: 0, inputBytes: 0, outputBytes: 0 };

/**
 * Rates per second for INFO. It has no timer: whoever asks brings the totals. The rate is the mean since the oldest
 * sample kept; samples older than `SPAN_MS_MAX` give way to newer ones.
 */
export class RateMeter {
  #samples: RateSample[] = [];

  rates(now: RateSample): { readonly commands: number; readonly inputKb: number; readonly outputKb: number } {
    const base =
      this.#samples.find(({ atMs }) => now.atMs - atMs >= SPAN_MS_MIN) ?? this.#samples[0] ?? START;
    const seconds = Math.max(now.atMs - base.atMs, 1) / 1000;
    this.#remember(now);
    return {
      commands: Math.max(0, (now.commands - base.commands) / seconds),
      inputKb: Math.max(0, (now.inputBytes - base.inputBytes) / 1024 / seconds),
      outputKb: Math.max(0, (now.outputBytes - base.outputBytes) / 1024 / seconds),
    };
  }

  reset(): void {
    this.#samples = [];
  }

  #remember(now: RateSample): void {
    const newest = this.#samples.at(-1);
    if (newest !== undefined && now.atMs - newest.atMs < SPAN_MS_MIN) return;
    const recent = this.#samples.filter(({ atMs }) => now.atMs - atMs < SPAN_MS_MAX);
    this.#samples = [...(recent.length > 0 ? recent : this.#samples.slice(-1)), now];
  }
}
