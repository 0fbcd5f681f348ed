import type { Config, ConfigKey } from './table.ts';

/** A relation between keys. It is judged only where each of its keys, taken alone, is good. */
interface Rule {
  readonly keys: readonly ConfigKey[];
  /** What must hold, with the values in it; null if it does. */
  readonly violation: (config: Config) => string | null;
}

const PORT_KEYS = ['resp.port', 'resp.clusterPort', 'rpc.port', 'metrics.port'] as const;

function sharedPort(config: Config): string | null {
  const ports = [config.resp.port, config.resp.clusterPort, config.rpc.port, config.metrics.port];
  const taken = new Map<number, string>();
  for (const [index, port] of ports.entries()) {
    const key = PORT_KEYS[index] ?? '';
    const other = taken.get(port);
    if (port !== 0 && other !== undefined) return `${other} and ${key} must differ; both are ${port}`;
    taken.set(port, key);
  }
  return null;
}

/** An address that listens on all interfaces is none that anybody could be sent to. */
const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::';

export const CONFIG_RULES: readonly Rule[] = [
  {
    keys: ['coordinator', 'resp.host', 'resp.advertised'],
    violation: ({ coordinator, resp }) =>
      coordinator === 'zookeeper' && isEverywhere(resp.host) && resp.advertised === ''
        ? `resp.advertised must say what host clients are to use where resp.host is ${resp.host}`
        : null,
  },
  {
    keys: ['coordinator', 'rpc.host', 'rpc.advertised'],
    violation: ({ coordinator, rpc }) =>
      coordinator === 'zookeeper' && isEverywhere(rpc.host) && rpc.advertised === ''
        ? `rpc.advertised must say what HOST:PORT other nodes are to use where rpc.host is ${rpc.host}`
        : null,
  },
  {
    keys: ['cluster.minInsync', 'cluster.replicationFactor'],
    violation: ({ cluster }) =>
      cluster.minInsync > cluster.replicationFactor
        ? `cluster.minInsync must be at most cluster.replicationFactor; they are ${cluster.minInsync} and ${cluster.replicationFactor}`
        : null,
  },
  {
    keys: ['cluster.replicationFactor', 'coordinator'],
    violation: ({ cluster, coordinator }) =>
      coordinator === 'local' && cluster.replicationFactor > 1
        ? `cluster.replicationFactor must be 1 with coordinator local (one node alone); it is ${cluster.replicationFactor}`
        : null,
  },
  {
    // PROTOCOL R9: a lease that outlives its session would let two leaders answer reads.
    keys: ['replication.leaseMs', 'zookeeper.sessionTimeoutMs'],
    violation: ({ replication, zookeeper }) =>
      replication.leaseMs >= zookeeper.sessionTimeoutMs
        ? `replication.leaseMs must be below zookeeper.sessionTimeoutMs; they are ${replication.leaseMs}ms and ${zookeeper.sessionTimeoutMs}ms`
        : null,
  },
  {
    // PROTOCOL R9. Leases travel alone (ADR 3), so this is no more than it asks for: word of a follower at least twice
    // in a lease.
    keys: ['replication.pollMsMax', 'replication.leaseMs'],
    violation: ({ replication }) =>
      replication.pollMsMax >= replication.leaseMs / 2
        ? `replication.pollMsMax must be below half of replication.leaseMs; they are ${replication.pollMsMax}ms and ${replication.leaseMs}ms`
        : null,
  },
  { keys: PORT_KEYS, violation: sharedPort },
];
