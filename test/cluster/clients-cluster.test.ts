import { expect } from 'chai';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { ClusterProcesses } from '../support/cluster/cluster-processes.ts';
import {
  type ClusterUnderTest,
  ioredisClusterRound,
  nodeRedisClusterRound,
  pythonClusterRound,
  redisCliClusterRound,
} from '../support/cluster-client-rounds.ts';
import { eventually, type PlainReply, plain, withClient } from '../support/pipelined-client.ts';
import { ioredisRound, nodeRedisRound, pythonRound, redisCliRound } from '../support/plain-client-rounds.ts';

const START_MS_MAX = 60_000;
/** Of the servers, where the machine is busy: what takes long is no fault. */
const PATIENCE_MS = 20_000;
const RESTART_MS_MAX = 60_000;

describe('clients with their defaults, on three nodes', function () {
  this.timeout(START_MS_MAX);
  let cluster: ClusterProcesses;

  before(async () => {
    cluster = await ClusterProcesses.start({ times: { writeMs: PATIENCE_MS } });
  });
  after(() => cluster?.destroy());

  /** Each round begins at another node. */
  const at = (node: number): ClusterUnderTest => ({
    port: cluster.node(node).addresses.clusterPort,
    move: () => undefined,
  });

  it('ioredis', () => ioredisClusterRound(at(1), 'ioredis'));
  it('node-redis, RESP2', () => nodeRedisClusterRound(at(2), 'node2', 2));
  it('node-redis, RESP3', () => nodeRedisClusterRound(at(3), 'node3', 3));
  it('redis-cli -c, and its check of the cluster', () => redisCliClusterRound(at(2), 'cli'));
  it('python3-redis', () => pythonClusterRound(at(3)));

  describe('single connections', () => {
    const KEY = 'followed';

    /** Replies of a listener for cluster clients. */
    function ask(clusterPort: number, ...commands: readonly (readonly string[])[]): Promise<PlainReply[]> {
      return withClient(clusterPort, async (client) => (await client.pipeline(commands)).map(plain));
    }

    it('READONLY reads at a follower what the leader has committed', async () => {
      const ports = cluster.nodes.map(({ addresses }) => addresses.clusterPort);
      await eventually('written at its leader', async () => {
        const written = await Promise.all(ports.map((port) => ask(port, ['set', KEY, 'v'])));
        return written.filter(([reply]) => reply === 'OK').length === 1;
      });
      const read = await Promise.all(ports.map((port) => ask(port, ['get', KEY])));
      expect(read.filter(([reply]) => String(reply).startsWith('MOVED ')).length).to.equal(2);
      for (const port of ports) {
        // The word of the commit comes to a follower with its next fetch.
        await eventually('read at every node', async () => {
          const [, value] = await ask(port, ['readonly'], ['get', KEY]);
          return value === 'v';
        });
      }
    });

    it('WAIT finds both followers', async () => {
      let written = 0;
      for (const { addresses } of cluster.nodes) {
        const keys = Array.from({ length: 60 }, (_, index) => ['set', `${index}:wait`, 'v']);
        const replies = await ask(
          addresses.clusterPort,
          ...keys,
          ['wait', '2', '1000'],
          ['waitaof', '1', '2', '1000'],
        );
        written += replies.filter((reply) => reply === 'OK').length;
        expect(replies.slice(-2)).to.deep.equal([2, [1, 2]]);
      }
      expect(written).to.equal(60);
    });
  });

  describe('and plain ones, on the other listener, for which it is one server', () => {
    const port = (node: number): number => cluster.node(node).addresses.plainPort;
    it('ioredis', () => ioredisRound(port(1)));
    it('node-redis, RESP2', () => nodeRedisRound(port(2), 2));
    it('node-redis, RESP3', () => nodeRedisRound(port(3), 3));
    it('redis-cli', () => redisCliRound(port(3)));
    it('python3-redis', () => pythonRound(port(2)));
  });

  describe('while a node is stopped in good order and started again', function () {
    this.timeout(RESTART_MS_MAX);

    interface Writer {
      readonly set: (key: string, value: string) => Promise<unknown>;
      readonly get: (key: string) => Promise<unknown>;
    }

    /** Writes until `isOver`; every key that was acknowledged must be there then. */
    async function expectNothingSeen(name: string, { set, get }: Writer): Promise<void> {
      let isOver = false;
      const acknowledged: string[] = [];
      const failures: string[] = [];
      const write = async (writer: number): Promise<void> => {
        for (let count = 0; !isOver; count += 1) {
          const key = `${name}:${writer}:${count}`;
          await set(key, key).then(
            () => acknowledged.push(key),
            (error: Error) => failures.push(error.message),
          );
        }
      };
      const writers = [1, 2, 3, 4].map(write);
      await cluster.node(3).stop();
      await cluster.ledByOthersThan([3]);
      await cluster.node(3).start();
      await cluster.whole();
      isOver = true;
      await Promise.all(writers);
      expect(failures, 'errors that the client saw').to.deep.equal([]);
      expect(acknowledged.length).to.be.above(100);
      for (const key of acknowledged) expect(await get(key)).to.equal(key);
    }

    it('ioredis sees no error', async () => {
      const client = new Cluster([{ host: '127.0.0.1', port: cluster.node(1).addresses.clusterPort }]);
      try {
        await expectNothingSeen('restart-ioredis', {
          set: (key, value) => client.set(key, value),
          get: (key) => client.get(key),
        });
      } finally {
        client.disconnect();
      }
    });

    it('node-redis sees no error', async () => {
      const url = `redis://127.0.0.1:${cluster.node(1).addresses.clusterPort}`;
      const client = createCluster({ rootNodes: [{ url }] });
      client.on('error', () => undefined);
      await client.connect();
      try {
        await expectNothingSeen('restart-node', {
          set: (key, value) => client.set(key, value),
          get: (key) => client.get(key),
        });
      } finally {
        client.destroy();
      }
    });
  });
});
