import { ClusterProcesses, SHORT_TIMES } from '../../support/cluster/cluster-processes.ts';
import { describeTrial, expectNothingLost, playTrial } from '../../support/cluster/cluster-trial.ts';
import { sleep } from '../../support/cluster/sleep.ts';
import type { ZooKeeperServer } from '../../support/zookeeper-server.ts';

const PAUSED_MS = SHORT_TIMES.sessionMs + 1_500;
const TRIAL_MS_MAX = 120_000;

describe('a cluster of three processes and three ZooKeeper servers', function () {
  this.timeout(TRIAL_MS_MAX);
  const seed = Number(process.env.CASKADE_SEED ?? Date.now() % 1_000_000);
  let cluster: ClusterProcesses;

  before(async () => {
    cluster = await ClusterProcesses.start({ zooKeepers: 3 });
  });
  after(() => cluster.destroy());

  /** The server to which most nodes are connected. */
  async function busiestServer(): Promise<ZooKeeperServer> {
    const counts = await Promise.all(cluster.zooKeepers.map((server) => server.connectionCount()));
    return cluster.zooKeepers[counts.indexOf(Math.max(...counts))]!;
  }

  async function trial(name: string, fault: () => Promise<void>): Promise<void> {
    const result = await playTrial(cluster, { name, seed }, fault);
    process.stdout.write(describeTrial(result));
    expectNothingLost(result);
  }

  it('loses nothing when the server is killed to which most nodes are connected', async () => {
    await trial('killed', async () => {
      const server = await busiestServer();
      await server.kill();
      await sleep(PAUSED_MS);
      await server.restart();
    });
  });

  it('loses nothing when that server stands still for longer than a session', async () => {
    await trial('paused', async () => {
      const server = await busiestServer();
      server.pause();
      await sleep(PAUSED_MS);
      server.resume();
    });
  });
});
