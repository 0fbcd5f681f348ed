import type { LoadRecord, LoadSample } from '../../../test/support/cluster/load/load-record.ts';
import { endOf, type Fault } from '../fault-window.ts';
import { count, type DemoFigures, type Judgement } from '../verdict.ts';
import { type Band, type Curve, chart, escaped, type Mark } from './chart.ts';
import { STYLE_SHEET } from './style-sheet.ts';

/** Something that happened, for the chart and the list. */
export interface TimelineEvent {
  readonly atMs: number;
  readonly kind: 'fault' | 'undone' | 'whole' | 'election' | 'controller';
  readonly text: string;
}

export interface ReportInput {
  /** The zero of its time axis. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly record: LoadRecord;
  readonly figures: DemoFigures;
  readonly judgements: readonly Judgement[];
  readonly events: readonly TimelineEvent[];
  /** How it was run: versions, sizes, times. */
  readonly setting: Readonly<Record<string, string>>;
}

const BUCKET_MS = 250;

/** One HTML file that needs nothing from outside. */
export function report(input: ReportInput): string {
  const isWell = input.judgements.every((judgement) => judgement.isWell);
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><title>Caskade: failover demonstration</title>',
    `<style>${STYLE_SHEET}</style></head><body>`,
    '<h1>Caskade: failover demonstration</h1>',
    `<p id="verdict" class="${isWell ? 'well' : 'bad'}">${escaped(headline(input))}</p>`,
    verdictTable(input.judgements),
    ...charts(input),
    faultTable(input),
    timeline(input),
    settingTable(input.setting),
    '</body></html>',
    '',
  ].join('\n');
}

function headline({ figures, judgements }: ReportInput): string {
  const { acknowledgedWrites, lost } = figures.load;
  const bad = judgements.filter(({ isWell }) => !isWell).map(({ name }) => name);
  const end = bad.length === 0 ? 'all well' : `not well: ${bad.join(', ')}`;
  return `${count(acknowledgedWrites)} writes acknowledged, ${count(lost.length)} lost; ${end}`;
}

// Curves

function charts(input: ReportInput): readonly string[] {
  const { beganAtMs, endedAtMs, record, events, figures } = input;
  const secondsMax = (endedAtMs - beganAtMs) / 1000;
  const at = (ms: number): number => (ms - beganAtMs) / 1000;
  const bands = figures.faults.map(({ fault }): Band => bandOf(fault, at));
  const marks = events
    .filter(({ kind }) => kind === 'election' || kind === 'controller')
    .map(({ atMs, text }): Mark => ({ name: text, atSeconds: at(atMs) }));
  const buckets = bucketsOf(record, beganAtMs, endedAtMs);
  const shared = { secondsMax, bands, marks };
  return [
    chart({
      id: 'throughput',
      title: 'Successful operations',
      unit: 'a second',
      curves: [
        rateCurve('writes', '#b3401f', buckets, ({ isWrite }) => isWrite),
        rateCurve('reads', '#1f6fb3', buckets, ({ isWrite }) => !isWrite),
      ],
      ...shared,
    }),
    chart({
      id: 'latency',
      title: 'Latency of successful operations',
      unit: 'ms, logarithmic',
      isLogarithmic: true,
      curves: [
        latencyCurve('median', '#3a8f3a', buckets, 0.5),
        latencyCurve('99th of 100', '#8f3a8f', buckets, 0.99),
      ],
      ...shared,
    }),
  ];
}

function bandOf(fault: Fault, at: (ms: number) => number): Band {
  return { name: fault.name, fromSeconds: at(fault.beganAtMs), toSeconds: at(endOf(fault)) };
}

interface Bucket {
  readonly atSeconds: number;
  readonly done: readonly LoadSample[];
}

function bucketsOf(record: LoadRecord, fromMs: number, toMs: number): readonly Bucket[] {
  const buckets: Bucket[] = [];
  for (let ms = fromMs; ms + BUCKET_MS <= toMs; ms += BUCKET_MS) {
    const done = record.between(ms, ms + BUCKET_MS).filter(({ ending }) => ending === 'done');
    buckets.push({ atSeconds: (ms - fromMs + BUCKET_MS / 2) / 1000, done });
  }
  return buckets;
}

function rateCurve(
  name: string,
  colour: string,
  buckets: readonly Bucket[],
  isMeant: (sample: LoadSample) => boolean,
): Curve {
  const points = buckets.map(
    ({ atSeconds, done }) => [atSeconds, done.filter(isMeant).length * (1000 / BUCKET_MS)] as const,
  );
  return { name, colour, points };
}

/** Where nothing succeeded there is no point. */
function latencyCurve(name: string, colour: string, buckets: readonly Bucket[], share: number): Curve {
  const points = buckets
    .filter(({ done }) => done.length > 0)
    .map(({ atSeconds, done }) => [atSeconds, latencyAt(done, share)] as const);
  return { name, colour, points };
}

function latencyAt(samples: readonly LoadSample[], share: number): number {
  const sorted = samples.map(({ invokedAtMs, endedAtMs }) => endedAtMs - invokedAtMs).sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
}

// Tables

function verdictTable(judgements: readonly Judgement[]): string {
  const rows = judgements.map(({ name, text, isWell, details }) => {
    const more = details.map((detail) => `<pre>${escaped(detail)}</pre>`).join('');
    return `<tr class="${isWell ? 'well' : 'bad'}"><th>${escaped(name)}</th><td>${escaped(text)}${more}</td></tr>`;
  });
  return `<table id="judgements">${rows.join('')}</table>`;
}

const FAULT_COLUMNS = [
  'fault',
  'lasted',
  'until whole',
  'writes',
  'reads',
  'refused',
  'in doubt',
  'longest without a write: any partition',
  'worst partition',
  'longest without a read: any partition',
  'worst partition',
];

function faultTable({ figures }: ReportInput): string {
  const rows = figures.faults.map(({ fault, ...figure }) => [
    fault.name,
    seconds(fault.undoneAtMs - fault.beganAtMs),
    seconds(fault.wholeAtMs - fault.beganAtMs),
    count(figure.acknowledgedWrites),
    count(figure.reads),
    count(figure.refused),
    count(figure.inDoubt),
    seconds(figure.writeGapMs),
    seconds(figure.writeGapMsMax),
    seconds(figure.readGapMs),
    seconds(figure.readGapMsMax),
  ]);
  return `<h2>Faults</h2><table id="faults">${row('th', FAULT_COLUMNS)}${rows.map((cells) => row('td', cells)).join('')}</table>`;
}

function timeline({ events, beganAtMs }: ReportInput): string {
  const rows = events.map(({ atMs, kind, text }) => row('td', [seconds(atMs - beganAtMs), kind, text]));
  return `<h2>What happened</h2><table id="timeline">${rows.join('')}</table>`;
}

function settingTable(setting: Readonly<Record<string, string>>): string {
  const rows = Object.entries(setting).map((cells) => row('td', cells));
  return `<h2>Setting</h2><table id="setting">${rows.join('')}</table>`;
}

function row(cell: 'th' | 'td', texts: readonly string[]): string {
  return `<tr>${texts.map((text) => `<${cell}>${escaped(text)}</${cell}>`).join('')}</tr>`;
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
