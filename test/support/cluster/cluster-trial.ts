import { expect } from 'chai';
import type { ClusterProcesses } from './cluster-processes.ts';
import { SHORT_TIMES } from './cluster-processes.ts';
import { ClusterLoad, type ClusterLoadOptions } from './load/cluster-load.ts';
import { lengthOf } from './load/load-record.ts';
import { judgeLoad, type LoadVerdict } from './load/load-verdict.ts';
import { readBack } from './load/read-back.ts';
import { sleep } from './sleep.ts';

export interface TrialOptions extends Partial<Pick<ClusterLoadOptions, 'listeners' | 'actionsPerSecond'>> {
  readonly name: string;
  readonly seed: number;
}

export interface TrialResult {
  readonly load: ClusterLoad;
  readonly verdict: LoadVerdict;
  /** What is not the same on all disks. */
  readonly differences: readonly string[];
  /** When the fault began and when the cluster was whole again. */
  readonly fromMs: number;
  readonly toMs: number;
  /** From the kill of all until the cluster was whole again. */
  readonly restartMs: number;
}

const CLIENTS_PER_PARTITION = 3;
const ACTIONS_PER_SECOND = 900;
/** Successes before the fault, and after the cluster is whole again. */
const DONE_MIN = 400;
const DONE_MS_MAX = 20_000;
/** Followers hear of the last commits. */
const QUIET_MS = 4 * SHORT_TIMES.pollMs;
const CLIENT_TIMEOUT_MS = SHORT_TIMES.writeMs + 2_000;
const POLL_MS = 10;

/**
 * Load, then a fault, then the cluster whole again, then more load. At the end everything is killed at once, the disks
 * are compared, everything is started again and every key is read by connections that are new.
 */
export async function playTrial(
  cluster: ClusterProcesses,
  options: TrialOptions,
  fault: (load: ClusterLoad) => Promise<void>,
): Promise<TrialResult> {
  const load = await loadOf(cluster, options);
  const done = (count: number): Promise<void> => moreDone(load, count);
  load.start();
  let fromMs = 0;
  let toMs = 0;
  try {
    await done(DONE_MIN);
    fromMs = performance.now();
    await fault(load);
    await cluster.whole();
    toMs = performance.now();
    await done(DONE_MIN);
  } finally {
    await load.stop();
  }
  await sleep(QUIET_MS);
  const restartedAtMs = performance.now();
  await cluster.killNodes();
  const differences = await cluster.differences();
  await cluster.startNodes();
  const restartMs = performance.now() - restartedAtMs;
  const held = await readBack(
    load,
    cluster.nodes.map(({ addresses }) => addresses),
  );
  return { load, verdict: judgeLoad(load, held), differences, fromMs, toMs, restartMs };
}

/** What must hold after whatever fault, unless unclean elections were allowed. */
export function expectNothingLost({ verdict, differences }: TrialResult): void {
  expect(verdict.lost, 'acknowledged and lost').to.deep.equal([]);
  expect(verdict.violations, 'what no order explains').to.deep.equal([]);
  expect(verdict.defects, 'impossible answers').to.deep.equal([]);
  expect(differences, 'replicas that differ').to.deep.equal([]);
}

export function describeTrial({ load, verdict, fromMs, toMs, restartMs }: TrialResult): string {
  const { acknowledgedWrites, refused, inDoubt } = verdict;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  const gap = (kind: 'write' | 'read'): string => {
    const each = load.partitions.map((partition) =>
      lengthOf(load.record.longestGap(kind, fromMs, toMs, partition)),
    );
    return seconds(Math.max(...each));
  };
  const counts = `acknowledged ${acknowledgedWrites}, refused ${refused}, in doubt ${inDoubt}`;
  const gaps = `${gap('write')} without a write, ${gap('read')} without a read in the worst partition`;
  const times = `whole after ${seconds(toMs - fromMs)}, after all were killed ${seconds(restartMs)}`;
  return `      ${[counts, gaps, times, ...complaints(load)].join('\n      ')}\n`;
}

/** What clients were told where something was not done, and how often. */
function complaints({ record }: ClusterLoad): readonly string[] {
  const counts = new Map<string, number>();
  for (const { ending, reason } of record.samples) {
    if (ending === 'done' || ending === 'redirected') continue;
    const text = `${ending}: ${reason.replaceAll(/\d+/g, 'n')}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `  ${count} times ${text}`);
}

async function loadOf(cluster: ClusterProcesses, options: TrialOptions): Promise<ClusterLoad> {
  const facts = await cluster.facts();
  return new ClusterLoad({
    facts,
    nodes: cluster.nodes.map(({ addresses }) => addresses),
    clientsPerPartition: CLIENTS_PER_PARTITION,
    actionsPerSecond: ACTIONS_PER_SECOND,
    timeoutMs: CLIENT_TIMEOUT_MS,
    ...options,
  });
}

async function moreDone(load: ClusterLoad, count: number): Promise<void> {
  const target = load.record.count('done') + count;
  const deadline = performance.now() + DONE_MS_MAX;
  while (load.record.count('done') < target) {
    if (performance.now() > deadline) throw new Error(`not ${count} successes within ${DONE_MS_MAX} ms`);
    await sleep(POLL_MS);
  }
}
