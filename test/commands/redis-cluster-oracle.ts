import { freePorts } from '../support/free-ports.ts';
import { RedisOracle } from './redis-oracle.ts';

const READY_MS_MAX = 20_000;

/** Three nodes of Redis Cluster of our own, which lead the slots that they are told to. */
export class RedisClusterOracle {
  readonly nodes: readonly RedisOracle[];

  private constructor(nodes: readonly RedisOracle[]) {
    this.nodes = nodes;
  }

  static async start(
    ranges: readonly (readonly [first: number, last: number])[],
  ): Promise<RedisClusterOracle> {
    const buses = await freePorts(ranges.length);
    const nodes = await Promise.all(
      buses.map((bus) => RedisOracle.start(['--cluster-enabled', 'yes', '--cluster-port', String(bus)])),
    );
    const cluster = new RedisClusterOracle(nodes);
    try {
      for (const [index, [first, last]] of ranges.entries())
        await nodes[index]?.run('cluster', 'addslotsrange', String(first), String(last));
      const [one, ...others] = nodes;
      for (const [index, other] of others.entries())
        await one?.run('cluster', 'meet', '127.0.0.1', String(other.port), String(buses[index + 1]));
      await Promise.all(nodes.map(untilReady));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

/** Every slot is served, and every node is reachable. */
async function untilReady(node: RedisOracle): Promise<void> {
  const untilMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const info = await node.run('cluster', 'info');
    const nodes = await node.run('cluster', 'nodes');
    const connected = nodes.split('\n').filter((line) => / connected \d/.test(line)).length;
    if (info.includes('cluster_state:ok') && connected === 3) return;
    if (performance.now() > untilMs) throw new Error(`Redis Cluster does not come up: ${info}${nodes}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
