import { Executor } from '../../src/commands/executor.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { ConnectionRegistry } from '../../src/network/connection-registry.ts';
import { RespServer } from '../../src/network/resp-server.ts';
import { serverPorts } from '../commands/harness.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { FakeCluster, type FakeClusterNode, type FakeClusterOptions } from './fake-cluster.ts';

/** The listeners for cluster clients of all nodes of a cluster in one process, on real sockets. */
export class FakeClusterServers {
  readonly cluster: FakeCluster;
  readonly ports: number[] = [];
  readonly #servers: RespServer[] = [];

  private constructor(cluster: FakeCluster) {
    this.cluster = cluster;
  }

  static async start(options: FakeClusterOptions = {}): Promise<FakeClusterServers> {
    const servers = new FakeClusterServers(new FakeCluster({ commit: 'turn', ...options }));
    for (const node of servers.cluster.nodes) await servers.#listen(node);
    return servers;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop(0)));
  }

  async #listen(node: FakeClusterNode): Promise<void> {
    const clock = new SystemClock();
    const registry = new ConnectionRegistry(100);
    const ports = { ...serverPorts({ node }, clock, () => undefined), clients: registry };
    const executor = new Executor(ports.table, ports.counters, node.placement());
    const server = new RespServer(
      { host: '127.0.0.1', port: 0, idleTimeoutMs: 0 },
      { executor, router: node.router, ports, registry, clock, logger: new CollectingLogger() },
    );
    const port = await server.listen();
    this.#servers.push(server);
    this.ports.push(port);
    this.cluster.listens(node.id, port);
  }
}
