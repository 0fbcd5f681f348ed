import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { asNodeId } from '../../../src/model/numbers.ts';
import { runProgram } from '../../support/run-program.ts';
import { chatter, digestOfChatter } from './chatter.ts';

const ONE = asNodeId(1);
const TWO = asNodeId(2);

describe('a simulated data center', () => {
  it('does the same for the same seed, and something else for another', async () => {
    const digest = await digestOfChatter(7);
    expect(await digestOfChatter(7)).to.equal(digest);
    expect(await digestOfChatter(8)).not.to.equal(digest);
  });

  it('does the same in another process', async () => {
    const script = fileURLToPath(new URL('./print-chatter.js', import.meta.url));
    const { stdout } = await runProgram([process.execPath, script, '7']);
    expect(stdout.trim()).to.equal(await digestOfChatter(7));
  });

  it('delivers in order, copies what it carries, and drops what is cut', async () => {
    const center = chatter(3);
    for (const machine of center.machines) machine.start();
    await center.run(200);
    const heard = center.machine(TWO).running?.program.heardFrom.get(ONE) ?? [];
    expect(heard.length).to.be.greaterThan(5);
    expect(heard).to.deep.equal([...heard].sort((a, b) => a - b));
    center.network.cut(ONE, TWO);
    await center.run(50);
    const count = center.machine(TWO).running?.program.heardFrom.get(ONE)?.length;
    await center.run(200);
    expect(center.machine(TWO).running?.program.heardFrom.get(ONE)?.length).to.equal(count);
    center.network.mend(ONE, TWO);
    await center.run(200);
    expect(center.machine(TWO).running?.program.heardFrom.get(ONE)?.length).to.be.greaterThan(count ?? 0);
  });

  it('lets a dead process refuse, and a machine without power be silent', async () => {
    const center = chatter(4);
    for (const machine of center.machines) machine.start();
    await center.run(200);
    const program = center.machine(ONE).running?.program;
    center.machine(TWO).kill('keepAll');
    await center.run(100);
    expect(program?.refusals.has(TWO)).to.equal(true);
    center.machine(TWO).start();
    await center.run(200);
    program?.refusals.clear();
    center.machine(TWO).kill('loseAll');
    await center.run(100);
    expect(program?.refusals.has(TWO)).to.equal(false);
    center.machine(TWO).powerOn();
    await center.run(100);
    expect(program?.refusals.has(TWO)).to.equal(true);
  });

  it('finds on the disk what was synced, and of the rest what the crash left', async () => {
    const center = chatter(5);
    const machine = center.machine(ONE);
    machine.start();
    for (let round = 0; round < 30; round += 1) {
      await center.run(20 + round);
      const synced = machine.running?.program.syncedCount ?? 0;
      machine.kill(round % 2 === 0 ? 'loseAll' : 'random');
      machine.start();
      await center.runUntil(() => machine.running !== null, 500);
      expect(machine.running?.program.foundCount ?? 0).to.be.at.least(synced);
    }
  });

  it('ends a life in the middle of a change of its disk', async () => {
    const center = chatter(6);
    const machine = center.machine(ONE);
    machine.start();
    await center.run(50);
    let isKilled = false;
    machine.disk.crashAtChange(3, () => {
      isKilled = true;
      machine.kill('random');
    });
    await center.run(100);
    expect(isKilled).to.equal(true);
    expect(machine.isUp).to.equal(false);
  });

  it('answers a request, refuses it where nobody listens, and breaks it when the process dies', async () => {
    const center = chatter(9);
    center.machine(ONE).start();
    await center.run(50);
    const outcomes: string[] = [];
    const ask = (to: typeof ONE, work: (respond: (answer: string) => void) => void): void =>
      center.request<string>({
        to,
        work: (_machine, respond) => work(respond),
        answered: (answer) => outcomes.push(answer),
        failed: (how) => outcomes.push(how),
      });
    ask(ONE, (respond) => respond('pong'));
    await center.run(50);
    ask(TWO, (respond) => respond('never'));
    await center.run(50);
    ask(ONE, () => undefined);
    await center.run(50);
    center.machine(ONE).kill('keepAll');
    await center.run(50);
    expect(outcomes).to.deep.equal(['pong', 'refused', 'broken']);
  });
});
