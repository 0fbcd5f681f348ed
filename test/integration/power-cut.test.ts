import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ACKED_MIN, CrashLoad, describeKill, RESTLESS_STORAGE } from '../support/crash-load.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { ServerProcess } from '../support/server-process.ts';

const KILLS = process.env.CASKADE_SOAK === '1' ? 15 : 3;
const WRITERS = 4;
const ENTRY = fileURLToPath(new URL('../support/forgetful-server.js', import.meta.url));

/** The page cache outlives a process, so that `kill -9` alone says nothing about fsync. Here it does not. */
describe('kill -9 of the server over a disk that forgets what was not synced', () => {
  const seed = Number(process.env.CASKADE_SEED ?? Date.now() % 1_000_000);
  const random = new SeededRandom(seed);
  let server: ServerProcess;

  function start(mode: 'with-sync' | 'without-sync', flags: readonly string[] = []): Promise<ServerProcess> {
    return ServerProcess.start({ program: [process.execPath, ENTRY, mode], flags });
  }

  afterEach(() => server.destroy());

  it(`loses no acknowledged write, ${KILLS} times (seed ${seed})`, async function () {
    this.timeout(KILLS * 10_000);
    server = await start('with-sync', RESTLESS_STORAGE);
    const load = new CrashLoad(random.fork(), WRITERS);
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const outcome = await load.writeUntilKilled(server, ACKED_MIN + random.below(1500));
      await server.restart();
      await load.readBack(server.port, outcome);
      process.stdout.write(describeKill(`power cut ${kill}`, outcome));
      expect(outcome.acked).to.be.at.least(ACKED_MIN);
      expect(outcome).to.include({ lost: 0, reordered: 0, surplusKeys: 0 });
    }
  });

  it('would lose acknowledged writes without fsync: the test above can fail', async function () {
    this.timeout(20_000);
    server = await start('without-sync');
    const load = new CrashLoad(random.fork(), WRITERS);
    const outcome = await load.writeUntilKilled(server, ACKED_MIN);
    await server.restart();
    await load.readBack(server.port, outcome);
    process.stdout.write(describeKill('without fsync', outcome));
    expect(outcome.acked).to.be.at.least(ACKED_MIN);
    expect(outcome.lost).to.be.above(0);
  });
});
