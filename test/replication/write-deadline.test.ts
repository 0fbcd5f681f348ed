import { expect } from 'chai';
import type { CaskadeError } from '../../src/model/errors.ts';
import type { Offset } from '../../src/model/numbers.ts';
import { type CommitListener, ReadOutcome } from '../../src/replication/leader-partition.ts';
import { StoreMachine } from '../support/store-fixture.ts';

const TIMEOUT_MS = 4000;

class Outcomes implements CommitListener {
  commits = 0;
  readonly doubts: { readonly firstOffset: Offset; readonly code: string }[] = [];

  committed(): void {
    this.commits += 1;
  }

  inDoubt(_partition: unknown, firstOffset: Offset, error: CaskadeError): void {
    this.doubts.push({ firstOffset, code: error.code });
  }
}

describe('the write deadline', () => {
  it('answers in doubt when the disk hangs, refuses more, and takes writes again when it answers', async () => {
    const machine = new StoreMachine({ writeTimeoutMs: TIMEOUT_MS });
    const test = await machine.openPartition();
    const { clock } = machine;
    const { partition } = test;
    const outcomes = new Outcomes();
    machine.disk.slow({ syncMs: 3 * TIMEOUT_MS });
    const offset = test.put('k', 'v');
    partition.listen(outcomes);
    await clock.advance(TIMEOUT_MS - 1);
    expect(outcomes.doubts).to.deep.equal([]);
    await clock.advance(2);
    expect(outcomes.doubts).to.deep.equal([{ firstOffset: offset, code: 'inDoubt' }]);
    expect(partition.writeRefusal()?.respText).to.match(/^TRYAGAIN .*has not answered for 4000 ms/);
    machine.disk.slow({ syncMs: 0 });
    await clock.advance(3 * TIMEOUT_MS);
    await clock.settle();
    expect(partition.writeRefusal()).to.equal(null);
    expect(await test.get('k')).to.equal('v');
    expect(outcomes.commits).to.equal(0);
  });

  it('leaves alone what makes progress, and keeps no timer when nothing waits', async () => {
    const machine = new StoreMachine({ writeTimeoutMs: TIMEOUT_MS });
    const test = await machine.openPartition();
    const { clock } = machine;
    const outcomes = new Outcomes();
    machine.disk.slow({ syncMs: TIMEOUT_MS / 2 });
    for (let round = 0; round < 5; round += 1) {
      test.put('k', String(round));
      test.partition.listen(outcomes);
      await clock.advance(TIMEOUT_MS / 2 + 1);
      await clock.settle();
    }
    expect(outcomes.doubts).to.deep.equal([]);
    expect(outcomes.commits).to.be.greaterThan(0);
  });

  it('refuses the read of a due key whose tombstone cannot be committed', async () => {
    const machine = new StoreMachine({ writeTimeoutMs: TIMEOUT_MS });
    const test = await machine.openPartition();
    const { clock } = machine;
    test.put('k', 'v', clock.wallMs() + 1000);
    await clock.settle();
    machine.disk.slow({ syncMs: 10 * TIMEOUT_MS });
    await clock.advance(1001);
    expect(test.readCommitted('k')).to.equal(ReadOutcome.suspended);
    await clock.advance(2 * TIMEOUT_MS);
    expect(test.readCommitted('k')).to.equal(ReadOutcome.refused);
    expect(test.partition.refusal.respText).to.match(/^TRYAGAIN /);
  });
});
