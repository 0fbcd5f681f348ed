import { expect } from 'chai';
import type { CoordinatorSession } from '../../../src/coordination/coordinator.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { CoordinatorServer } from './coordinator-server.ts';
import { type CoordinatorLink, SimulatedSessionFactory } from './coordinator-session.ts';
import { Life } from './life.ts';
import { NodeClock, WallClock } from './node-clock.ts';
import { Scheduler } from './scheduler.ts';

const SESSION_MS = 1000;

class Bench {
  readonly scheduler = new Scheduler();
  readonly server = new CoordinatorServer(this.scheduler, SESSION_MS);

  client(seed: number): Client {
    return new Client(this, seed);
  }

  /** Runs until the promise is settled. */
  async settled<Value>(promise: Promise<Value>): Promise<Value> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.scheduler.run(this.scheduler.nowMs + 10 * SESSION_MS, () => isSettled);
    return promise;
  }

  run(ms: number): Promise<void> {
    return this.scheduler.run(this.scheduler.nowMs + ms);
  }
}

class Client {
  readonly link: CoordinatorLink = { isCut: false, replyLossShare: 0, staleMs: 0, slownessMs: 0 };
  readonly life: Life;
  readonly factory: SimulatedSessionFactory;
  readonly session: CoordinatorSession;
  readonly states: string[] = [];

  constructor({ scheduler, server }: Bench, seed: number) {
    this.life = new Life(scheduler, () => undefined);
    const wall = new WallClock(scheduler, 0);
    const clock = new NodeClock(scheduler, this.life, wall, { monotonicMs: 5, rate: 1 });
    const { link, life } = this;
    const random = new SeededRandom(seed);
    this.factory = new SimulatedSessionFactory({ scheduler, server, link, life, clock, random });
    this.session = this.factory.open();
    this.session.onState((state) => this.states.push(state));
  }

  get half(): NonNullable<SimulatedSessionFactory['current']>['server'] {
    return this.factory.current?.server ?? null;
  }
}

async function connected(): Promise<{ bench: Bench; client: Client; other: Client }> {
  const bench = new Bench();
  const [client, other] = [bench.client(1), bench.client(2)];
  await bench.run(50);
  await bench.settled(client.session.create('/nodes', null, { ephemeral: false }));
  return { bench, client, other };
}

describe('the simulated coordinator', () => {
  it('connects, writes with versions, and shows a write to everybody after a barrier', async () => {
    const { bench, client, other } = await connected();
    expect(client.states).to.deep.equal(['connected']);
    expect(await bench.settled(client.session.set('/nodes', { a: 1 }, 0))).to.deep.equal({
      ok: true,
      value: 1,
    });
    expect(await bench.settled(client.session.set('/nodes', { a: 2 }, 0))).to.deep.equal({
      ok: false,
      failure: 'badVersion',
    });
    await bench.settled(other.session.barrier());
    expect(await bench.settled(other.session.read('/nodes'))).to.deep.equal({
      ok: true,
      value: { data: { a: 1 }, version: 1, isMine: false },
    });
  });

  it('does all parts of a multi or none', async () => {
    const { bench, client } = await connected();
    const outcome = await bench.settled(
      client.session.multi([
        { kind: 'create', path: '/nodes/1', data: 1, ephemeral: true },
        { kind: 'check', path: '/nodes', version: 7 },
      ]),
    );
    expect(outcome).to.deep.equal({ ok: false, failure: 'badVersion' });
    expect(bench.server.peek('/nodes/1')).to.equal(null);
  });

  it('ends the session of a client that it does not hear, and takes its ephemeral nodes', async () => {
    const { bench, client } = await connected();
    await bench.settled(client.session.create('/nodes/1', 1, { ephemeral: true }));
    client.link.isCut = true;
    await bench.run(SESSION_MS * 0.9);
    expect(client.session.state).to.equal('suspended');
    expect(bench.server.peek('/nodes/1')).to.equal(1);
    await bench.run(SESSION_MS * 0.3);
    expect(bench.server.peek('/nodes/1')).to.equal(null);
    expect(client.session.state, 'only the server can say that it is over').to.equal('suspended');
    client.link.isCut = false;
    await bench.run(SESSION_MS);
    expect(client.states).to.deep.equal(['connected', 'suspended', 'lost']);
  });

  it('leaves a stalled client believing that it is connected when its session is over', async () => {
    const { bench, client } = await connected();
    client.life.stall(SESSION_MS * 3, true);
    await bench.run(SESSION_MS * 2);
    expect(client.half?.isExpired).to.equal(true);
    expect(client.session.state).to.equal('connected');
    await bench.run(SESSION_MS * 2);
    expect(client.session.state).to.equal('lost');
  });

  it('takes a short cut for what it is: suspended, connected, and every observer is called', async () => {
    const { bench, client } = await connected();
    let calls = 0;
    client.session.observe('/nodes', 'children', () => {
      calls += 1;
    });
    client.link.isCut = true;
    await bench.run(SESSION_MS * 0.6);
    const before = calls;
    client.link.isCut = false;
    await bench.run(SESSION_MS * 0.2);
    expect(client.states).to.deep.equal(['connected', 'suspended', 'connected']);
    expect(calls).to.be.greaterThan(before);
  });

  it('calls observers soon after a change, of the node or of the children', async () => {
    const { bench, client, other } = await connected();
    const seen: string[] = [];
    other.session.observe('/nodes', 'children', () => seen.push('children'));
    other.session.observe('/nodes', 'node', () => seen.push('node'));
    await bench.run(20);
    seen.length = 0;
    await bench.settled(client.session.create('/nodes/1', 1, { ephemeral: true }));
    await bench.run(10);
    expect(seen).to.deep.equal(['children']);
  });

  it('answers unknown for a write whose reply was lost, though it happened', async () => {
    const { bench, client } = await connected();
    client.link.replyLossShare = 1;
    const outcome = await bench.settled(client.session.set('/nodes', 'x', -1));
    expect(outcome).to.deep.equal({ ok: false, failure: 'unknown' });
    expect(bench.server.peek('/nodes')).to.equal('x');
  });

  it('reads what is old, never older than it has seen, and what is new after a barrier', async () => {
    const { bench, client, other } = await connected();
    await bench.settled(client.session.set('/nodes', 'old', -1));
    await bench.settled(other.session.read('/nodes'));
    other.link.staleMs = 600;
    await bench.settled(client.session.set('/nodes', 'new', -1));
    const stale = await bench.settled(other.session.read('/nodes'));
    expect(stale.ok && stale.value.data).to.equal('old');
    await bench.settled(other.session.barrier());
    const fresh = await bench.settled(other.session.read('/nodes'));
    expect(fresh.ok && fresh.value.data).to.equal('new');
  });

  it('forgets its last writes and serves nobody who has seen them (R17, H18)', async () => {
    const { bench, client, other } = await connected();
    await bench.settled(other.session.set('/nodes', 'kept', -1));
    await bench.settled(client.session.set('/nodes', 'lost', -1));
    bench.server.loseWrites(1);
    expect(bench.server.peek('/nodes')).to.equal('kept');
    await bench.run(SESSION_MS * 4);
    expect(other.session.state).to.equal('connected');
    expect(client.session.state).to.equal('lost');
  });

  it('expires nobody while it is away, and begins their clocks anew when it is back', async () => {
    const { bench, client } = await connected();
    bench.server.isDown = true;
    await bench.run(SESSION_MS * 2);
    bench.server.isDown = false;
    await bench.run(SESSION_MS / 2);
    expect(client.session.state).to.equal('connected');
  });
});
