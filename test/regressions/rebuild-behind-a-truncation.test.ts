import { expect } from 'chai';
import {
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
} from '../../src/model/numbers.ts';
import { type FollowerHost, FollowerReplica } from '../../src/replication/follower/follower-replica.ts';
import { WriteGroup } from '../../src/replication/follower/write-group.ts';
import { RULES } from '../../src/replication/rules/rules.ts';
import type { PartitionStore } from '../../src/storage/partition-store.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { ReplicaMachine } from '../support/replica-machine.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const LEADER = asNodeId(1);
const PARTITION = asPartitionId(0);

/** A log with three records of epoch 1, whose leader of epoch 2 has only the first; a merge is running in it. */
async function following() {
  const machine = new ReplicaMachine();
  const old = await machine.lead(1);
  await old.write(['a', '1'], ['b', '2'], ['c', '3']);
  old.store.endEpoch();
  const fresh = await new ReplicaMachine({ seed: 2 }).open();
  const done: string[] = [];
  const upkeeps: string[] = [];
  let endMerge: () => void = () => {};
  let fetchId = 0;
  let current: PartitionStore = old.store;
  const host: FollowerHost = {
    send: (_to, message) => {
      if (message.kind === 'fetch') fetchId = message.fetchId;
    },
    persistVersion: async () => true,
    openRebuild: async () => {
      done.push('open');
      current = fresh.store;
      return current;
    },
    adoptRebuild: async () => {},
    discardRebuild: async () => {},
    suspectSelf: () => {},
    newUpkeep: () => {
      upkeeps.push(current.directoryId);
      const ended = new Promise<void>((resolve) => {
        endMerge = resolve;
      });
      return { start: () => {}, flushed: () => {}, committed: () => {}, stop: () => ended };
    },
    trouble: () => {},
  };
  for (const store of [old.store, fresh.store]) {
    const truncateTo = store.truncateTo.bind(store);
    store.truncateTo = (offset) => {
      done.push(store === old.store ? 'truncate' : 'truncate the fresh log');
      return truncateTo(offset);
    };
  }
  const follower = new FollowerReplica({
    partition: PARTITION,
    uuid: old.store.partitionUuid,
    nodeId: asNodeId(2),
    incarnation: asIncarnation(20),
    leader: LEADER,
    leaderIncarnation: asIncarnation(10),
    leaderEpoch: asLeaderEpoch(2),
    version: asPartitionVersion(1),
    isUnclean: false,
    log: old.store,
    firstFetchId: 1,
    fetchBytesMax: 1024,
    pollMsMax: 100,
    rules: RULES,
    clock: machine.clock,
    random: new SeededRandom(1),
    logger: new CollectingLogger(),
    writes: new WriteGroup(machine.clock),
    host,
  });
  follower.start();
  follower.receive({
    kind: 'fetchReply',
    from: LEADER,
    fromIncarnation: asIncarnation(10),
    toIncarnation: asIncarnation(20),
    partition: PARTITION,
    fetchId,
    leaderEpoch: asLeaderEpoch(2),
    outcome: { result: 'diverging', epoch: asLeaderEpoch(1), endOffset: asOffset(1) },
  });
  return { clock: machine.clock, follower, done, upkeeps, endMerge: () => endMerge() };
}

/** The merge that a truncation waited for was taken for ended by what came next: the rebuild overtook the truncation, which then cut the fresh log. */
describe('a rebuild that is begun while a truncation waits for a merge to end', () => {
  it('waits for the merge too, and the truncation is not made any more', async () => {
    const { clock, follower, done, upkeeps, endMerge } = await following();
    await clock.settle();
    follower.logIsCorrupt();
    await clock.settle();
    expect(done, 'the merge is running').to.deep.equal([]);
    endMerge();
    await clock.settle();
    expect(done).to.deep.equal(['open']);
    expect(upkeeps, 'no other began in the log that is given up').to.have.length(1);
    await follower.stop();
  });

  it('a truncation alone is made when the merge has ended', async () => {
    const { clock, follower, done, upkeeps, endMerge } = await following();
    await clock.settle();
    expect(done).to.deep.equal([]);
    endMerge();
    await clock.settle();
    expect(done).to.deep.equal(['truncate']);
    expect(upkeeps).to.have.length(2);
    endMerge();
    await follower.stop();
  });
});
