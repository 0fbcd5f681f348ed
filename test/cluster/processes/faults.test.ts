import { expect } from 'chai';
import { ClusterProcesses, SHORT_TIMES } from '../../support/cluster/cluster-processes.ts';
import {
  describeTrial,
  expectNothingLost,
  playTrial,
  type TrialOptions,
  type TrialResult,
} from '../../support/cluster/cluster-trial.ts';
import { rotTails, tearTails } from '../../support/cluster/disk-damage.ts';
import type { ClusterLoad } from '../../support/cluster/load/cluster-load.ts';
import type { NodeProcess } from '../../support/cluster/node-process.ts';
import { sleep } from '../../support/cluster/sleep.ts';
import { SeededRandom } from '../../support/seeded-random.ts';

const IS_SOAK = process.env.CASKADE_SOAK === '1';
const ROUNDS = IS_SOAK ? 5 : 1;
const WITHOUT_ZOOKEEPER_MS = IS_SOAK ? 60_000 : 5_000;
/** Longer than the session, and than any lease. */
const PAUSED_MS = SHORT_TIMES.sessionMs + 1_500;
const DOWN_MS = 1_000;
const TRIAL_MS_MAX = 120_000;

describe('a cluster of three processes and a ZooKeeper', function () {
  this.timeout(TRIAL_MS_MAX * ROUNDS);
  const seed = Number(process.env.CASKADE_SEED ?? Date.now() % 1_000_000);
  const random = new SeededRandom(seed);
  let cluster: ClusterProcesses;
  let trials = 0;

  before(async () => {
    cluster = await ClusterProcesses.start();
  });
  after(() => cluster.destroy());

  async function trial(
    fault: (load: ClusterLoad) => Promise<void>,
    options: Partial<TrialOptions> = {},
  ): Promise<TrialResult> {
    trials += 1;
    const result = await playTrial(
      cluster,
      { name: `trial${trials}`, seed: seed + trials, ...options },
      fault,
    );
    process.stdout.write(describeTrial(result));
    expectNothingLost(result);
    return result;
  }

  async function killAndRestart(node: NodeProcess): Promise<void> {
    await node.kill();
    await sleep(DOWN_MS);
    await node.start();
  }

  async function follower(): Promise<NodeProcess> {
    const [leader, controller] = [await cluster.busiestLeader(), await cluster.controller()];
    return cluster.nodes.find((node) => node !== leader && node !== controller)!;
  }

  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = (text: string): string => `${text}${round === 1 ? '' : `, again (${round})`}`;

    it(name('loses nothing by kill -9 of a leader'), async () => {
      await trial(async () => killAndRestart(await cluster.busiestLeader()));
    });

    it(name('loses nothing by kill -9 of a follower'), async () => {
      await trial(async () => killAndRestart(await follower()));
    });

    it(name('loses nothing by kill -9 of the controller'), async () => {
      await trial(async () => killAndRestart(await cluster.controller()));
    });

    it(name('loses nothing by kill -9 of all at once'), async () => {
      await trial(async () => {
        await cluster.killNodes();
        await cluster.startNodes();
      });
    });

    it(
      name('loses nothing when a leader stands still for longer than its session and its lease'),
      async () => {
        await trial(async () => {
          const node = await cluster.busiestLeader();
          node.pause();
          await sleep(PAUSED_MS);
          node.resume();
        });
      },
    );

    it(name('goes on without ZooKeeper, and with it again'), async () => {
      await trial(async (load) => {
        await Promise.all(cluster.zooKeepers.map((server) => server.kill()));
        await sleep(WITHOUT_ZOOKEEPER_MS / 2);
        const before = load.record.count('done');
        await sleep(WITHOUT_ZOOKEEPER_MS / 2);
        expect(load.record.count('done'), 'successes without ZooKeeper').to.be.above(before);
        await Promise.all(cluster.zooKeepers.map((server) => server.restart()));
      });
    });

    it(name('takes a node back whose disk is empty'), async () => {
      await trial(async () => {
        const node = await cluster.busiestLeader();
        await node.kill();
        node.wipe();
        await cluster.ledByOthersThan([node.id]);
        await node.start();
      });
    });

    for (const [damage, spoil] of [
      ['torn', tearTails],
      ['rotten', rotTails],
    ] as const) {
      it(name(`takes a node back whose logs have a ${damage} tail`), async () => {
        await trial(async () => {
          const node = await follower();
          await node.kill();
          spoil(node.dataDirectory, random);
          await node.start();
        });
      });
    }

    it(name('restarts node by node, and clients of the others see no error'), async () => {
      const spans: { readonly node: NodeProcess; readonly fromMs: number; readonly toMs: number }[] = [];
      const { load } = await trial(async () => {
        for (const node of cluster.nodes) {
          const fromMs = performance.now();
          expect(await node.stop(), `node ${node.id}`).to.deep.equal({ code: 0, signal: null });
          await node.start();
          await cluster.whole();
          spans.push({ node, fromMs, toMs: performance.now() });
        }
      });
      for (const { node, fromMs, toMs } of spans) {
        const { plainPort, clusterPort } = node.addresses;
        const bad = load.record
          .between(fromMs, toMs)
          .filter(({ ending }) => ending !== 'done' && ending !== 'redirected')
          .filter(({ port }) => port !== plainPort && port !== clusterPort)
          .map(({ ending, reason }) => `${ending}: ${reason}`);
        expect(bad, `clients of others while node ${node.id} restarts`).to.deep.equal([]);
      }
    });
  }

  it('refuses a second process with the id of a node that is alive, which stays what it is', async () => {
    const [node] = cluster.nodes;
    const before = await cluster.view.registration(node!.id);
    await trial(async () => {
      const twin = await cluster.twinOf(node!);
      const { code } = await twin.ended;
      expect(code, twin.output).to.equal(5);
      expect(await cluster.view.registration(node!.id)).to.deep.equal(before);
    });
  });
});
