import { expect } from 'chai';
import type { EntryView, KeyView } from '../../../src/cluster/index.ts';
import type { DatabaseId } from '../../../src/model/numbers.ts';
import { FakePartition } from '../../support/fake-partition.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { History, type Operation } from '../checkers/history.ts';
import { checkLinearizability } from '../checkers/linearizability.ts';
import { FakeCluster } from './fake-cluster.ts';
import { materialOf } from './material.ts';
import { SimulatedClient } from './simulated-client.ts';
import { Workload } from './workload.ts';

const CLIENTS = 8;

/** Reads what is appended: another client's write that may never be committed. */
class DirtyPartition extends FakePartition {
  override readCommitted(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean) {
    const outcome = this.readAppended(database, key, entry, withValue);
    entry.uncommittedOffset = -1;
    return outcome;
  }
}

async function operationsOf(
  seed: number,
  lossShare: number,
  partition?: FakePartition,
): Promise<readonly Operation[]> {
  const random = new SeededRandom(seed);
  const cluster = new FakeCluster(random.fork(), lossShare, partition);
  const history = new History(() => cluster.nowMs);
  const workloadOptions = {
    partitions: [0],
    wallMs: () => cluster.nowMs,
    followerReadShare: 0,
    material: materialOf(0),
  };
  const patience = { thinkMsMax: 5, pauseMsMax: 5, timeoutMsMax: 60, stalenessMsMax: 0 };
  const options = { ...patience, attemptsMax: 4, retryMsMax: 3, blindRetryShare: 0.5 };
  const witness = {
    refused: () => undefined,
    unknown: () => undefined,
    told: () => undefined,
    met: () => undefined,
  };
  for (let client = 1; client <= CLIENTS; client += 1) {
    const workload = new Workload(random.fork(), client, workloadOptions);
    const kind = client % 2 === 0 ? 'plain' : 'client';
    new SimulatedClient(
      { ...options, client, kind },
      cluster,
      workload,
      history,
      random.fork(),
      witness,
    ).start();
  }
  await cluster.run(2_500);
  return history.operations();
}

describe('simulated clients', () => {
  it('see a linearizable store, through lost messages, truncations and changes of the leader', async function linearizable() {
    this.timeout(60_000);
    for (let seed = 1; seed <= 3; seed += 1) {
      const operations = await operationsOf(seed, 0.02);
      expect(operations.length).to.be.above(1_000);
      expect(operations.some(({ outcome }) => outcome.kind === 'unknown')).to.equal(true);
      expect(operations.some(({ outcome }) => outcome.kind === 'refused')).to.equal(true);
      expect(checkLinearizability(operations), `seed ${seed}`).to.deep.equal([]);
    }
  });

  it('notice a leader that answers with what is not committed', async () => {
    const operations = await operationsOf(1, 0.02, new DirtyPartition({ commit: 'manual', wallMs: () => 0 }));
    expect(checkLinearizability(operations)).to.not.deep.equal([]);
  });

  it('do the same again for the same seed', async () => {
    expect(await operationsOf(3, 0.02)).to.deep.equal(await operationsOf(3, 0.02));
  });
});
