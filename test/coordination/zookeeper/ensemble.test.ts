import { expect } from 'chai';
import type { CoordinatorSession, SessionState } from '../../../src/coordination/coordinator.ts';
import type { ZooKeeperSession } from '../../../src/coordination/zookeeper/zookeeper-session.ts';
import { ZooKeeperEnsemble } from '../../support/zookeeper-ensemble.ts';
import type { ZooKeeperServer } from '../../support/zookeeper-server.ts';
import { connected, granted, until } from '../coordinator-contract.ts';
import { type Fixture, zooKeeperFixture } from './zookeeper-fixture.ts';

const isSoak = process.env.CASKADE_SOAK === '1';
/** As long as the servers grant at their ticks. */
const SESSION_MS = 4_000;

interface Counter {
  readonly value: number;
  /** The last operation of each writer: so that an unknown outcome can be told (W4). */
  readonly last: Readonly<Record<string, number>>;
}

/** Adds one to a counter again and again by compare-and-set; counts what was acknowledged or found to have happened. */
class Incrementer {
  readonly #session: CoordinatorSession;
  readonly #name: string;
  #isStopped = false;
  acknowledged = 0;
  unknown = 0;
  resolvedAsDone = 0;
  readonly #ended: Promise<void>;

  constructor(session: CoordinatorSession, name: string) {
    this.#session = session;
    this.#name = name;
    this.#ended = this.#run();
  }

  get done(): number {
    return this.acknowledged + this.resolvedAsDone;
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#ended;
  }

  async #run(): Promise<void> {
    for (let operation = 1; !this.#isStopped; ) {
      const read = await this.#read();
      const counter = read.data as Counter;
      const next = { value: counter.value + 1, last: { ...counter.last, [this.#name]: operation } };
      const written = await this.#session.set('/counter', next, read.version);
      if (written.ok) this.acknowledged += 1;
      else if (written.failure === 'badVersion') continue;
      else if (await this.#wasDone(operation)) this.resolvedAsDone += 1;
      else continue;
      operation += 1;
    }
  }

  async #wasDone(operation: number): Promise<boolean> {
    this.unknown += 1;
    return ((await this.#read()).data as Counter).last[this.#name] === operation;
  }

  async #read(): Promise<{ readonly data: unknown; readonly version: number }> {
    for (;;) {
      if (this.#session.state === 'lost') throw new Error('the session is lost');
      const isFresh = await this.#session.barrier();
      const read = isFresh.ok ? await this.#session.read('/counter') : isFresh;
      if (read.ok) return read.value;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

describe('a ZooKeeper session, three servers', function () {
  this.timeout(isSoak ? 300_000 : 60_000);
  let ensemble: ZooKeeperEnsemble;
  const sessions: ZooKeeperSession[] = [];

  const opened = async (fixture: Fixture): Promise<ZooKeeperSession> => {
    const session = fixture.coordinator.open();
    sessions.push(session);
    await connected(session);
    return session;
  };

  const onAll = (): Promise<Fixture> =>
    zooKeeperFixture(ensemble.addresses, { sessionTimeoutMs: SESSION_MS });

  const serverOf = (session: ZooKeeperSession): ZooKeeperServer => {
    const server = ensemble.servers.find(({ address }) => address === session.server);
    if (server === undefined) throw new Error(`no server ${session.server}`);
    return server;
  };

  /** Adds to one counter with several sessions while `disturb` runs; then the books must agree. */
  const countThrough = async (disturb: (session: ZooKeeperSession) => Promise<void>): Promise<void> => {
    const fixture = await onAll();
    const [one, two] = [await opened(fixture), await opened(fixture)];
    granted(await one.create('/counter', { value: 0, last: {} }, { ephemeral: false }));
    const incrementers = [new Incrementer(one, 'one'), new Incrementer(two, 'two')];
    await disturb(one);
    await Promise.all(incrementers.map((incrementer) => incrementer.stop()));
    granted(await one.barrier());
    const counter = granted(await one.read('/counter')).data as Counter;
    const done = incrementers.reduce((sum, incrementer) => sum + incrementer.done, 0);
    expect(counter.value).to.equal(done);
    expect(done).to.be.above(10);
  };

  before(async () => {
    ensemble = await ZooKeeperEnsemble.start();
  });

  after(async () => {
    await ensemble.destroy();
  });

  afterEach(async () => {
    await ensemble.heal();
    await Promise.all(sessions.splice(0).map((session) => session.close()));
  });

  it('the connected server hangs: suspended within T/2, then the same session at another one (H1)', async () => {
    const session = await opened(await onAll());
    granted(await session.create('/e', 1, { ephemeral: true }));
    const { sessionId } = session;
    const states: SessionState[] = [];
    session.onState((state) => states.push(state));
    const hung = serverOf(session);
    hung.pause();
    const since = performance.now();
    await until(() => states.includes('suspended'), 'suspended');
    expect(performance.now() - since).to.be.below(SESSION_MS / 2);
    await until(() => session.state === 'connected', 'connects elsewhere');
    expect(performance.now() - since).to.be.below(SESSION_MS);
    expect(serverOf(session)).to.not.equal(hung);
    expect(session.sessionId).to.equal(sessionId);
    await until(async () => (await session.barrier()).ok, 'the ensemble agrees again');
    expect(granted(await session.read('/e')).isMine).to.equal(true);
    expect(states).to.not.include('lost');
  });

  for (const place of [0, 1, 2]) {
    it(`server ${place + 1} hangs while a session begins: it takes another one (H2)`, async () => {
      // The leader must live, or nobody grants a session until there is another one.
      const leader = await ensemble.leader();
      const hung = ensemble.servers.find((server) => server !== leader)!;
      const others = ensemble.addresses.filter((address) => address !== hung.address);
      const order = [...others.slice(0, place), hung.address, ...others.slice(place)];
      hung.pause();
      const inOrder = { bytes: () => new Uint8Array(0), uuid: () => '', below: () => 0 };
      const fixture = await zooKeeperFixture(order, { sessionTimeoutMs: SESSION_MS }, inOrder);
      const since = performance.now();
      const session = await opened(fixture);
      const attemptMs = place === 0 ? 1_000 : 0;
      expect(performance.now() - since).to.be.within(attemptMs, attemptMs + 3_000);
      expect(session.server).to.not.equal(hung.address);
    });
  }

  it('the leader is killed under load: every unknown outcome is found out by reading again (W4)', async () => {
    await countThrough(async (session) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await (await ensemble.leader()).kill();
      await until(async () => (await session.barrier()).ok, 'there is a leader again');
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
  });

  it('every server restarts in turn: the counter is what was acknowledged and what was found to be done', async () => {
    await countThrough(async (session) => {
      for (let round = 0; round < (isSoak ? 10 : 1); round += 1) {
        for (const server of ensemble.servers) {
          await server.restart();
          await until(async () => (await session.barrier()).ok, 'the ensemble agrees again');
        }
      }
    });
  });

  it('two of three hang: no write succeeds, and reads stop soon after', async () => {
    const leader = await ensemble.leader();
    const follower = ensemble.servers.find((server) => server !== leader)!;
    const fixture = await zooKeeperFixture([follower.address], { sessionTimeoutMs: SESSION_MS });
    const session = await opened(fixture);
    granted(await session.create('/a', 1, { ephemeral: false }));
    for (const server of ensemble.servers) if (server !== follower) server.pause();
    const since = performance.now();
    const write = session.set('/a', 2, 0);
    let lastReadMs = 0;
    while (performance.now() - since < 3_000) {
      if ((await session.read('/a')).ok) lastReadMs = performance.now() - since;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await write).to.deep.equal({ ok: false, failure: 'unknown' });
    expect(session.state).to.equal('suspended');
    // syncLimit of 5 ticks of 200 ms, and some time to notice.
    expect(lastReadMs).to.be.below(2_000);
    await ensemble.heal();
    await until(() => session.state === 'connected' || session.state === 'lost', 'there is a server again');
  });
});
