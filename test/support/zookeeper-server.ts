import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EnsembleMember } from '../../scripts/zookeeper/configuration.ts';
import { ZooKeeperProcess } from '../../scripts/zookeeper/zookeeper-process.ts';
import { freePorts } from './free-ports.ts';

export type { EnsembleMember } from '../../scripts/zookeeper/configuration.ts';
export type { ServerMode } from '../../scripts/zookeeper/four-letter-word.ts';

export interface ZooKeeperServerOptions {
  /** Kept by the caller; without one the server gets a directory of its own, removed by `destroy`. */
  readonly directory?: string;
  /** Default: a free one. */
  readonly clientPort?: number;
  /** The unit of all its timeouts: sessions last between 2 and 20 ticks. Default 200. */
  readonly tickMs?: number;
  /** It is member `id` of these. Default: a server alone. */
  readonly ensemble?: { readonly id: number; readonly members: readonly EnsembleMember[] };
  /** Syncs every transaction. Tests leave it out: a killed process loses nothing without. */
  readonly forceSync?: boolean;
}

/** A ZooKeeper server for a test: on a free port, in a directory of its own, and it can be paused. */
export class ZooKeeperServer extends ZooKeeperProcess {
  readonly #ownsDirectory: boolean;

  private constructor(options: ZooKeeperServerOptions, clientPort: number) {
    const { tickMs = 200, forceSync = false, ensemble = null } = options;
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'caskade-zookeeper-'));
    super({ directory, clientPort, tickMs, forceSync, ensemble });
    this.#ownsDirectory = options.directory === undefined;
  }

  /** Made, not started. */
  static async create(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperServer> {
    const [port = 0] = options.clientPort === undefined ? await freePorts(1) : [options.clientPort];
    return new ZooKeeperServer(options, port);
  }

  /** A server that answers. */
  static async start(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperServer> {
    const server = await ZooKeeperServer.create(options);
    try {
      await server.restart();
    } catch (error) {
      await server.destroy();
      throw error;
    }
    return server;
  }

  /** How many connections of clients it has, ours with `ask` left out. */
  async connectionCount(): Promise<number> {
    const lines = (await this.ask('cons')).split('\n').filter((line) => line.includes('sid=0x'));
    return lines.length;
  }

  /** SIGSTOP: it hangs, and its sockets stay open. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Kills it and removes a directory that is its own. */
  async destroy(): Promise<void> {
    await this.kill();
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }
}
