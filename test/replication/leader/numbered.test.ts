import { expect } from 'chai';
import { asProducerSequence } from '../../../src/model/numbers.ts';
import type { NumberedCommand } from '../../../src/replication/leader-partition.ts';
import type { ProducerTable } from '../../../src/replication/producers/producer-table.ts';
import { LeaderMachine, Outcomes, TIMEOUT_MS } from './leader-machine.ts';

const OK = Buffer.from('OK');

const command = (sequence: number, isRetry = false): NumberedCommand => ({
  producer: { kind: 'client', id: 'a' },
  sequence: asProducerSequence(sequence),
  isRetry,
});

function verdict({ partition }: LeaderMachine, sequence: number): string {
  const admission = partition.admit(command(sequence, true));
  if (admission.verdict === 'refuse') return admission.error.code;
  if (admission.verdict !== 'answer') return admission.verdict;
  return `answer ${Buffer.from(admission.outcome ?? '').toString()}`;
}

function run(leader: LeaderMachine, sequence: number, outcomes: Outcomes): void {
  leader.partition.beginCommand(command(sequence));
  leader.put(`key ${sequence}`);
  outcomes.appended(leader.partition.endCommand(OK));
  leader.partition.listen(outcomes);
}

async function level(leader: LeaderMachine, end: number): Promise<void> {
  for (const id of [2, 3]) leader.follower(id).holds(end).fetch();
  await leader.clock.settle();
}

describe('a leader and numbered commands (R13, R14)', () => {
  it('says nothing of them before all that it inherited is committed, and refuses after the deadline', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a', 'b'] });
    expect(verdict(leader, 1)).to.equal('suspended');
    let isWorthIt = false;
    void leader.partition.suspension.then(() => {
      isWorthIt = true;
    });
    await level(leader, 2);
    expect(isWorthIt).to.equal(true);
    expect(verdict(leader, 1)).to.equal('execute');

    const late = await LeaderMachine.open({ inherited: ['a'] });
    expect(verdict(late, 1)).to.equal('suspended');
    await late.clock.advance(TIMEOUT_MS + 1);
    expect(verdict(late, 1)).to.equal('tryAgain');
  });

  it('answers a retry when the first is committed on all of the ISR, and lets it join before', async () => {
    const leader = await LeaderMachine.open();
    await level(leader, 0);
    const outcomes = new Outcomes();
    run(leader, 1, outcomes);
    await leader.clock.settle();
    expect(verdict(leader, 1), 'on its own disk').to.equal('join');
    leader.follower(2).fetch();
    leader.follower(2).sync();
    leader.follower(3).fetch();
    expect(verdict(leader, 1)).to.equal('join');
    leader.follower(3).sync();
    expect(outcomes.all).to.deep.equal(['done']);
    expect(verdict(leader, 1)).to.equal('answer OK');
    expect(leader.partition.stats().answeredRetries).to.equal(1);
  });

  it('whose role has ended remembers nothing that was not committed, and answers nothing', async () => {
    const leader = await LeaderMachine.open();
    await level(leader, 0);
    run(leader, 1, new Outcomes());
    await leader.clock.settle();
    await leader.clock.until(leader.role.stop());
    expect(verdict(leader, 1)).to.equal('notLeader');
    const table = leader.store.producers as ProducerTable;
    expect(table.lookup(command(1), true).result).to.equal('new');
  });
});
