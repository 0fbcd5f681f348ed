import { freePorts } from './free-ports.ts';
import { type EnsembleMember, ZooKeeperServer } from './zookeeper-server.ts';

export interface EnsembleOptions {
  /** Default 3. */
  readonly size?: number;
  /** Default 200. */
  readonly tickMs?: number;
}

const POLL_MS = 25;
const LEADER_MS_MAX = 30_000;

/** Several ZooKeeper servers that elect a leader among themselves, each in a process of its own. */
export class ZooKeeperEnsemble {
  readonly servers: readonly ZooKeeperServer[];

  private constructor(servers: readonly ZooKeeperServer[]) {
    this.servers = servers;
  }

  /** All of them serve. */
  static async start(options: EnsembleOptions = {}): Promise<ZooKeeperEnsemble> {
    const { size = 3, tickMs = 200 } = options;
    const ports = await freePorts(size * 2);
    const members: EnsembleMember[] = Array.from({ length: size }, (_, index) => ({
      id: index + 1,
      quorumPort: ports[index * 2]!,
      electionPort: ports[index * 2 + 1]!,
    }));
    const servers = await Promise.all(
      members.map(({ id }) => ZooKeeperServer.create({ tickMs, ensemble: { id, members } })),
    );
    const ensemble = new ZooKeeperEnsemble(servers);
    for (const server of servers) server.spawn();
    try {
      await ensemble.ready();
    } catch (error) {
      await ensemble.destroy();
      throw error;
    }
    return ensemble;
  }

  get addresses(): string[] {
    return this.servers.map(({ address }) => address);
  }

  /** Resolves when every server that runs serves. */
  async ready(): Promise<void> {
    await Promise.all(this.servers.filter(({ isRunning }) => isRunning).map((server) => server.ready()));
  }

  /** The server that leads the others now; waits for one. */
  async leader(): Promise<ZooKeeperServer> {
    const deadline = performance.now() + LEADER_MS_MAX;
    while (performance.now() < deadline) {
      for (const server of this.servers) {
        if (server.isRunning && (await server.mode()) === 'leader') return server;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error('the ZooKeeper ensemble has no leader');
  }

  /** Continues the paused and starts the killed, until all serve. */
  async heal(): Promise<void> {
    for (const server of this.servers) {
      if (server.isRunning) server.resume();
      else server.spawn();
    }
    await this.ready();
  }

  async destroy(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.destroy()));
  }
}
