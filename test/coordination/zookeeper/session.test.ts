import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { SessionState } from '../../../src/coordination/coordinator.ts';
import type { ZooKeeperSession } from '../../../src/coordination/zookeeper/zookeeper-session.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { ZooKeeperServer } from '../../support/zookeeper-server.ts';
import { connected, granted, until } from '../coordinator-contract.ts';
import { type Fixture, zooKeeperFixture } from './zookeeper-fixture.ts';

const isSoak = process.env.CASKADE_SOAK === '1';
const UNKNOWN = { ok: false, failure: 'unknown' };

describe('a ZooKeeper session, one server', function () {
  this.timeout(isSoak ? 300_000 : 30_000);
  let server: ZooKeeperServer;
  let proxy: TcpProxy;
  const sessions: ZooKeeperSession[] = [];

  const opened = async (fixture: Fixture): Promise<ZooKeeperSession> => {
    const session = fixture.coordinator.open();
    sessions.push(session);
    await connected(session);
    return session;
  };

  const throughProxy = (changed = {}): Promise<Fixture> => zooKeeperFixture([proxy.address], changed);

  before(async () => {
    server = await ZooKeeperServer.start();
  });

  after(async () => {
    await server.destroy();
  });

  beforeEach(async () => {
    proxy = await TcpProxy.start(server.clientPort);
  });

  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
    await proxy.close();
  });

  it('a connection that is cut suspends it, and the next one goes on with the same session', async () => {
    const session = await opened(await throughProxy());
    granted(await session.create('/e', 1, { ephemeral: true }));
    const { sessionId } = session;
    const states: SessionState[] = [];
    session.onState((state) => states.push(state));
    proxy.cut();
    await until(() => states.at(-1) === 'connected', 'connects again');
    expect(states).to.deep.equal(['suspended', 'connected']);
    expect(session.sessionId).to.equal(sessionId);
    expect(granted(await session.read('/e')).isMine).to.equal(true);
  });

  it('nothing asked without a connection is ever sent (H6)', async () => {
    const session = await opened(await throughProxy());
    proxy.refuse();
    await until(() => session.state === 'suspended', 'suspended');
    expect(await session.create('/late', 1, { ephemeral: false })).to.deep.equal(UNKNOWN);
    proxy.accept();
    await until(() => session.state === 'connected', 'connects again');
    granted(await session.barrier());
    expect(await session.read('/late')).to.deep.equal({ ok: false, failure: 'noNode' });
  });

  it('a write whose reply is lost is unknown, and was done (W4)', async () => {
    const session = await opened(await throughProxy());
    proxy.passage = 'none';
    const write = session.create('/a', 1, { ephemeral: false });
    await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.passage = 'all';
    proxy.cut();
    expect(await write).to.deep.equal(UNKNOWN);
    await until(() => session.state === 'connected', 'connects again');
    expect(granted(await session.read('/a')).version).to.equal(0);
  });

  it('a reply cut in its middle does not poison the next connection (H3)', async () => {
    const session = await opened(await throughProxy());
    granted(await session.create('/a', 'x'.repeat(5_000), { ephemeral: false }));
    for (const cutAfterBytes of [1, 3, 5, 17, 30, 4_000]) {
      proxy.passage = { cutAfterBytes };
      const read = await session.read('/a');
      expect(read).to.deep.equal(UNKNOWN);
      await until(() => session.state === 'connected', `connects again after ${cutAfterBytes} bytes`);
      expect(granted(await session.read('/a')).data).to.have.lengthOf(5_000);
    }
  });

  it('a dead connection suspends within half of T, and another one follows (H1)', async () => {
    const session = await opened(await throughProxy({ sessionTimeoutMs: 4_000 }));
    const { sessionId } = session;
    const since = performance.now();
    proxy.passage = 'none';
    await until(() => session.state === 'suspended', 'suspended');
    expect(performance.now() - since).to.be.below(session.timeoutMs / 2);
    proxy.passage = 'all';
    await until(() => session.state === 'connected', 'connects again');
    expect(proxy.connects).to.equal(2);
    expect(session.sessionId).to.equal(sessionId);
  });

  it('a server that comes back in time keeps the session; one that comes back too late ends it', async () => {
    const fixture = await throughProxy();
    const session = await opened(fixture);
    granted(await session.create('/e', 1, { ephemeral: true }));
    proxy.refuse();
    await new Promise((resolve) => setTimeout(resolve, session.timeoutMs * 0.3));
    proxy.accept();
    await until(() => session.state === 'connected', 'connects again');
    proxy.refuse();
    await new Promise((resolve) => setTimeout(resolve, session.timeoutMs * 1.4));
    expect(session.state).to.equal('suspended');
    proxy.accept();
    await until(() => session.state === 'lost', 'the server says that it has expired');
    await until(() => proxy.open === 0, 'no zombie');
    const next = await opened(fixture);
    expect(await next.read('/e')).to.deep.equal({ ok: false, failure: 'noNode' });
  });

  it('an observer hears after a reconnect what happened meanwhile (H17)', async () => {
    const session = await opened(await throughProxy({ chroot: '/tests/observed' }));
    const other = await opened(await zooKeeperFixture([server.address], { chroot: '/tests/observed' }));
    let seen: unknown;
    session.observe('/a', 'node', () => {
      void session.read('/a').then((read) => {
        seen = read.ok ? read.value.data : read.failure;
      });
    });
    await until(() => seen === 'noNode', 'called at first');
    proxy.refuse();
    await until(() => session.state === 'suspended', 'suspended');
    granted(await other.create('/a', 1, { ephemeral: false }));
    granted(await other.remove('/a', -1));
    granted(await other.create('/a', 2, { ephemeral: false }));
    proxy.accept();
    await until(() => seen === 2, 'what stands there now');
    granted(await other.set('/a', 3, -1));
    await until(() => seen === 3, 'and what comes then');
  });

  it('children are observed although their parent does not exist yet', async () => {
    const session = await opened(await throughProxy());
    let seen = '';
    session.observe('/p', 'children', () => {
      void session.list('/p').then((names) => {
        seen = names.ok ? names.value.join() : names.failure;
      });
    });
    await until(() => seen === 'noNode', 'called at first');
    granted(await session.create('/p', 1, { ephemeral: false }));
    await until(() => seen === '', 'the parent comes');
    granted(await session.create('/p/a', 1, { ephemeral: false }));
    await until(() => seen === 'a', 'the child comes');
  });

  it('5,000 observers cost a few watches, and a reconnect one connection (H7)', async () => {
    const session = await opened(await throughProxy());
    const called = new Set<number>();
    for (let index = 0; index < 5_000; index += 1)
      session.observe(`/${'long'.repeat(50)}-${index}`, 'node', () => called.add(index));
    await until(() => called.size === 5_000, 'called at first');
    const watches = async (): Promise<number> =>
      Number(/Total watches:(\d+)/.exec(await server.ask('wchs'))?.[1] ?? 0);
    await until(async () => (await watches()) >= 500, 'watches are set');
    expect(await watches()).to.be.below(520);
    called.clear();
    proxy.cut();
    await until(() => called.size === 5_000, 'called again');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(proxy.connects).to.equal(2);
  });

  it('nodes under digest credentials are ours alone, also after a reconnect', async () => {
    const chroot = '/shared/secret';
    const session = await opened(await throughProxy({ chroot, auth: 'node:word' }));
    const stranger = await opened(await zooKeeperFixture([server.address], { chroot }));
    granted(await session.create('/a', 1, { ephemeral: false }));
    proxy.cut();
    await until(() => proxy.connects === 2, 'tries again');
    await until(() => session.state === 'connected', 'connects again');
    granted(await session.set('/a', 2, 0));
    expect(granted(await session.list('/'))).to.deep.equal(['a']);
    expect(await stranger.read('/a')).to.deep.equal(UNKNOWN);
    expect(await stranger.list('/')).to.deep.equal(UNKNOWN);
    expect(await stranger.create('/b', 1, { ephemeral: false })).to.deep.equal(UNKNOWN);
    expect(stranger.state).to.equal('connected');
  });

  it('close works while nothing can be reached, and the session ends by itself', async () => {
    const fixture = await throughProxy();
    const session = await opened(fixture);
    granted(await session.create('/e', 1, { ephemeral: true }));
    proxy.refuse();
    await until(() => session.state === 'suspended', 'suspended');
    const since = performance.now();
    await session.close();
    expect(performance.now() - since).to.be.below(2_500);
    proxy.accept();
    // What was not ended is ended by the next session, at once.
    const next = await opened(fixture);
    expect(await next.read('/e')).to.deep.equal({ ok: false, failure: 'noNode' });
  });

  it('close during a reconnect ends the session, if the connection comes in time (H9)', async () => {
    const session = await opened(await throughProxy({ chroot: '/tests/ends' }));
    const other = await opened(await zooKeeperFixture([server.address], { chroot: '/tests/ends' }));
    granted(await session.create('/e', 1, { ephemeral: true }));
    proxy.refuse();
    await until(() => session.state === 'suspended', 'suspended');
    const closing = session.close();
    proxy.accept();
    await closing;
    granted(await other.barrier());
    expect((await other.read('/e')).ok).to.equal(false);
  });

  const nodes = isSoak ? 10_000 : 2_000;
  it(`${nodes} nodes are written and read without stopping the process for long (H13, H14)`, async () => {
    const session = await opened(await throughProxy({ sessionTimeoutMs: 4_000 }));
    let lagMsMax = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      lagMsMax = Math.max(lagMsMax, performance.now() - last - 5);
      last = performance.now();
    }, 5);
    granted(await session.create('/p', 1, { ephemeral: false }));
    const data = { text: 'x'.repeat(200) };
    for (let at = 0; at < nodes; at += 200) {
      const create = (_: unknown, index: number) =>
        ({ kind: 'create', path: `/p/${at + index}`, data, ephemeral: false }) as const;
      granted(await session.multi(Array.from({ length: 200 }, create)));
    }
    const names = granted(await session.list('/p'));
    const reads = await Promise.all(names.map((name) => session.read(`/p/${name}`)));
    clearInterval(timer);
    expect(reads.filter(({ ok }) => ok)).to.have.lengthOf(nodes);
    expect(session.state).to.equal('connected');
    expect(lagMsMax).to.be.below(session.timeoutMs / 3);
  });

  // It takes the minute that W14 waits.
  if (isSoak) {
    it('a server that lost its data refuses the session for ever: it is given up, and another one begins (W14, H18)', async () => {
      const forgetful = await ZooKeeperServer.start();
      try {
        const fixture = await zooKeeperFixture([forgetful.address]);
        const session = await opened(fixture);
        for (let index = 0; index < 50; index += 1)
          granted(await session.create(`/${index}`, 1, { ephemeral: false }));
        granted(await session.read('/1'));
        await forgetful.kill();
        rmSync(join(forgetful.directory, 'data/version-2'), { recursive: true });
        await forgetful.restart();
        const since = performance.now();
        while (session.state !== 'lost' && performance.now() - since < 90_000)
          await new Promise((resolve) => setTimeout(resolve, 100));
        expect(session.state).to.equal('lost');
        expect(performance.now() - since).to.be.above(50_000);
        const next = await opened(fixture);
        expect(granted(await next.list('/'))).to.deep.equal([]);
      } finally {
        await forgetful.destroy();
      }
    });
  }
});
