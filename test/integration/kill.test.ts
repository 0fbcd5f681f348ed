import { expect } from 'chai';
import { ACKED_MIN, CrashLoad, describeKill, RESTLESS_STORAGE } from '../support/crash-load.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { ServerProcess } from '../support/server-process.ts';

const KILLS = process.env.CASKADE_SOAK === '1' ? 50 : 10;
const WRITERS = 6;
const ATTEMPTS_MAX = KILLS * 3;

describe('kill -9 of the server with writes in flight', () => {
  const seed = Number(process.env.CASKADE_SEED ?? Date.now() % 1_000_000);
  const random = new SeededRandom(seed);
  const load = new CrashLoad(random, WRITERS);
  let server: ServerProcess;
  let merges = 0;

  before(async () => {
    server = await ServerProcess.start({ flags: RESTLESS_STORAGE });
  });
  after(() => server.destroy());

  /** One more kill while the log is read, every third time: recovery must be interruptible too. */
  async function restart(kill: number): Promise<void> {
    if (kill % 3 === 0) {
      server.spawn();
      await new Promise((resolve) => setTimeout(resolve, 100 + random.below(300)));
      await server.kill('SIGKILL');
    }
    await server.restart();
  }

  it(`loses no acknowledged write, ${KILLS} times (seed ${seed})`, async function () {
    this.timeout(KILLS * 6000);
    let kills = 0;
    for (let attempt = 1; kills < KILLS; attempt += 1) {
      expect(attempt, 'kills that came too early to count').to.be.at.most(ATTEMPTS_MAX);
      const outcome = await load.writeUntilKilled(server, ACKED_MIN + random.below(6000));
      merges += server.logged('merged segments').length;
      await restart(attempt);
      await load.readBack(server.port, outcome);
      if (outcome.acked >= ACKED_MIN) kills += 1;
      process.stdout.write(describeKill(`kill ${kills}`, outcome));
      expect(outcome).to.include({ lost: 0, reordered: 0, surplusKeys: 0 });
    }
    expect(merges, 'merges that ended before a kill').to.be.above(0);
    process.stdout.write(`      ${merges} merges had ended before a kill\n`);
  });
});
