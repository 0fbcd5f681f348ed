import { expect } from 'chai';
import { asOffset } from '../../../src/model/numbers.ts';
import { LeaderMachine, Outcomes, TIMEOUT_MS } from './leader-machine.ts';

interface Struck {
  readonly leader: LeaderMachine;
  readonly earlier: Outcomes;
  /** Appended to both batches. */
  readonly both: Outcomes;
  readonly later: Outcomes;
  /** Those who wait for the earlier batch, and for the later one. */
  readonly resolved: string[];
}

/** One batch is sealed and waits for the followers; making room for the next one met a full disk. */
async function struck(): Promise<Struck> {
  const leader = await LeaderMachine.open();
  for (const id of [2, 3]) leader.follower(id).holds(0).fetch();
  for (const id of [2, 3]) leader.follower(id).fetch();
  const [earlier, both, later] = [new Outcomes(), new Outcomes(), new Outcomes()];
  const resolved: string[] = [];
  leader.put('a', earlier);
  leader.put('b', both);
  await leader.clock.settle();
  void leader.partition.whenResolved(asOffset(1)).then(() => resolved.push('earlier'));
  const { disk, fileSystem } = leader.machine;
  disk.limitBytes(2 ** 30);
  disk.limitBytes(2 ** 30 - (await fileSystem.freeBytes('/')) + 4096);
  const large = 'x'.repeat(2 ** 20);
  leader.put('c', both, large);
  leader.put('d', later, large);
  void leader.partition.whenResolved(asOffset(3)).then(() => resolved.push('later'));
  await leader.clock.settle();
  return { leader, earlier, both, later, resolved };
}

/** Everybody was forgotten, who waited for the earlier batch too: never told anything, by no commit and no deadline. */
describe('regression: a batch refused by a full disk while an earlier one waits for followers', () => {
  it('is refused alone: the earlier one is told done when the followers have it', async () => {
    const { leader, earlier, both, later, resolved } = await struck();
    expect(leader.role.isFenced).to.equal(false);
    expect(leader.partition.writeRefusal()?.code).to.equal('diskFull');
    expect([earlier.all, both.all, later.all]).to.deep.equal([[''], ['', 'diskFull'], ['diskFull']]);
    expect(resolved).to.deep.equal(['later']);
    for (const id of [2, 3]) leader.follower(id).sync();
    await leader.clock.settle();
    expect([earlier.all, both.all]).to.deep.equal([['done'], ['done', 'diskFull']]);
    expect(resolved).to.deep.equal(['later', 'earlier']);
    expect(leader.peek('c'), 'it never was').to.equal(null);
  });

  it('leaves the earlier one in doubt at the write deadline when no follower has it', async () => {
    const { leader, earlier, both, resolved } = await struck();
    await leader.clock.advance(TIMEOUT_MS + 1);
    expect([earlier.all, both.all]).to.deep.equal([['inDoubt'], ['inDoubt', 'diskFull']]);
    expect(resolved).to.deep.equal(['later', 'earlier']);
  });
});
