import type { PartitionId } from '../../../src/model/numbers.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import type { Coverage } from '../checkers/coverage.ts';
import { type Disturbance, type DisturbanceBounds, doubtsMax, unexplained } from '../checkers/disturbance.ts';
import { checkExactlyOnce } from '../checkers/exactly-once.ts';
import type { Findings } from '../checkers/findings.ts';
import type { History, Operation } from '../checkers/history.ts';
import { checkLinearizability } from '../checkers/linearizability.ts';
import type { ReferenceLog } from '../checkers/reference-log.ts';
import { checkStaleReads } from '../checkers/stale-reads.ts';
import { materialOf } from '../clients/material.ts';
import type { ClientTransport } from '../clients/simulated-client.ts';
import type { FaultRecord } from '../world/fault.ts';
import type { EventLog } from '../world/world.ts';
import { ClientCrowd } from './client-crowd.ts';
import { countOverlaps } from './overlaps.ts';
import type { RunResult } from './run-result.ts';
import type { RunSettings } from './run-settings.ts';

/** What a verdict needs of a world, of whatever kind it is. */
export interface JudgedWorld {
  readonly partitions: readonly PartitionId[];
  readonly nowMs: number;
  readonly trueWallMs: number;
  readonly wallAheadMsMax: number;
  readonly events: EventLog;
  readonly faults: readonly FaultRecord[];
}

/** What the clients met, and against what it is held. */
export interface Testimony {
  readonly settings: RunSettings;
  readonly world: JudgedWorld;
  readonly operations: readonly Operation[];
  readonly crowd: ClientCrowd;
  readonly referenceOf: (partition: number) => ReferenceLog;
  readonly disturbances: readonly Disturbance[];
  /** From then on a refusal needs a cause. */
  readonly servingSinceMs: number;
}

/** Clients are patient at least for this share of the longest patience. */
const PATIENCE_SHARE_MIN = 0.1;
/** What a follower's clock and the network add to the staleness it counts. */
const STALENESS_SLACK = 1.06;

/** Linearizability, stale reads, exactly once, and troubles without a cause. */
export function judgeClients(testimony: Testimony, findings: Findings): void {
  const { settings, world, operations, referenceOf } = testimony;
  const { wallAheadMsMax } = world;
  for (const verdict of checkLinearizability(operations, { wallAheadMsMax })) {
    if (verdict.kind !== 'linearizable') findings.add(`linearizability (${verdict.kind})`, verdict.text);
  }
  const stale = checkStaleReads(operations, {
    stalenessMsMax: settings.stalenessMsMax * STALENESS_SLACK,
    valuesOf: (partition, key) => referenceOf(partition).valuesOf(key),
  });
  for (const text of stale) findings.add('stale reads', text);
  judgeProducers(testimony, findings);
  judgeTroubles(testimony, findings);
}

function judgeProducers({ world, crowd, referenceOf }: Testimony, findings: Findings): void {
  for (const partition of world.partitions) {
    const reference = referenceOf(partition);
    const log = { partition, endOffset: reference.endOffset, records: reference.records() };
    for (const text of checkExactlyOnce(log, crowd.tellings)) findings.add('exactly once', text);
  }
}

function judgeTroubles(
  { settings, crowd, disturbances, servingSinceMs }: Testimony,
  findings: Findings,
): void {
  const { recoveryMs, clients, clientTimeoutMsMax } = settings;
  const bounds: DisturbanceBounds = { recoveryMs, startMs: servingSinceMs };
  const { refusals, doubts } = crowd;
  for (const [name, troubles] of [
    ['refused', refusals],
    ['in doubt', doubts],
  ] as const) {
    for (const { atMs, partition, reason } of unexplained(troubles, disturbances, bounds)) {
      findings.add(
        'refusals',
        `partition ${partition}: ${name} at ${atMs.toFixed(1)} ms without a cause: ${reason}`,
      );
    }
  }
  const most = doubtsMax(disturbances, clients, clientTimeoutMsMax * PATIENCE_SHARE_MIN, recoveryMs);
  findings.expect(
    doubts.length <= most,
    'doubts',
    () => `${doubts.length} in doubt; ${most} could be in flight at faults`,
  );
}

/** The clients of a run. */
export function crowdOf(
  settings: RunSettings,
  world: JudgedWorld,
  transport: ClientTransport,
  history: History,
  coverage: Coverage,
): ClientCrowd {
  const options = {
    clients: settings.clients,
    client: {
      thinkMsMax: settings.thinkMsMax,
      pauseMsMax: settings.pauseMsMax,
      timeoutMsMax: settings.clientTimeoutMsMax,
      stalenessMsMax: settings.stalenessMsMax,
      attemptsMax: 8,
      retryMsMax: 120,
      blindRetryShare: 0.5,
    },
    workload: {
      partitions: world.partitions,
      wallMs: () => world.trueWallMs,
      followerReadShare: settings.followerReadShare,
      material: materialOf(settings.seed),
    },
    nowMs: () => world.nowMs,
    met: (what: string) => coverage.hit(what),
  };
  return new ClientCrowd(options, transport, history, new SeededRandom(settings.seed ^ 0x5eed));
}

/** All that is told of a run. */
export function resultOf(
  { seed }: RunSettings,
  world: JudgedWorld,
  told: {
    readonly operations: readonly Operation[];
    readonly coverage: Coverage;
    readonly findings: Findings;
    readonly realMs: number;
    readonly digest: string;
  },
): RunResult {
  const { operations, coverage, findings, realMs, digest } = told;
  const faults: Record<string, number> = {};
  for (const { kind } of world.faults) faults[kind] = (faults[kind] ?? 0) + 1;
  const count = (kind: string): number => operations.filter(({ outcome }) => outcome.kind === kind).length;
  const followerReads = operations.filter(
    ({ consistency, outcome }) => consistency === 'follower' && outcome.kind === 'done',
  ).length;
  coverage.hit('follower read', followerReads);
  return {
    seed,
    operations: operations.length,
    overlaps: countOverlaps(operations),
    unknowns: count('unknown'),
    refusals: count('refused'),
    followerReads,
    faults,
    coverage: coverage.toRecord(),
    findings: findings.list,
    virtualMs: world.nowMs,
    realMs,
    digest,
    events: findings.count > 0 ? world.events.lines() : [],
  };
}
