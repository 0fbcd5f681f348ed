import type { Config } from '../config/table.ts';
import type { ClusterPlan } from '../controller/bootstrap.ts';
import { CONTROLLER_SETTINGS } from '../controller/controller.ts';
import { LIMITS } from '../model/limits.ts';
import { asNodeId } from '../model/numbers.ts';
import type { ReplicaManagerSettings } from '../replication/node/ports.ts';
import type { ClusterNodeSettings } from './cluster-node.ts';

/** Between two attempts of anything that failed at the coordinator. */
const RETRY_MS = 100;
/** A controlled shutdown waits so long for others to take over. */
const SHUTDOWN_MS_MAX = 10_000;
/** A registration of our node id by somebody else may outlive its process for a session; twice that is a process that lives. */
const FOREIGN_SESSIONS = 2;

/** What the configuration means for a member of a cluster. */
export function clusterNodeSettings(config: Config): ClusterNodeSettings {
  const { sessionTimeoutMs } = config.zookeeper;
  return {
    replicas: replicaSettings(config),
    controller: { ...CONTROLLER_SETTINGS, refusedMsMax: sessionTimeoutMs },
    rack: config.node.rack,
    retryMs: RETRY_MS,
    foreignMsMax: sessionTimeoutMs * FOREIGN_SESSIONS,
    shutdownMsMax: SHUTDOWN_MS_MAX,
    plan: clusterPlan(config),
  };
}

function clusterPlan({ cluster, replication }: Config): ClusterPlan {
  const { id: clusterId, partitions, replicationFactor, minInsync, flush: flushMode, nodesMin } = cluster;
  const { leaseMs: leaseMsMax } = replication;
  return { clusterId, partitions, replicationFactor, minInsync, flushMode, leaseMsMax, nodesMin };
}

function replicaSettings(config: Config): ReplicaManagerSettings {
  const { engine, segmentBytesMax, cacheBytesMax } = config.storage;
  const { lagMsMax, pollMsMax, writeTimeoutMs } = config.replication;
  const { enabled, deadRatioMin, bytesPerSecondMax, checkIntervalMs } = config.merge;
  return {
    nodeId: asNodeId(config.node.id),
    directory: config.data.dir,
    engine,
    segmentBytesMax,
    cacheBytesMax,
    flushIntervalMs: config.cluster.flushIntervalMs,
    lagMsMax,
    pollMsMax,
    writeTimeoutMs,
    fetchBytesMax: LIMITS.batchBytesTarget,
    mergeIntervalMs: checkIntervalMs,
    maintenance: { enabled, deadRatioMin, bytesPerSecondMax },
    scrub: config.scrub,
  };
}
