import { expect } from 'chai';
import type { Operation } from '../../src/coordination/coordinator.ts';
import { encodePartition } from '../../src/coordination/documents.ts';
import { partitionPath } from '../../src/coordination/paths.ts';
import { asControllerEpoch, asPartitionId } from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import { BatchedVersionCheck } from '../../src/server/batched-version-check.ts';
import { MemoryCoordinator, type MemorySession } from '../support/memory-coordinator.ts';
import { partitionState } from '../support/partition-states.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

/** As it was written for the `version`-th time. */
const stateOf = (id: number, version: number): PartitionState => partitionState({ id, version });

describe('the third read path (R9)', () => {
  let clock: SimulatedClock;
  let session: MemorySession;
  let check: BatchedVersionCheck;
  let multis: (readonly Operation[])[];

  beforeEach(async () => {
    clock = new SimulatedClock();
    session = new MemoryCoordinator().open();
    check = new BatchedVersionCheck(clock, () => session);
    await clock.settle();
    await session.create('/partitions', null, { ephemeral: false });
    for (const partition of [0, 1]) {
      const path = partitionPath(asPartitionId(partition));
      await session.create(path, encodePartition(stateOf(partition, 0)), { ephemeral: false });
    }
    multis = [];
    session.fate = (operations) => {
      multis.push(operations);
      return 'pass';
    };
  });

  it('asks once for everything that was asked in a turn', async () => {
    const answers = Promise.all([
      check.confirm([stateOf(0, 0)]),
      check.confirm([stateOf(1, 0)]),
      check.confirm([stateOf(0, 0)]),
    ]);
    expect(await clock.until(answers)).to.deep.equal(['confirmed', 'confirmed', 'confirmed']);
    expect(multis).to.deep.equal([
      [
        { kind: 'check', path: '/partitions/0', version: 0 },
        { kind: 'check', path: '/partitions/1', version: 0 },
      ],
    ]);
  });

  it('does not hold against one partition that another has changed', async () => {
    await session.set('/partitions/1', 'elected', 0);
    const answers = Promise.all([check.confirm([stateOf(0, 0)]), check.confirm([stateOf(1, 0)])]);
    expect(await clock.until(answers)).to.deep.equal(['confirmed', 'changed']);
  });

  it('takes a partition that is gone for changed', async () => {
    await session.remove('/partitions/1', 0);
    expect(await clock.until(check.confirm([stateOf(1, 0)]))).to.equal('changed');
  });

  it('knows nothing when the answer is lost, or nobody can be asked', async () => {
    session.fate = () => 'loseReply';
    expect(await clock.until(check.confirm([stateOf(0, 0)]))).to.equal('unknown');
    session.disconnect();
    expect(await clock.until(check.confirm([stateOf(0, 0)]))).to.equal('unknown');
    const alone = new BatchedVersionCheck(clock, () => null);
    expect(await clock.until(alone.confirm([stateOf(0, 0)]))).to.equal('unknown');
  });

  it('R17: a version that was given again, to what another controller wrote, confirms nothing', async () => {
    const other = { ...stateOf(0, 0), controllerEpoch: asControllerEpoch(3) };
    await session.remove('/partitions/0', 0);
    await session.create('/partitions/0', encodePartition(other), { ephemeral: false });
    expect(await clock.until(check.confirm([stateOf(0, 0)]))).to.equal('changed');
    expect(await clock.until(check.confirm([other]))).to.equal('confirmed');
  });

  it('asks after the question came, never before', async () => {
    const first = check.confirm([stateOf(0, 0)]);
    await clock.until(first);
    await session.set('/partitions/0', 'elected', 0);
    expect(await clock.until(check.confirm([stateOf(0, 0)]))).to.equal('changed');
  });
});
