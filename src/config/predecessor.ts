import type { ConfigKey } from './table.ts';

/** What became of a key of the predecessor (see docs/PREDECESSORS.md). */
interface PredecessorKey {
  readonly key: string;
  /** Where its value goes; null where nothing answers to it any more. */
  readonly becomes: ConfigKey | null;
  readonly why: string;
  /** It held keys of its own. */
  readonly subtree?: true;
}

export const PREDECESSOR_KEYS: readonly PredecessorKey[] = [
  {
    key: 'data.blocksize',
    becomes: 'storage.segmentBytesMax',
    why: 'a segment no longer bounds a record, only a file',
  },
  {
    key: 'data.lruCapacity',
    becomes: null,
    why: 'it counted entries; the cache is bounded in bytes by storage.cacheBytesMax',
  },
  { key: 'net.dataport', becomes: 'resp.port', why: 'clients speak the Redis protocol' },
  { key: 'net.ctrlport', becomes: 'rpc.port', why: 'nodes talk to each other on this port' },
  { key: 'zk.servers', becomes: 'zookeeper.servers', why: 'the section has its full name' },
  {
    key: 'zk.sessionTimeout',
    becomes: 'zookeeper.sessionTimeoutMs',
    why: 'the section has its full name and the key its unit',
  },
  {
    key: 'zk.nodeNotExistBackoff',
    becomes: null,
    why: 'missing znodes are watched for, not polled for',
  },
  { key: 'retry.backoff', becomes: null, why: 'waiting after a failure adapts by itself' },
  { key: 'retry.count', becomes: null, why: 'what is safe to retry is retried until its deadline' },
  { key: 'cluster.nodeName', becomes: null, why: 'a node is known by its number, node.id' },
  {
    key: 'cluster.node2Hostports',
    becomes: null,
    why: 'nodes register themselves with the coordinator',
    subtree: true,
  },
  {
    key: 'replication.isr.maxCatchUpTime',
    becomes: 'replication.lagMsMax',
    why: 'one bound in time decides who is in sync',
  },
  {
    key: 'replication.isr.maxNoFetchTime',
    becomes: null,
    why: 'one bound in time decides who is in sync: replication.lagMsMax',
  },
  {
    key: 'replication.isr.maxDelayCount',
    becomes: null,
    why: 'lag is measured in time, not in records: replication.lagMsMax',
  },
  {
    key: 'replication.isr.updateInterval',
    becomes: null,
    why: 'each follower has a deadline of its own, there is no scan',
  },
  {
    key: 'replication.isr.minIsrRequired',
    becomes: 'cluster.minInsync',
    why: 'it is one fact of the whole cluster',
  },
  {
    key: 'replication.logFetchInterval',
    becomes: null,
    why: 'followers wait at the leader for new records, they do not poll at intervals',
  },
  {
    key: 'replication.logDelayerTimeout',
    becomes: 'replication.pollMsMax',
    why: 'it is the longest wait of a fetch that finds nothing',
  },
  { key: 'commit.initQueueSize', becomes: null, why: 'the queue of waiting writes grows as needed' },
  { key: 'commit.requiredAcks', becomes: null, why: 'every write waits for the whole in-sync replica set' },
  {
    key: 'commit.timeout',
    becomes: 'replication.writeTimeoutMs',
    why: 'a write that is late is answered INDOUBT, never OK',
  },
  {
    key: 'election.leaderTimeout',
    becomes: null,
    why: 'the controller elects; how long a node may be silent is zookeeper.sessionTimeoutMs',
  },
  { key: 'log.output', becomes: null, why: 'the log goes to standard output; redirect it' },
  { key: 'debug.pprof', becomes: null, why: 'start node with --inspect or --cpu-prof instead' },
];

/** Finds the key, also when a number or word was appended (`zk.nodeNotExistBackoffMax`) or a subtree follows. */
export function findPredecessorKey(key: string): PredecessorKey | undefined {
  const wanted = key.toLowerCase();
  return PREDECESSOR_KEYS.find((row) => {
    const known = row.key.toLowerCase();
    if (row.subtree === true && wanted.startsWith(`${known}.`)) return true;
    return wanted === known || (known === 'zk.nodenotexistbackoff' && wanted.startsWith(known));
  });
}

/** One line that says what became of the key. */
export function predecessorNotice({ key, becomes, why }: PredecessorKey): string {
  return becomes === null ? `${key} is ignored: ${why}` : `${key} is now ${becomes}: ${why}`;
}
