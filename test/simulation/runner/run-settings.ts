import type { FlushMode } from '../../../src/storage/partition-meta.ts';

/** One run: everything in it follows from the seed. Times are virtual milliseconds. */
export interface RunSettings {
  readonly seed: number;
  /** One node without a cluster, as a server starts it that has no peers: most of what follows is nothing to it. */
  readonly isAlone: boolean;
  /** R18: one for the whole cluster. */
  readonly flushMode: FlushMode;
  readonly nodes: number;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly minInsync: number;
  /** No operator moves replicas, and the coordinator forgets more often what it was told last (R17). */
  readonly isForgetful: boolean;
  /** D. A long one makes what a promise holds up visible, a short one what happens after it. */
  readonly leaseMsMax: number;
  /** Every message takes up to so much longer: in some worlds nodes are far from each other. */
  readonly slownessMs: number;
  readonly clients: number;
  readonly operationsMin: number;
  readonly faultsMin: number;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  readonly thinkMsMax: number;
  readonly pauseMsMax: number;
  readonly clientTimeoutMsMax: number;
  /** The clients stop by then, whatever they have done. */
  readonly busyMsMax: number;
  /** After the faults stop, everything is healed and serves within this. */
  readonly healMsMax: number;
  /** After a fault has ended, refusals and doubts still have their cause in it for so long. */
  readonly recoveryMs: number;
  readonly stalenessMsMax: number;
  readonly followerReadShare: number;
  /** Name of the mutation that is in force; null: none. */
  readonly mutation: string | null;
}

export const RUN_DEFAULTS: Omit<RunSettings, 'seed'> = {
  isAlone: false,
  flushMode: 'always',
  nodes: 3,
  partitions: 2,
  replicationFactor: 3,
  minInsync: 2,
  isForgetful: false,
  leaseMsMax: 400,
  slownessMs: 0,
  clients: 8,
  operationsMin: 2_000,
  faultsMin: 10,
  faultEveryMs: 1_600,
  thinkMsMax: 6,
  pauseMsMax: 900,
  clientTimeoutMsMax: 5_000,
  busyMsMax: 120_000,
  healMsMax: 15_000,
  recoveryMs: 12_000,
  stalenessMsMax: 3_000,
  followerReadShare: 0.1,
  mutation: null,
};

const NODE_COUNTS = [3, 3, 4, 5];
const PARTITION_COUNTS = [1, 2, 3];
const LEASES_MS = [400, 400, 1_200, 400, 800];
const SLOWNESSES_MS = [0, 0, 0, 12, 0, 0, 25];

/** Of so many seeds one is a node alone, one a cluster under a weak flush mode, and one a cluster whose coordinator forgets. */
const ALONE_OF = 12;
const WEAK_OF = 10;
const FORGETFUL_OF = 8;
const ALONE_FLUSH_MODES: readonly FlushMode[] = ['always', 'always', 'interval', 'always', 'os'];
const WEAK_FLUSH_MODES: readonly FlushMode[] = ['interval', 'os'];
/** Faults of a node alone are over sooner. */
const ALONE = { isAlone: true, faultsMin: 30, faultEveryMs: 900 };
/** It forgets only while all is in order. */
const FORGETFUL = { isForgetful: true, faultEveryMs: 4_000 };
const FORGETFUL_NODE_COUNTS = [4, 4, 3];

/**
 * The settings of a seed: clusters of several sizes, with and without spare nodes, near and far, with short and long
 * leases; some that do not sync before they acknowledge, and some nodes alone. A mutation is of the rules of clusters
 * that do sync, and is looked for there.
 */
export function settingsOf(seed: number, changed: Partial<RunSettings> = {}): RunSettings {
  const isMutated = (changed.mutation ?? null) !== null;
  if (!isMutated && seed % ALONE_OF === 5) {
    const round = Math.floor(seed / ALONE_OF);
    const kind = { partitions: of(PARTITION_COUNTS, round), flushMode: of(ALONE_FLUSH_MODES, round) };
    return { ...RUN_DEFAULTS, ...ALONE, ...kind, slownessMs: of(SLOWNESSES_MS, seed), ...changed, seed };
  }
  const isForgetful = seed % FORGETFUL_OF === 6;
  const nodes = isForgetful
    ? of(FORGETFUL_NODE_COUNTS, Math.floor(seed / FORGETFUL_OF))
    : of(NODE_COUNTS, seed);
  // With five replicas less than half of them are enough to write.
  const replicationFactor = nodes === 5 && seed % 8 === 7 ? 5 : RUN_DEFAULTS.replicationFactor;
  const isWeak = !isMutated && !isForgetful && seed % WEAK_OF === 2;
  const kind = {
    nodes,
    replicationFactor,
    partitions: of(PARTITION_COUNTS, seed),
    leaseMsMax: of(LEASES_MS, seed),
    slownessMs: of(SLOWNESSES_MS, seed),
    ...(isForgetful ? FORGETFUL : {}),
    flushMode: isWeak ? of(WEAK_FLUSH_MODES, Math.floor(seed / WEAK_OF)) : RUN_DEFAULTS.flushMode,
  };
  return { ...RUN_DEFAULTS, ...kind, ...changed, seed };
}

/**
 * A coordinator that forgets a reassignment that is done asks for replicas that were removed since: only an operator
 * can help then (R17). So it forgets only where replicas never move away; and where min.insync is a majority of them,
 * which the guard against it needs.
 */
export function mayForget({ nodes, replicationFactor, minInsync, isForgetful }: RunSettings): boolean {
  return (isForgetful || nodes === replicationFactor) && 2 * minInsync > replicationFactor;
}

const of = <Value>(values: readonly Value[], at: number): Value => values[at % values.length] as Value;

/** The command that does the same run again. */
export function replayCommand({ seed, mutation }: Pick<RunSettings, 'seed' | 'mutation'>): string {
  const mutated = mutation === null ? '' : ` ARGS="--mutation '${mutation}'"`;
  return `make simulate SEED=${seed} RUNS=1${mutated}`;
}
