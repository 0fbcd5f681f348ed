import { type LoadRecord, type LoadSample, lengthOf } from '../../test/support/cluster/load/load-record.ts';

/** One thing that was done to the cluster. Times on the monotonic clock. */
export interface Fault {
  readonly name: string;
  readonly beganAtMs: number;
  /** What was taken away is back: a process runs again, a server answers. */
  readonly undoneAtMs: number;
  /** Every partition is led and every replica in sync again. */
  readonly wholeAtMs: number;
  /** Asked and not answered when it began. */
  readonly inFlight: number;
}

/** What clients met while a fault lasted, from its begin until the cluster was whole again. */
export interface FaultFigures {
  readonly fault: Fault;
  readonly acknowledgedWrites: number;
  readonly reads: number;
  readonly refused: number;
  readonly inDoubt: number;
  /** Longest time without a successful write, and read, of any client. */
  readonly writeGapMs: number;
  readonly readGapMs: number;
  /** The same in that partition which waited longest. */
  readonly writeGapMsMax: number;
  readonly readGapMsMax: number;
}

/** What is answered a moment after the cluster is whole again was asked before. */
const AFTERMATH_MS = 500;

/** Share of samples that speak of a fault's end: those that ended until then are its own. */
export function endOf(fault: Fault): number {
  return fault.wholeAtMs + AFTERMATH_MS;
}

export const isInDoubt = ({ ending }: LoadSample): boolean => ending === 'inDoubt' || ending === 'cut';

export function figuresOf(fault: Fault, record: LoadRecord, partitions: number): FaultFigures {
  const samples = record.between(fault.beganAtMs, endOf(fault));
  const done = samples.filter(({ ending }) => ending === 'done');
  const gap = (kind: 'write' | 'read', partition?: number): number =>
    lengthOf(record.longestGap(kind, fault.beganAtMs, endOf(fault), partition));
  const worst = (kind: 'write' | 'read'): number =>
    Math.max(...Array.from({ length: partitions }, (_, partition) => gap(kind, partition)));
  return {
    fault,
    acknowledgedWrites: done.filter(({ isWrite }) => isWrite).length,
    reads: done.filter(({ isWrite }) => !isWrite).length,
    refused: samples.filter(({ ending }) => ending === 'refused').length,
    inDoubt: samples.filter(isInDoubt).length,
    writeGapMs: gap('write'),
    readGapMs: gap('read'),
    writeGapMsMax: worst('write'),
    readGapMsMax: worst('read'),
  };
}

/** What ended outside every fault. */
export function outside(record: LoadRecord, faults: readonly Fault[]): readonly LoadSample[] {
  return record.samples.filter(
    ({ endedAtMs }) => !faults.some((fault) => fault.beganAtMs <= endedAtMs && endedAtMs < endOf(fault)),
  );
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** [from, to] without the faults, which are in order and do not overlap. */
export function spansOutside({ fromMs, toMs }: Span, faults: readonly Fault[]): readonly Span[] {
  const edges = [fromMs, ...faults.flatMap((fault) => [fault.beganAtMs, endOf(fault)]), toMs];
  const spans: Span[] = [];
  for (let index = 0; index + 1 < edges.length; index += 2)
    spans.push({ fromMs: edges[index]!, toMs: edges[index + 1]! });
  return spans.filter((span) => span.toMs > span.fromMs);
}

/** Successes a second over all these spans. */
export function rateIn(record: LoadRecord, spans: readonly Span[]): number {
  let count = 0;
  let seconds = 0;
  for (const { fromMs, toMs } of spans) {
    count += record.between(fromMs, toMs).filter(({ ending }) => ending === 'done').length;
    seconds += (toMs - fromMs) / 1000;
  }
  return seconds === 0 ? 0 : count / seconds;
}
