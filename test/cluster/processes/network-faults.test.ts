import { expect } from 'chai';
import { ClusterProcesses, SHORT_TIMES } from '../../support/cluster/cluster-processes.ts';
import {
  describeTrial,
  expectNothingLost,
  playTrial,
  type TrialResult,
} from '../../support/cluster/cluster-trial.ts';
import { sleep } from '../../support/cluster/sleep.ts';

/** Longer than the session, the lag and any lease. */
const CUT_MS = SHORT_TIMES.sessionMs + 1_500;
const TRIAL_MS_MAX = 120_000;

describe('a cluster of three processes whose network fails', function () {
  this.timeout(TRIAL_MS_MAX);
  const seed = Number(process.env.CASKADE_SEED ?? Date.now() % 1_000_000);
  let cluster: ClusterProcesses;

  before(async () => {
    cluster = await ClusterProcesses.start({ proxied: true });
  });
  after(() => cluster.destroy());

  async function trial(name: string, cut: () => Promise<void>): Promise<TrialResult> {
    const result = await playTrial(cluster, { name, seed }, async () => {
      await cut();
      await sleep(CUT_MS);
      await cluster.healNetwork();
    });
    process.stdout.write(describeTrial(result));
    expectNothingLost(result);
    return result;
  }

  /** A leader of some partition, and another node. */
  async function two(): Promise<readonly [number, number]> {
    const leader = await cluster.busiestLeader();
    return [leader.id, cluster.nodes.find((node) => node !== leader)!.id];
  }

  it('loses nothing when two nodes do not hear each other', async () => {
    await trial('two', async () => cluster.cutBetween(...(await two())));
  });

  it('loses nothing when one hears the other, and is not heard', async () => {
    await trial('oneway', async () => {
      const [leader, other] = await two();
      cluster.cutOneWay(leader, other);
    });
  });

  it('goes on when one node does not reach ZooKeeper: its partitions move', async () => {
    const { load, fromMs, toMs } = await trial('zookeeper', async () => {
      const { id } = await cluster.busiestLeader();
      cluster.cutFromZooKeeper(id);
      await cluster.ledByOthersThan([id]);
    });
    for (const partition of load.partitions) {
      const done = load.record
        .between(fromMs, toMs)
        .filter((sample) => sample.partition === partition && sample.ending === 'done' && sample.isWrite);
      expect(done.length, `writes to partition ${partition}`).to.be.above(0);
    }
  });
});
