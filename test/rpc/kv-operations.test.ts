import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { asDatabaseId, asOffset, NO_EXPIRY, type Offset } from '../../src/model/numbers.ts';
import { AppendWait } from '../../src/rpc/append-wait.ts';
import { CallDeadline } from '../../src/rpc/call-deadline.ts';
import { KeyValueCall } from '../../src/rpc/kv-call.ts';
import { KeyValueOperations } from '../../src/rpc/kv-operations.ts';
import { FakePartition } from '../support/fake-partition.ts';
import { FakeRouter } from '../support/fake-router.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { bytes } from './kv-node.ts';

describe('KeyValueOperations', () => {
  it('a value that was read is a copy: what it was read from is used again', async () => {
    const router = new FakeRouter();
    const clock = new SimulatedClock();
    const operations = new KeyValueOperations({ router, map: null, clock });
    const partition = router.partitions[0] as FakePartition;
    partition.seed('k', 'value');
    const call = new KeyValueCall(bytes('k'), new CallDeadline(clock, 100));
    const { value } = await operations.read(call, true);
    partition.records[0]?.value.fill(0);
    expect(value).to.deep.equal(bytes('value'));
  });
});

describe('AppendWait', () => {
  const inDoubt = new CaskadeError('inDoubt', 'sealed');
  const refused = new CaskadeError('shuttingDown', 'not sealed');

  function waitFor(offset: number): { wait: AppendWait; partition: FakePartition } {
    const partition = new FakePartition({ commit: 'manual' });
    const key = { bytes: bytes('k'), start: 0, end: 1, hash: 0 };
    let newest: Offset = asOffset(-1);
    while (newest < offset) newest = partition.put(asDatabaseId(0), key, bytes('v'), 0, 1, NO_EXPIRY);
    return { wait: new AppendWait(partition, asOffset(offset)), partition };
  }

  it('ends when the high watermark is above its offset, and not before', async () => {
    const { wait, partition } = waitFor(2);
    partition.commitTo(2);
    expect(wait.outcome).to.equal(null);
    partition.commitTo(3);
    await wait.ended;
    expect(wait.outcome).to.equal('committed');
  });

  it('what was committed before is committed', async () => {
    const { partition } = waitFor(2);
    partition.commitAll();
    const late = new AppendWait(partition, asOffset(1));
    await late.ended;
    expect(late.outcome).to.equal('committed');
  });

  it('R22: what is told of other offsets does not concern it; the first outcome counts', async () => {
    const { wait, partition } = waitFor(2);
    wait.inDoubt(partition, asOffset(3), refused);
    expect(wait.outcome).to.equal(null);
    wait.inDoubt(partition, asOffset(1), inDoubt);
    await wait.ended;
    expect(wait.outcome).to.equal(inDoubt);
    wait.inDoubt(partition, asOffset(0), refused);
    partition.commitAll();
    expect(wait.outcome).to.equal(inDoubt);
  });
});

describe('CallDeadline', () => {
  it('waits no longer than it says, and no longer than anybody does', async () => {
    const clock = new SimulatedClock();
    const never = new Promise<void>(() => {});
    const deadline = new CallDeadline(clock, 100);
    expect(await deadline.holds(Promise.resolve())).to.equal(true);
    const late = deadline.holds(never);
    await clock.advance(100);
    expect(await late).to.equal(false);
    expect(deadline.isOver).to.equal(true);
    expect(await deadline.holds(Promise.resolve())).to.equal(false);
    const cancelled = new CallDeadline(clock, 100);
    const waiting = cancelled.holds(never);
    cancelled.cancel();
    expect(await waiting).to.equal(false);
    expect(cancelled.isOver).to.equal(true);
  });
});
