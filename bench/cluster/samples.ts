import { median } from '../support/median.ts';
import type { LoadResult } from './load/run-load.ts';

/** What one peer did in each round of one row. */
export interface Series {
  readonly name: string;
  readonly results: LoadResult[];
}

export const TABLE_HEAD =
  '| who | /s, median | range | p50 ms | p99 ms | CPU us a command, servers / client | ours : this, by rate | range |\n' +
  '|---|---|---|---|---|---|---|---|';

/** One line of a table. Ratios are taken within each round, because the machine is not always equally fast. */
export function tableRow(series: Series, ours: Series): string {
  const of = (field: keyof LoadResult): readonly number[] => series.results.map((result) => result[field]);
  const rates = of('rate');
  const ratios = rates.map((rate, round) => (ours.results[round]?.rate ?? Number.NaN) / rate);
  const cells = [
    series.name,
    Math.round(median(rates)).toLocaleString('en'),
    range(rates, 0),
    `${median(of('p50Ms')).toFixed(2)}`,
    `${median(of('p99Ms')).toFixed(2)}`,
    `${median(of('serverCpuMicros')).toFixed(1)} / ${median(of('clientCpuMicros')).toFixed(1)}`,
    ...(series === ours ? ['', ''] : [median(ratios).toFixed(2), range(ratios, 2)]),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** A ratio of latencies: ours to theirs, round by round. */
export function latencyRatio(ours: Series, theirs: Series): string {
  const ratios = ours.results.map(
    (result, round) => result.p50Ms / (theirs.results[round]?.p50Ms ?? Number.NaN),
  );
  return `p50, ours : ${theirs.name}: ${median(ratios).toFixed(2)} (${range(ratios, 2)})`;
}

function range(values: readonly number[], digits: number): string {
  const text = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(Math.min(...values))}-${text(Math.max(...values))}`;
}
