import { cpSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../../src/env/clock.ts';
import { NodeFileSystem } from '../../../src/env/node-file-system.ts';
import { SystemRandom } from '../../../src/env/random.ts';
import { LIMITS } from '../../../src/model/limits.ts';
import { asNodeId, type PartitionId } from '../../../src/model/numbers.ts';
import { NodeState, type PartitionRecord } from '../../../src/replication/node/node-state.ts';
import { ProducerTable } from '../../../src/replication/producers/producer-table.ts';
import { BlockCache } from '../../../src/storage/block-cache.ts';
import { type StateDigest, stateDigest } from '../../../src/storage/digest.ts';
import { hashSeedOf, openReplica } from '../../../src/storage/open-partition.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { CollectingLogger } from '../collecting-logger.ts';

/** What one node's disk holds of one partition, everything in its log taken as committed. */
export interface ReplicaDigest {
  readonly node: number;
  readonly partition: number;
  /** Null: it cannot be opened, or is marked as not to be trusted. */
  readonly digest: StateDigest | null;
}

const CACHE_BYTES = 1024 * 1024;

/** Of every replica on the disk of a node that is stopped. A copy is opened: the directory stays as it is. */
export async function replicaDigests(dataDirectory: string, node: number): Promise<readonly ReplicaDigest[]> {
  const copy = mkdtempSync(join(tmpdir(), 'caskade-digest-'));
  try {
    const isPlain = (path: string): boolean => lstatSync(path).isFile() || lstatSync(path).isDirectory();
    cpSync(dataDirectory, copy, { recursive: true, filter: isPlain });
    const clock = new SystemClock();
    const nodeState = await NodeState.open(new NodeFileSystem(), copy, clock, asNodeId(node));
    const digests: ReplicaDigest[] = [];
    for (const partition of nodeState.partitionIds) {
      const record = nodeState.partition(partition);
      if (record === undefined || record.directory === null) continue;
      const digest = await digestOf(copy, node, partition, record, nodeState.flushMode);
      digests.push({ node, partition, digest });
    }
    return digests;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function digestOf(
  dataDirectory: string,
  node: number,
  partition: PartitionId,
  { directory, uuid }: PartitionRecord,
  flush: 'always' | 'interval' | 'os',
): Promise<StateDigest | null> {
  const clock = new SystemClock();
  const doors = {
    fileSystem: new NodeFileSystem(),
    clock,
    random: new SystemRandom(),
    logger: new CollectingLogger(),
    cache: new BlockCache(CACHE_BYTES),
  };
  const result = await openReplica(
    {
      directory: join(dataDirectory, 'partitions', directory ?? ''),
      partition,
      partitionUuid: uuid,
      nodeId: asNodeId(node),
      engine: 'bitcask',
      flush,
      segmentBytesMax: LIMITS.segmentBytesMaxDefault,
      acceptTornTail: false,
      hashSeed: hashSeedOf(uuid),
      mustExist: true,
      producers: new ProducerTable(),
      member: { closedCleanly: true },
    },
    doors,
  );
  if (result.kind === 'unusable') return null;
  const store = new PartitionStore(result.opened, doors, flush);
  await store.commitTo(store.durableOffset);
  const digest = await stateDigest(store, clock);
  await store.close();
  return digest;
}

/**
 * What is not the same in all replicas of a partition; `replicas`: how many there must be of each. The ends of their logs
 * may differ by records that change no key, as the one that begins an epoch.
 */
export function differences(digests: readonly ReplicaDigest[], replicas: number): readonly string[] {
  const byPartition = new Map<number, ReplicaDigest[]>();
  for (const entry of digests)
    byPartition.set(entry.partition, [...(byPartition.get(entry.partition) ?? []), entry]);
  const found: string[] = [];
  for (const [partition, entries] of byPartition) {
    const texts = new Set(
      entries.map(({ digest }) => (digest === null ? 'unusable' : `${digest.keys} ${digest.digest}`)),
    );
    if (entries.length === replicas && texts.size === 1 && !texts.has('unusable')) continue;
    const each = entries.map(({ node, digest }) => `node ${node} ${describe(digest)}`);
    found.push(`partition ${partition}: ${each.join('; ')}`);
  }
  return found;
}

function describe(digest: StateDigest | null): string {
  return digest === null
    ? 'unusable'
    : `offset ${digest.offset}, ${digest.keys} keys, digest ${digest.digest}`;
}
