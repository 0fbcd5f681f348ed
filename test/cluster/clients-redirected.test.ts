import { LIMITS } from '../../src/model/limits.ts';
import {
  ioredisClusterRound,
  nodeRedisClusterRound,
  pythonClusterRound,
  redisCliClusterRound,
} from '../support/cluster-client-rounds.ts';
import { FakeClusterServers } from '../support/fake-cluster-servers.ts';

describe('cluster clients with their defaults, sent from node to node', () => {
  let servers: FakeClusterServers;
  let moves = 0;

  before(async () => {
    servers = await FakeClusterServers.start({ partitions: 6 });
  });
  after(() => servers.stop());

  /** Every partition gets another leader; each node still leads some. */
  const under = {
    leaders: 3,
    get port() {
      return servers.ports[0] as number;
    },
    move(): void {
      moves += 1;
      for (let partition = 0; partition < 6; partition += 1) {
        servers.cluster.lead(partition, ((partition + moves) % 3) + 1);
      }
    },
  };

  it('ioredis', () => ioredisClusterRound(under, 'ioredis'));
  it('node-redis, RESP2', () => nodeRedisClusterRound(under, 'node2', 2));
  it('node-redis, RESP3', () => nodeRedisClusterRound(under, 'node3', 3));
  it('redis-cli -c, and its check of the cluster', () => redisCliClusterRound(under, 'cli'));
  it('python3-redis', () => pythonClusterRound(under));

  /** Of every partition, for shorter than commands wait for a leader. */
  const leaderless = {
    get port() {
      return servers.ports[0] as number;
    },
    move(): void {
      for (let partition = 0; partition < 6; partition += 1) servers.cluster.lead(partition, null);
      setTimeout(() => under.move(), LIMITS.leaderWaitMsMax / 3);
    },
  };

  describe('see nothing of a hand-over in which nobody leads for a moment', () => {
    it('ioredis', () => ioredisClusterRound(leaderless, 'ioredis-handover'));
    it('node-redis', () => nodeRedisClusterRound(leaderless, 'node-handover', 3));
  });
});
