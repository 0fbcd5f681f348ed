import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../test/support/free-ports.ts';
import { withClient } from '../../test/support/pipelined-client.ts';
import { clusterSlots, keyInRange } from './cluster-slots.ts';
import { cpuSecondsOfAll, endAll, eventually, newPeerDirectory } from './peer.ts';
import { PeerProcess } from './peer-process.ts';
import type { ClusterMember, Shard, ShardCluster, Victim } from './shard-cluster.ts';

const MASTERS = 3;
const REPLICAS_PER_MASTER = 1;
const WHOLE_MS_MAX = 120_000;

/** Six redis-servers as a Redis Cluster: three masters, one replica each, all timeouts at their defaults. */
export class RedisCluster implements ShardCluster {
  readonly name = 'Redis Cluster';
  readonly settings =
    'redis-server 7.0, 3 masters + 3 replicas, cluster-node-timeout 15 s and the other defaults';
  readonly members: readonly ClusterMember[];
  readonly shards: readonly Shard[];
  readonly #directory: string;

  private constructor(members: readonly ClusterMember[], shards: readonly Shard[], directory: string) {
    this.members = members;
    this.shards = shards;
    this.#directory = directory;
  }

  static async start(): Promise<RedisCluster> {
    const directory = newPeerDirectory();
    const ports = await freePorts(MASTERS * (1 + REPLICAS_PER_MASTER));
    const members: ClusterMember[] = [];
    for (const port of ports) members.push({ port, process: await startMember(port, directory) });
    const addresses = ports.map((port) => `127.0.0.1:${port}`);
    await promisify(execFile)('redis-cli', [
      ...['--cluster', 'create', ...addresses, '--cluster-replicas', String(REPLICAS_PER_MASTER)],
      '--cluster-yes',
    ]);
    await eventually('every node knows all slots', () => everyNodeIsWell(ports), WHOLE_MS_MAX);
    const ranges = await clusterSlots(ports[0]!);
    const shards = ranges.map(({ first, last }) => ({
      name: `${first}-${last}`,
      key: keyInRange(first, last),
    }));
    return new RedisCluster(members, shards, directory);
  }

  async whole(): Promise<void> {
    const ports = this.members.map(({ port }) => port);
    await eventually('the Redis Cluster is whole', () => everyNodeIsWell(ports), WHOLE_MS_MAX);
  }

  async victim(round: number): Promise<Victim> {
    const ranges = await clusterSlots(this.members[0]!.port);
    const { port } = ranges[round % ranges.length]!.master;
    const member = this.members.find((each) => each.port === port);
    if (member === undefined) throw new Error(`no member listens on ${port}`);
    return { member, role: 'master of 1 of 3' };
  }

  cpuSeconds(): number {
    return cpuSecondsOfAll(this.members.map(({ process }) => process));
  }

  async stop(): Promise<void> {
    await endAll(
      this.members.map(({ process }) => process),
      this.#directory,
    );
  }
}

function startMember(port: number, parent: string): Promise<PeerProcess> {
  const directory = join(parent, `redis-${port}`);
  mkdirSync(directory);
  return PeerProcess.start({
    name: `redis-server ${port}`,
    words: [
      ...['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
      ...['--cluster-enabled', 'yes', '--appendonly', 'yes', '--appendfsync', 'always'],
    ],
    ready: /Ready to accept connections/,
  });
}

/** Every node sees the cluster well, and every replica follows its master. */
async function everyNodeIsWell(ports: readonly number[]): Promise<boolean> {
  const answers = await Promise.all(ports.map((port) => isWell(port).catch(() => false)));
  return answers.every((well) => well);
}

async function isWell(port: number): Promise<boolean> {
  return await withClient(port, async (client) => {
    const cluster = String(await client.ask('CLUSTER', 'INFO'));
    const nodes = String(await client.ask('CLUSTER', 'NODES'));
    const replication = String(await client.ask('INFO', 'replication'));
    const isFollowing = /master_link_status:up/.test(replication);
    const hasReplica = /slave0:.*state=online/.test(replication);
    return /cluster_state:ok/.test(cluster) && !/fail/.test(nodes) && (isFollowing || hasReplica);
  });
}
