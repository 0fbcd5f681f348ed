import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../test/support/free-ports.ts';
import { withClient } from '../../test/support/pipelined-client.ts';
import type { Routes } from '../cluster/load/load-client.ts';
import { cpuSecondsOfAll, endAll, eventually, newPeerDirectory, type Peer } from './peer.ts';
import { PeerProcess } from './peer-process.ts';

const REPLICAS = 2;
const SYNC_MS_MAX = 30_000;

/**
 * A Redis master with two replicas, each of which syncs every write to its own append-only file.
 *
 * What `WAIT 2 0` says: both replicas have acknowledged an offset that covers this connection's writes. Its documentation
 * promises no more than that they were processed in memory. In fact redis-server 7.0 with `appendfsync always` writes and
 * syncs its file before it sends any output of an event loop turn (`beforeSleep`: flushAppendOnlyFile, then
 * handleClientsWithPendingWrites), on the replicas too, so that the acknowledgement leaves after the sync, and what is
 * compared is a write on three disks on both sides. WAITAOF, which promises it, came with 7.2.
 */
export class RedisReplicas implements Peer {
  readonly name = 'Redis + 2 replicas';
  readonly settings =
    'redis-server 7.0, master + 2 replicas, appendonly yes, appendfsync always on all three';
  readonly routes: Routes;
  readonly #servers: readonly PeerProcess[];
  readonly #directory: string;

  private constructor(servers: readonly PeerProcess[], directory: string, port: number) {
    this.#servers = servers;
    this.#directory = directory;
    this.routes = { endpoints: [{ host: '127.0.0.1', port }], keyAt: null, laneOf: null };
  }

  /** Both replicas are in sync. */
  static async start(): Promise<RedisReplicas> {
    const directory = newPeerDirectory();
    const [masterPort = 0, ...replicaPorts] = await freePorts(1 + REPLICAS);
    const servers = [await startRedisServer(masterPort, directory, [])];
    const replicaOf = ['--replicaof', '127.0.0.1', String(masterPort)];
    for (const port of replicaPorts) servers.push(await startRedisServer(port, directory, replicaOf));
    const inSync = async (): Promise<boolean> => {
      const reply = await withClient(masterPort, async (client) => {
        await client.ask('SET', 'probe', '1');
        return await client.ask('WAIT', String(REPLICAS), '500');
      });
      return reply === REPLICAS;
    };
    await eventually('the replicas are in sync', inSync, SYNC_MS_MAX);
    return new RedisReplicas(servers, directory, masterPort);
  }

  cpuSeconds(): number {
    return cpuSecondsOfAll(this.#servers);
  }

  async stop(): Promise<void> {
    await endAll(this.#servers, this.#directory);
  }
}

function startRedisServer(port: number, parent: string, flags: readonly string[]): Promise<PeerProcess> {
  const directory = join(parent, `redis-${port}`);
  mkdirSync(directory);
  return PeerProcess.start({
    name: `redis-server ${port}`,
    words: [
      ...['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', 'always', ...flags],
    ],
    ready: /Ready to accept connections/,
  });
}
