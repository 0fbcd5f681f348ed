/** One run: everything in it follows from the seed. Times are virtual milliseconds. */
export interface RunSettings {
  readonly seed: number;
  readonly nodes: number;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly minInsync: number;
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
  nodes: 3,
  partitions: 2,
  replicationFactor: 3,
  minInsync: 2,
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

/** The settings of a seed: clusters of several sizes, with and without spare nodes. */
export function settingsOf(seed: number, changed: Partial<RunSettings> = {}): RunSettings {
  const nodes = NODE_COUNTS[seed % NODE_COUNTS.length] as number;
  const partitions = PARTITION_COUNTS[seed % PARTITION_COUNTS.length] as number;
  return { ...RUN_DEFAULTS, nodes, partitions, ...changed, seed };
}

/** The command that does the same run again. */
export function replayCommand({ seed, mutation }: Pick<RunSettings, 'seed' | 'mutation'>): string {
  const mutated = mutation === null ? '' : ` ARGS="--mutation '${mutation}'"`;
  return `make simulate SEED=${seed} RUNS=1${mutated}`;
}
