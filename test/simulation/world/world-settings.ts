import type { ClusterPlan } from '../../../src/controller/bootstrap.ts';
import { CONTROLLER_SETTINGS } from '../../../src/controller/controller.ts';
import { asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import type { ClusterNodeSettings } from '../../../src/server/cluster-node.ts';
import type { WorldOptions, WorldTiming } from './world.ts';
import { WORLD_SIZES } from './world-sizes.ts';

export const WORLD_TIMING: WorldTiming = {
  sessionMs: 2000,
  leaseMsMax: 400,
  lagMsMax: 600,
  pollMsMax: 100,
  writeTimeoutMs: 2000,
};

export const WORLD_OPTIONS = {
  seed: 1,
  nodeCount: 3,
  partitionCount: 2,
  replicationFactor: 3,
  minInsync: 2,
  lossShare: 0.002,
  doubledShare: 0.002,
  reorderedShare: 0.01,
  rules: { replication: {}, controller: {} },
} satisfies WorldOptions;

export const timingOf = (options: WorldOptions): WorldTiming => options.timing ?? WORLD_TIMING;

const MAINTENANCE = { enabled: true, deadRatioMin: 0.2, bytesPerSecondMax: 0 } as const;

/** So few sequences and clients are remembered that some are forgotten (R14). */
const PRODUCERS = { window: 32, producersMax: 6 } as const;

/** What rots is found within two of these. */
export const SCRUB_MS = 1500;

export function nodeSettings(nodeId: NodeId, options: WorldOptions): ClusterNodeSettings {
  const { sessionMs, lagMsMax, pollMsMax, writeTimeoutMs } = timingOf(options);
  return {
    replicas: {
      nodeId,
      directory: '/data',
      engine: 'bitcask',
      ...(options.sizes ?? WORLD_SIZES),
      flushIntervalMs: 100,
      lagMsMax,
      pollMsMax,
      writeTimeoutMs,
      mergeIntervalMs: 400,
      scrub: { intervalMs: SCRUB_MS, bytesPerSecondMax: 0 },
      producers: PRODUCERS,
      maintenance: { ...MAINTENANCE, enabled: options.mergesByItself ?? true },
    },
    controller: { ...CONTROLLER_SETTINGS, preferredMsMin: 3000, refusedMsMax: sessionMs },
    rack: '',
    retryMs: 50,
    foreignMsMax: 60_000,
    shutdownMsMax: 3000,
    plan: planOf(options),
  };
}

function planOf(options: WorldOptions): ClusterPlan {
  const { nodeCount, partitionCount, replicationFactor, minInsync, flushMode = 'always' } = options;
  const nodes = Array.from({ length: nodeCount }, (_, index) => ({ nodeId: asNodeId(index + 1), rack: '' }));
  const { leaseMsMax } = timingOf(options);
  return { partitions: partitionCount, replicationFactor, minInsync, flushMode, leaseMsMax, nodes };
}
