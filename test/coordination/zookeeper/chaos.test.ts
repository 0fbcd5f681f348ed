import { expect } from 'chai';
import type { CoordinatorSession } from '../../../src/coordination/coordinator.ts';
import type { ZooKeeperCoordinator } from '../../../src/coordination/zookeeper/zookeeper-coordinator.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { ZooKeeperEnsemble } from '../../support/zookeeper-ensemble.ts';
import { until } from '../coordinator-contract.ts';
import { zooKeeperFixture } from './zookeeper-fixture.ts';

const isSoak = process.env.CASKADE_SOAK === '1';
const FAULTS_MS = isSoak ? 90_000 : 4_000;
const SESSION_MS = 2_000;
const WORKERS = 3;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Counter {
  readonly value: number;
  readonly last: Readonly<Record<string, number>>;
}

/** Adds one to the counter for ever, in as many lives as it takes, and knows in the end how often it did. */
class Worker {
  readonly #coordinator: ZooKeeperCoordinator;
  readonly #name: string;
  #session: CoordinatorSession;
  #isStopped = false;
  done = 0;
  lives = 1;
  unknown = 0;
  readonly #ended: Promise<void>;

  constructor(coordinator: ZooKeeperCoordinator, name: string) {
    this.#coordinator = coordinator;
    this.#name = name;
    this.#session = coordinator.open();
    this.#ended = this.#run();
  }

  get session(): CoordinatorSession {
    return this.#session;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
    await this.#session.close();
  }

  async #run(): Promise<void> {
    await this.#session.create('/counter', { value: 0, last: {} }, { ephemeral: false });
    while (!this.#isStopped) {
      const { counter, version } = await this.#read();
      const next = { value: counter.value + 1, last: { ...counter.last, [this.#name]: this.done + 1 } };
      const written = await this.#session.set('/counter', next, version);
      if (written.ok) this.done += 1;
      else if (written.failure !== 'badVersion') await this.#resolve();
    }
  }

  /** Whether the write whose outcome is unknown was done, is read: nobody else writes under this name. */
  async #resolve(): Promise<void> {
    this.unknown += 1;
    const { counter } = await this.#read();
    if (counter.last[this.#name] === this.done + 1) this.done += 1;
  }

  async #read(): Promise<{ readonly counter: Counter; readonly version: number }> {
    for (;;) {
      if (this.#session.state === 'lost') {
        this.lives += 1;
        this.#session = this.#coordinator.open();
      }
      if ((await this.#session.barrier()).ok) {
        const read = await this.#session.read('/counter');
        if (read.ok) return { counter: read.value.data as Counter, version: read.value.version };
        if (read.failure === 'noNode')
          await this.#session.create('/counter', { value: 0, last: {} }, { ephemeral: false });
      }
      await sleep(10);
    }
  }
}

describe('ZooKeeper sessions under every fault at once', function () {
  this.timeout(FAULTS_MS + 60_000);
  let ensemble: ZooKeeperEnsemble;
  let proxies: TcpProxy[] = [];

  before(async () => {
    ensemble = await ZooKeeperEnsemble.start();
    proxies = await Promise.all(ensemble.servers.map(({ clientPort }) => TcpProxy.start(clientPort)));
  });

  after(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await ensemble.destroy();
  });

  const heal = async (): Promise<void> => {
    for (const proxy of proxies) {
      proxy.passage = 'all';
      proxy.accept();
    }
    await ensemble.heal();
  };

  const faults: ((index: number, random: SeededRandom) => Promise<void>)[] = [
    async (index) => proxies[index]?.cut(),
    async (index, random) => {
      proxies[index]?.refuse();
      await sleep(random.below(SESSION_MS));
    },
    async (index, random) => {
      proxies[index]!.passage = { cutAfterBytes: random.below(300) };
    },
    async (index, random) => {
      proxies[index]!.passage = 'none';
      await sleep(random.below(SESSION_MS));
    },
    async (index, random) => {
      ensemble.servers[index]?.pause();
      await sleep(random.below(SESSION_MS));
    },
    async (index) => ensemble.servers[index]?.kill(),
    async () => {
      for (const proxy of proxies) proxy.refuse();
      await sleep(SESSION_MS * 1.3);
    },
  ];

  it('no increment is lost or done twice, and no client is left behind', async () => {
    const seed = Math.floor(Math.random() * 1_000_000);
    const random = new SeededRandom(seed);
    const addresses = proxies.map(({ address }) => address);
    const chroot = '/tests/chaos';
    const workers = await Promise.all(
      Array.from({ length: WORKERS }, async (_, index) => {
        const { coordinator } = await zooKeeperFixture(addresses, { chroot, sessionTimeoutMs: SESSION_MS });
        return new Worker(coordinator, `worker-${index}`);
      }),
    );
    const deadline = performance.now() + FAULTS_MS;
    while (performance.now() < deadline) {
      await sleep(random.below(400));
      await faults[random.below(faults.length)]?.(random.below(proxies.length), random);
      await heal();
    }
    await until(() => workers.every(({ session }) => session.state === 'connected'), 'all are back');
    // Before they stop: what counts on the servers is one connection each, and nothing of lives that are over.
    await until(
      () => proxies.reduce((sum, proxy) => sum + proxy.open, 0) === WORKERS,
      () => `one connection each (seed ${seed})`,
    );
    await Promise.all(workers.map((worker) => worker.stop()));
    const { coordinator } = await zooKeeperFixture(addresses, { chroot });
    const witness = coordinator.open();
    await until(() => witness.state === 'connected', 'the witness');
    const read = await witness.read('/counter');
    await witness.close();
    const done = workers.reduce((sum, worker) => sum + worker.done, 0);
    expect(read.ok && (read.value.data as Counter).value, `seed ${seed}`).to.equal(done);
    expect(done).to.be.above(10);
    if (isSoak) expect(workers.some(({ lives }) => lives > 1)).to.equal(true);
  });
});
