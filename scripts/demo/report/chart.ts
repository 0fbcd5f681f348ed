/** One curve: a value at each point in time, or none. */
export interface Curve {
  readonly name: string;
  /** A colour of CSS. */
  readonly colour: string;
  readonly points: readonly (readonly [atSeconds: number, value: number])[];
}

/** A stretch of time with a name, drawn behind the curves. */
export interface Band {
  readonly name: string;
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** A moment with a name. */
export interface Mark {
  readonly name: string;
  readonly atSeconds: number;
}

export interface ChartOptions {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly secondsMax: number;
  readonly curves: readonly Curve[];
  readonly bands: readonly Band[];
  readonly marks: readonly Mark[];
  /** Tenfold steps instead of equal ones. */
  readonly isLogarithmic?: boolean;
}

const WIDTH = 1080;
const HEIGHT = 300;
const MARGIN = { left: 64, right: 16, top: 28, bottom: 30 };
const INNER_WIDTH = WIDTH - MARGIN.left - MARGIN.right;
const INNER_HEIGHT = HEIGHT - MARGIN.top - MARGIN.bottom;
const TICKS = 5;
/** Points further apart than this many steps of the curve are not joined. */
const MARKS_LABELLED_MAX = 40;

/** An SVG element that needs nothing from outside: curves over time, bands behind them, marks across. */
export function chart(options: ChartOptions): string {
  const { id, title, unit, curves, bands, marks } = options;
  const scale = new Scale(options);
  return [
    `<svg id="${id}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    ...bands.map((band) => bandOf(band, scale)),
    ...scale.ticks.map((value) => gridLine(value, scale)),
    ...timeTicks(options.secondsMax).map((seconds) => timeLabel(seconds, scale)),
    ...marks.slice(0, MARKS_LABELLED_MAX).map((mark) => markOf(mark, scale)),
    ...curves.map((curve) => curveOf(curve, scale)),
    `<text class="title" x="${MARGIN.left}" y="16">${escaped(title)} (${escaped(unit)})</text>`,
    ...curves.map((curve, index) => legendOf(curve, index)),
    '</svg>',
  ].join('\n');
}

class Scale {
  readonly ticks: readonly number[];
  readonly #secondsMax: number;
  readonly #low: number;
  readonly #high: number;
  readonly #isLogarithmic: boolean;

  constructor({ curves, secondsMax, isLogarithmic = false }: ChartOptions) {
    const values = curves.flatMap(({ points }) => points.map(([, value]) => value));
    const largest = Math.max(1, ...values);
    this.#secondsMax = secondsMax;
    this.#isLogarithmic = isLogarithmic;
    if (isLogarithmic) {
      const smallest = Math.min(largest, ...values.filter((value) => value > 0));
      const [from, to] = [Math.floor(Math.log10(smallest)), Math.ceil(Math.log10(largest))];
      this.ticks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
    } else {
      const step = niceStep(largest / TICKS);
      this.ticks = Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step);
    }
    this.#low = this.ticks[0] ?? 0;
    this.#high = this.ticks.at(-1) ?? 1;
  }

  x(seconds: number): number {
    return MARGIN.left + (INNER_WIDTH * Math.min(Math.max(seconds, 0), this.#secondsMax)) / this.#secondsMax;
  }

  y(value: number): number {
    return MARGIN.top + INNER_HEIGHT * (1 - this.#share(value));
  }

  #share(value: number): number {
    if (!this.#isLogarithmic) return (value - this.#low) / (this.#high - this.#low);
    const from = Math.log10(this.#low);
    const span = Math.max(Math.log10(this.#high) - from, 1);
    return (Math.log10(Math.max(value, this.#low)) - from) / span;
  }
}

/** 1, 2 or 5 of some power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}

function timeTicks(secondsMax: number): readonly number[] {
  const step = niceStep(secondsMax / 12);
  return Array.from({ length: Math.floor(secondsMax / step) + 1 }, (_, index) => index * step);
}

function bandOf({ name, fromSeconds, toSeconds }: Band, scale: Scale): string {
  const x = scale.x(fromSeconds);
  const width = Math.max(scale.x(toSeconds) - x, 1);
  const text = `<text class="band" x="${x.toFixed(1)}" y="${MARGIN.top + 12}">${escaped(name)}</text>`;
  return `<g class="fault"><rect x="${x.toFixed(1)}" y="${MARGIN.top}" width="${width.toFixed(1)}" height="${INNER_HEIGHT}"><title>${escaped(name)}</title></rect>${text}</g>`;
}

function gridLine(value: number, scale: Scale): string {
  const y = scale.y(value).toFixed(1);
  return `<g class="grid"><line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y}" y2="${y}"/><text x="${MARGIN.left - 6}" y="${y}">${shortNumber(value)}</text></g>`;
}

function timeLabel(seconds: number, scale: Scale): string {
  return `<text class="time" x="${scale.x(seconds).toFixed(1)}" y="${HEIGHT - 10}">${seconds} s</text>`;
}

function markOf({ name, atSeconds }: Mark, scale: Scale): string {
  const x = scale.x(atSeconds).toFixed(1);
  return `<line class="election" x1="${x}" x2="${x}" y1="${MARGIN.top}" y2="${MARGIN.top + INNER_HEIGHT}"><title>${escaped(name)}</title></line>`;
}

function curveOf({ name, colour, points }: Curve, scale: Scale): string {
  const path = points.map(
    ([seconds, value]) => `${scale.x(seconds).toFixed(1)},${scale.y(value).toFixed(1)}`,
  );
  return `<polyline class="curve" data-name="${escaped(name)}" stroke="${colour}" points="${path.join(' ')}"/>`;
}

function legendOf({ name, colour }: Curve, index: number): string {
  const x = WIDTH - MARGIN.right - 110 * (index + 1);
  return `<g class="legend"><rect x="${x}" y="8" width="12" height="4" fill="${colour}"/><text x="${x + 17}" y="14">${escaped(name)}</text></g>`;
}

function shortNumber(value: number): string {
  return value >= 1 || value === 0 ? value.toLocaleString('en-US') : String(Number(value.toPrecision(1)));
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
