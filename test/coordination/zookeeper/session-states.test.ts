import { expect } from 'chai';
import type { Outcome, SessionState } from '../../../src/coordination/coordinator.ts';
import { ZooKeeperCoordinator } from '../../../src/coordination/zookeeper/zookeeper-coordinator.ts';
import type { ZooKeeperSession } from '../../../src/coordination/zookeeper/zookeeper-session.ts';
import { MemoryFileSystem } from '../../../src/env/memory-file-system.ts';
import { asMonotonicMillis } from '../../../src/model/numbers.ts';
import { CollectingLogger } from '../../support/collecting-logger.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { type FakeClient, FakeClients } from './fake-client.ts';

/** T. */
const SESSION_MS = 6_000;
const CONNECTION_LOSS = -4;
const NO_AUTH = -102;
const THROTTLED = -127;
const UNKNOWN = { ok: false, failure: 'unknown' };
const LOST = { ok: false, failure: 'sessionLost' };
const STAT = { version: 3, ephemeralOwner: new Uint8Array(8).fill(7) };

describe('the states of a ZooKeeper session', () => {
  let clock: SimulatedClock;
  let clients: FakeClients;
  let coordinator: ZooKeeperCoordinator;
  let session: ZooKeeperSession;
  let states: SessionState[];
  let fileSystem: MemoryFileSystem;
  let logger: CollectingLogger;

  const start = (chroot = ''): ZooKeeperCoordinator =>
    new ZooKeeperCoordinator(
      {
        servers: ['a:1', 'b:1', 'c:1'],
        chroot,
        sessionTimeoutMs: SESSION_MS,
        auth: '',
        dataDirectory: '/n',
      },
      { clock, random: new SeededRandom(1), logger, fileSystem },
      clients.create,
    );

  const opened = async (): Promise<FakeClient> => {
    session = coordinator.open();
    session.onState((state) => states.push(state));
    await clock.settle();
    return clients.last;
  };

  const granted = async (): Promise<FakeClient> => {
    const client = await opened();
    client.grant();
    await clock.settle();
    return client;
  };

  /** Answers every heartbeat while time goes by. */
  const wellFor = async (client: FakeClient, ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      await clock.advance(100);
      while (client.requests.length > 0) client.answer(STAT);
    }
  };

  /** Nobody takes the connection: each attempt that fails is told. */
  const refusedFor = async (client: FakeClient, seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed += 1) {
      await clock.advance(1_000);
      client.lose();
    }
  };

  /** Servers take the connection, and drop it before there is a session. */
  const droppedFor = async (client: FakeClient, seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed += 1) {
      client.accept();
      await refusedFor(client, 1);
    }
  };

  const outcomeOf = <Value>(promise: Promise<Outcome<Value>>): Promise<Outcome<Value>> =>
    clock.until(promise);

  beforeEach(async () => {
    clock = new SimulatedClock();
    clients = new FakeClients();
    states = [];
    logger = new CollectingLogger();
    fileSystem = new MemoryFileSystem();
    await fileSystem.makeDirectory('/n');
    coordinator = start();
  });

  afterEach(async () => {
    const closing = session.close();
    await clock.advance(2_000);
    await closing;
    expect(clients.all.every(({ isDiscarded }) => isDiscarded)).to.equal(true);
    await clock.advance(10_000);
    expect(clock.timerCount).to.equal(0);
  });

  it('connecting, then connected; the library is asked for nothing before (W1)', async () => {
    const client = await opened();
    expect(session.state).to.equal('connecting');
    expect(await session.read('/a')).to.deep.equal(UNKNOWN);
    client.grant();
    await clock.settle();
    expect(states).to.deep.equal(['connected']);
    expect(coordinator.sessionState).to.equal('connected');
    expect(session.sessionId).to.equal('0x0707070707070707');
  });

  it('an answer is an outcome; what is ours says so', async () => {
    const client = await granted();
    const read = session.read('/a');
    client.answer({ bytes: Buffer.from('{"x":1}'), stat: STAT });
    expect(await outcomeOf(read)).to.deep.equal({
      ok: true,
      value: { data: { x: 1 }, version: 3, isMine: true },
    });
    const other = session.read('/b');
    client.answer({ bytes: Buffer.from('no JSON'), stat: { version: 0, ephemeralOwner: new Uint8Array(8) } });
    expect(await outcomeOf(other)).to.deep.equal({
      ok: true,
      value: { data: null, version: 0, isMine: false },
    });
  });

  it('an operation without an answer is unknown after two thirds of T, and a late answer is ignored (W4)', async () => {
    const client = await granted();
    const write = session.set('/a', 1, 0);
    await clock.advance((SESSION_MS * 2) / 3 - 1);
    client.lose = () => {};
    let isSettled = false;
    void write.then(() => {
      isSettled = true;
    });
    await clock.settle();
    expect(isSettled).to.equal(false);
    await clock.advance(1);
    expect(await outcomeOf(write)).to.deep.equal(UNKNOWN);
    client.answer([4]);
    expect(await outcomeOf(write)).to.deep.equal(UNKNOWN);
  });

  it('a heartbeat goes out well within a quarter of T, whatever else is quiet (H12)', async () => {
    const client = await granted();
    await clock.advance(SESSION_MS / 4);
    expect(client.requests.map(({ kind, path }) => `${kind} ${path}`)).to.deep.equal(['stat /']);
    await clock.advance(SESSION_MS / 4);
    // One at a time.
    expect(client.requests).to.have.lengthOf(1);
    client.answer(STAT);
  });

  it('it stays connected for as long as heartbeats are answered', async () => {
    const client = await granted();
    await wellFor(client, 60_000);
    expect(states).to.deep.equal(['connected']);
    expect(client.drops).to.deep.equal([]);
  });

  it('suspended after a third of T without an answer, dropped after half; connected with the next answer (W3, W12)', async () => {
    const client = await granted();
    await clock.advance(SESSION_MS / 3 - 1);
    expect(session.state).to.equal('connected');
    await clock.advance(SESSION_MS / 10 + 1);
    expect(session.state).to.equal('suspended');
    expect(await session.read('/a')).to.deep.equal(UNKNOWN);
    expect(client.drops).to.deep.equal([]);
    client.answer(STAT);
    await clock.settle();
    expect(states).to.deep.equal(['connected', 'suspended', 'connected']);
    await clock.advance(SESSION_MS);
    expect(client.drops).to.not.deep.equal([]);
    expect(session.state).to.equal('suspended');
  });

  it('a process that stood still does not blame the server at once (H14)', async () => {
    const client = await granted();
    const stalled = clock.monotonicMs() + SESSION_MS;
    // The timers of a process that was stopped all fire at its end.
    const original = clock.monotonicMs.bind(clock);
    clock.monotonicMs = () => asMonotonicMillis(Math.max(stalled, original()));
    await clock.advance(SESSION_MS / 10);
    expect(session.state).to.equal('suspended');
    expect(client.drops).to.deep.equal([]);
    clock.monotonicMs = original;
  });

  it('an attempt that hangs is given up after a third of T with three servers (H2)', async () => {
    const client = await opened();
    client.attemptSinceMs = clock.monotonicMs();
    await clock.advance(SESSION_MS / 3);
    expect(client.drops).to.deep.equal([]);
    await clock.advance(SESSION_MS / 10 + 1);
    expect(client.drops).to.have.lengthOf(1);
  });

  it('a lost connection suspends, and what was asked is unknown though the library forgets it (H5)', async () => {
    const client = await granted();
    const [write, read] = [session.set('/a', 1, 0), session.read('/a')];
    client.answer(null, CONNECTION_LOSS);
    client.lose();
    expect(session.state).to.equal('suspended');
    expect(await outcomeOf(write)).to.deep.equal(UNKNOWN);
    expect(await outcomeOf(read)).to.deep.equal(UNKNOWN);
    client.grant();
    await clock.settle();
    expect(states).to.deep.equal(['connected', 'suspended', 'connected']);
  });

  it('an expiry is for good: what was asked is unknown, what is asked is refused (W5)', async () => {
    const client = await granted();
    const write = session.set('/a', 1, 0);
    client.lose();
    client.expire();
    expect(session.state).to.equal('lost');
    // Never from inside an event of the library.
    expect(client.isDiscarded).to.equal(false);
    expect(await outcomeOf(write)).to.deep.equal(UNKNOWN);
    expect(await session.set('/a', 1, 0)).to.deep.equal(LOST);
    await clock.settle();
    expect(client.isDiscarded).to.equal(true);
    client.grant();
    await clock.settle();
    expect(states).to.deep.equal(['connected', 'suspended', 'lost']);
    client.discard();
  });

  it('a code that names no outcome is unknown and logged', async () => {
    const client = await granted();
    const write = session.set('/a', 1, 0);
    client.answer(null, THROTTLED);
    expect(await outcomeOf(write)).to.deep.equal(UNKNOWN);
    expect(logger.texts('error')).to.deep.equal(['ZooKeeper refuses a request on /a: THROTTLED_OP']);
  });

  it('what goes wrong at the entry is logged, and tried again', async () => {
    coordinator = start('/a');
    const client = await opened();
    const original = client.stat.bind(client);
    client.stat = () => {
      throw new Error('no such path');
    };
    client.grant();
    await clock.advance(SESSION_MS);
    expect(session.state).to.equal('connecting');
    expect(logger.texts('error')).to.deep.equal([
      'the session at ZooKeeper cannot be entered; it is tried again',
    ]);
    client.stat = original;
    await wellFor(client, SESSION_MS);
    expect(states).to.deep.equal(['connected']);
  });

  it('an end on purpose is no warning', async () => {
    const client = await granted();
    const closing = session.close();
    await clock.settle();
    expect(client.closesSent).to.equal(1);
    client.end();
    await closing;
    expect(session.state).to.equal('lost');
    expect(logger.texts('warn')).to.deep.equal([]);
  });

  it('what is refused again and again is logged once a minute for each code, in words', async () => {
    const client = await granted();
    const refusedBy = async (code: number, path: string): Promise<void> => {
      const read = session.read(path);
      client.answer(null, code);
      expect(await outcomeOf(read)).to.deep.equal(UNKNOWN);
    };
    for (let index = 0; index < 100; index += 1) await refusedBy(NO_AUTH, `/a/${index}`);
    await refusedBy(-999, '/b');
    const [noAuth, unnamed, ...rest] = logger.texts('error');
    expect(noAuth).to.match(/^ZooKeeper refuses a request on \/a\/0: NO_AUTH\. Rights are missing: /);
    expect(unnamed).to.equal('ZooKeeper refuses a request on /b: code -999');
    expect(rest).to.deep.equal([]);
    await wellFor(client, 60_000);
    const write = session.multi(
      ['/a', '/b', '/b', '/c', '/d', '/e'].map((path) => ({ kind: 'check', path, version: 0 })),
    );
    client.answer(null, NO_AUTH);
    await outcomeOf(write);
    expect(logger.texts('error').at(-1)).to.contain(' on /a, /b, /c and 2 more: NO_AUTH');
    expect(logger.texts('error')).to.have.lengthOf(3);
  });

  it('at most 256 are under way, the others wait in order (H13)', async () => {
    const client = await granted();
    const reads = Array.from({ length: 300 }, (_, index) => session.read(`/${index}`));
    expect(client.requests).to.have.lengthOf(256);
    while (client.requests.length > 0) client.answer({ bytes: Buffer.from('1'), stat: STAT });
    const outcomes = await clock.until(Promise.all(reads));
    expect(outcomes.every(({ ok }) => ok)).to.equal(true);
  });

  it('what still waits when the connection goes is never sent (H6)', async () => {
    const client = await granted();
    const reads = Array.from({ length: 300 }, (_, index) => session.read(`/${index}`));
    client.lose();
    const outcomes = await clock.until(Promise.all(reads));
    expect(outcomes.every((outcome) => !outcome.ok && outcome.failure === 'unknown')).to.equal(true);
    client.requests.length = 0;
    client.grant();
    await clock.settle();
    expect(client.requests).to.deep.equal([]);
  });

  it('nobody there for an hour: suspended, and the same session afterwards (W12)', async () => {
    const client = await granted();
    client.lose();
    await refusedFor(client, 3_600);
    expect(session.state).to.equal('suspended');
    expect(clients.all).to.deep.equal([client]);
    expect(logger.texts('error')).to.deep.equal([]);
    client.grant();
    await clock.settle();
    expect(states).to.deep.equal(['connected', 'suspended', 'connected']);
  });

  it('only the time in which servers take connections counts (W14)', async () => {
    const client = await granted();
    client.lose();
    await droppedFor(client, 50);
    // It is being started, and is gone again.
    await refusedFor(client, 40);
    await droppedFor(client, 50);
    expect(session.state).to.equal('suspended');
    await droppedFor(client, 15);
    expect(session.state).to.equal('lost');
    await clock.settle();
    expect(clients.all).to.deep.equal([client]);
  });

  it('one server that refuses the session among others that are away: it is given up (W14, H18)', async () => {
    const client = await granted();
    client.lose();
    for (let round = 0; round < 10; round += 1) {
      client.accept();
      await refusedFor(client, 7);
    }
    expect(session.state).to.equal('lost');
  });

  it('refused by servers for a minute: the session is given up, loudly, and the next one ends it first (W14, H18)', async () => {
    const client = await granted();
    client.lose();
    await droppedFor(client, 59);
    expect(session.state).to.equal('suspended');
    await droppedFor(client, 3);
    expect(session.state).to.equal('lost');
    expect(logger.texts('error')).to.have.lengthOf(1);
    const before = clients.all.length;
    await opened();
    expect(clients.all).to.have.lengthOf(before + 1);
    const fence = clients.last;
    expect(fence.options.identity).to.deep.equal(client.identity);
    fence.grant();
    await clock.settle();
    expect(fence.closesSent).to.equal(1);
    fence.end();
    await clock.settle();
    expect(fence.isDiscarded).to.equal(true);
    // Nobody has said yet that it is over: its owner may have taken it back before the close came through.
    expect(clients.last.options.identity).to.deep.equal(client.identity);
    clients.last.expire();
    await clock.settle();
    expect(clients.last.options.identity).to.equal(null);
  });

  it('a session that was never granted is not lost by being refused: its client is made anew', async () => {
    const client = await opened();
    await refusedFor(client, 120);
    expect(clients.all).to.deep.equal([client]);
    await droppedFor(client, 62);
    expect(session.state).to.equal('connecting');
    expect(client.isDiscarded).to.equal(true);
    expect(clients.all).to.have.lengthOf(2);
    clients.last.grant();
    await clock.settle();
    expect(session.state).to.equal('connected');
  });

  it('a session whose connections do not last is given up (W3)', async () => {
    const client = await granted();
    client.isHopeless = true;
    await clock.advance(SESSION_MS / 10);
    expect(session.state).to.equal('lost');
  });

  it('a client that gave up by itself is replaced by one for the same session', async () => {
    const client = await granted();
    client.end();
    await clock.advance(5_000);
    expect(client.isDiscarded).to.equal(true);
    expect(clients.last.options.identity).to.deep.equal(client.identity);
    clients.last.grant();
    await clock.settle();
    expect(states).to.deep.equal(['connected', 'suspended', 'connected']);
  });

  it('the identity is saved before the session is announced, and ended by the next process (W10)', async () => {
    await granted();
    const other = start();
    const second = other.open();
    await clock.settle();
    const fence = clients.last;
    expect(fence.options.identity?.sessionId).to.deep.equal(Buffer.alloc(8, 7));
    fence.expire();
    await clock.settle();
    expect(clients.last).to.not.equal(fence);
    clients.last.grant();
    await clock.settle();
    expect(second.state).to.equal('connected');
    const closing = second.close();
    await clock.advance(1_000);
    await closing;
  });

  it('a start waits at most two seconds for the old session (W10)', async () => {
    await granted();
    const second = start().open();
    await clock.settle();
    const fence = clients.last;
    await clock.advance(2_000);
    expect(fence.isDiscarded).to.equal(true);
    expect(fence.drops).to.not.deep.equal([]);
    expect(clients.last).to.not.equal(fence);
    expect(clients.last.connects).to.equal(1);
    await clock.until(second.close());
  });

  it('a saved session that is damaged is ignored', async () => {
    const file = await fileSystem.open('/n/SESSION', 'create');
    await file.writeAt([Buffer.from('{"format":1}\n00000000\n')], 0);
    await file.close();
    await granted();
    expect(session.state).to.equal('connected');
    expect(logger.texts('warn')).to.have.lengthOf(1);
  });

  it('an observer is told at first, after each watch, at each connection and by the poll; a turn’s changes once (W11)', async () => {
    const client = await granted();
    let calls = 0;
    const stop = session.observe('/a', 'node', () => {
      calls += 1;
    });
    await clock.settle();
    expect(calls).to.equal(1);
    const watcher = client.requests[0]?.watcher;
    client.answer(STAT);
    await clock.settle();
    watcher?.();
    watcher?.();
    await clock.settle();
    expect(calls).to.equal(2);
    expect(client.requests.map(({ path }) => path)).to.deep.equal(['/a']);
    client.answer(STAT);
    client.lose();
    watcher?.();
    await clock.settle();
    expect(calls).to.equal(2);
    client.grant();
    await clock.settle();
    expect(calls).to.equal(3);
    await wellFor(client, 31_000);
    expect(calls).to.be.within(4, 6);
    const before = calls;
    stop();
    await wellFor(client, 31_000);
    expect(calls).to.equal(before);
  });

  it('a watch that could not be set is set again by the poll', async () => {
    const client = await granted();
    session.observe('/a', 'children', () => {});
    await clock.settle();
    client.answer(null, THROTTLED);
    await clock.settle();
    expect(client.requests).to.deep.equal([]);
    let isSet = false;
    for (let passed = 0; passed < 31_000; passed += 100) {
      await clock.advance(100);
      isSet ||= client.requests.some(({ kind }) => kind === 'children');
      while (client.requests.length > 0) client.answer([]);
    }
    expect(isSet).to.equal(true);
  });
});
