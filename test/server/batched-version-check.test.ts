import { expect } from 'chai';
import type { Operation } from '../../src/coordination/coordinator.ts';
import { partitionPath } from '../../src/coordination/paths.ts';
import { asPartitionId, asPartitionVersion } from '../../src/model/numbers.ts';
import { BatchedVersionCheck } from '../../src/server/batched-version-check.ts';
import { MemoryCoordinator, type MemorySession } from '../support/memory-coordinator.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const version = (
  partition: number,
  of: number,
): readonly [ReturnType<typeof asPartitionId>, ReturnType<typeof asPartitionVersion>] => [
  asPartitionId(partition),
  asPartitionVersion(of),
];

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
      await session.create(partitionPath(asPartitionId(partition)), null, { ephemeral: false });
    }
    multis = [];
    session.fate = (operations) => {
      multis.push(operations);
      return 'pass';
    };
  });

  it('asks once for everything that was asked in a turn', async () => {
    const answers = Promise.all([
      check.confirm([version(0, 0)]),
      check.confirm([version(1, 0)]),
      check.confirm([version(0, 0)]),
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
    const answers = Promise.all([check.confirm([version(0, 0)]), check.confirm([version(1, 0)])]);
    expect(await clock.until(answers)).to.deep.equal(['confirmed', 'changed']);
  });

  it('takes a partition that is gone for changed', async () => {
    await session.remove('/partitions/1', 0);
    expect(await clock.until(check.confirm([version(1, 0)]))).to.equal('changed');
  });

  it('knows nothing when the answer is lost, or nobody can be asked', async () => {
    session.fate = () => 'loseReply';
    expect(await clock.until(check.confirm([version(0, 0)]))).to.equal('unknown');
    session.disconnect();
    expect(await clock.until(check.confirm([version(0, 0)]))).to.equal('unknown');
    const alone = new BatchedVersionCheck(clock, () => null);
    expect(await clock.until(alone.confirm([version(0, 0)]))).to.equal('unknown');
  });

  it('asks after the question came, never before', async () => {
    const first = check.confirm([version(0, 0)]);
    await clock.until(first);
    await session.set('/partitions/0', 'elected', 0);
    expect(await clock.until(check.confirm([version(0, 0)]))).to.equal('changed');
  });
});
