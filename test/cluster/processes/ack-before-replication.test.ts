import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ClusterProcesses } from '../../support/cluster/cluster-processes.ts';
import { playTrial } from '../../support/cluster/cluster-trial.ts';
import { sleep } from '../../support/cluster/sleep.ts';

const PROGRAM = resolve(fileURLToPath(import.meta.url), '../../../support/cluster/ack-before-replication.js');
const TRIAL_MS_MAX = 120_000;
/** Shorter than the lag after which a follower leaves the ISR. */
const STANDSTILL_MS = 600;

/** What proves that the tests of this folder would see a loss. */
describe('a cluster that acknowledges before it has replicated', function () {
  this.timeout(TRIAL_MS_MAX);
  let cluster: ClusterProcesses;

  before(async () => {
    cluster = await ClusterProcesses.start({ program: [process.execPath, PROGRAM, 'server'] });
  });
  after(() => cluster.destroy());

  it('is caught when its leader is killed while its followers stand still', async () => {
    const { verdict } = await playTrial(cluster, { name: 'early', seed: 1 }, async () => {
      const leader = await cluster.busiestLeader();
      const others = cluster.nodes.filter((node) => node !== leader);
      for (const node of others) node.pause();
      await sleep(STANDSTILL_MS);
      await leader.kill();
      for (const node of others) node.resume();
      await cluster.ledByOthersThan([leader.id]);
      await leader.start();
    });
    process.stdout.write(`      ${verdict.lost.length} lost of ${verdict.acknowledgedWrites} acknowledged\n`);
    expect(verdict.lost).not.to.deep.equal([]);
    expect(verdict.violations).not.to.deep.equal([]);
  });
});
