import type { Fault } from '../../scripts/demo/fault-window.ts';
import { LoadRecord, type LoadSample } from '../support/cluster/load/load-record.ts';
import type { LoadVerdict } from '../support/cluster/load/load-verdict.ts';

/** A sample of partition 0, a write that took a millisecond and was done, but for what is said otherwise. */
export function sample(endedAtMs: number, other: Partial<LoadSample> = {}): LoadSample {
  const invokedAtMs = endedAtMs - 1;
  const plain = { isWrite: true, partition: 0, client: 0, port: 1, ending: 'done', reason: '' } as const;
  return { ...plain, invokedAtMs, endedAtMs, ...other };
}

export function recordOf(samples: readonly LoadSample[]): LoadRecord {
  const record = new LoadRecord();
  for (const each of samples.toSorted((left, right) => left.endedAtMs - right.endedAtMs)) record.add(each);
  return record;
}

/** A write and a read every 10 ms. */
export function steady(fromMs: number, toMs: number): readonly LoadSample[] {
  const samples: LoadSample[] = [];
  for (let ms = fromMs; ms < toMs; ms += 10) samples.push(sample(ms), sample(ms, { isWrite: false }));
  return samples;
}

export const FAULT: Fault = {
  name: 'node 1 is killed',
  beganAtMs: 1000,
  undoneAtMs: 2000,
  wholeAtMs: 2500,
  inFlight: 3,
};

export const WELL: LoadVerdict = {
  acknowledgedWrites: 12_000,
  reads: 9_000,
  refused: 4,
  inDoubt: 2,
  lost: [],
  violations: [],
  defects: [],
};
