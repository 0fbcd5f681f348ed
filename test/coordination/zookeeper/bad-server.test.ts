import { expect } from 'chai';
import type { SessionState } from '../../../src/coordination/coordinator.ts';
import { LibraryClient } from '../../../src/coordination/zookeeper/library-client.ts';
import { parseServers } from '../../../src/coordination/zookeeper/server-rotation.ts';
import type { ClientEvents } from '../../../src/coordination/zookeeper/zookeeper-client.ts';
import type { ZooKeeperSession } from '../../../src/coordination/zookeeper/zookeeper-session.ts';
import { type FakeBehaviour, FakeZooKeeper, framed } from '../../support/fake-zookeeper.ts';
import { connected, until } from '../coordinator-contract.ts';
import { type Fixture, zooKeeperFixture } from './zookeeper-fixture.ts';

const EXISTS = 3;
const GET_DATA = 4;
const MULTI = 14;
const SET_WATCHES = 101;
const NO_NODE = -101;
const SESSION_MOVED = -118;
const REQUEST_TIMEOUT = -122;
const SESSION_EXPIRED = -112;
const UNKNOWN = { ok: false, failure: 'unknown' };

describe('a ZooKeeper server that behaves badly', function () {
  this.timeout(30_000);
  const fakes: FakeZooKeeper[] = [];
  const sessions: ZooKeeperSession[] = [];
  let fixture: Fixture;

  const fake = async (behaviour: FakeBehaviour = {}): Promise<FakeZooKeeper> => {
    const server = await FakeZooKeeper.start(behaviour);
    fakes.push(server);
    return server;
  };

  const open = async (...servers: readonly FakeZooKeeper[]): Promise<ZooKeeperSession> => {
    const addresses = servers.map(({ address }) => address);
    fixture = await zooKeeperFixture(addresses, { chroot: '' });
    const session = fixture.coordinator.open();
    sessions.push(session);
    return session;
  };

  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
    await Promise.all(fakes.splice(0).map((server) => server.close()));
  });

  it('a code that the library does not know is an unknown outcome, and the process goes on (H8)', async () => {
    const server = await fake({ reply: ({ type }) => (type === MULTI ? REQUEST_TIMEOUT : 0) });
    const session = await open(server);
    await connected(session);
    expect(await session.create('/a', 1, { ephemeral: false })).to.deep.equal(UNKNOWN);
    expect(session.state).to.equal('connected');
    expect(fixture.logger.events.some(({ fields }) => fields.code === REQUEST_TIMEOUT)).to.equal(true);
  });

  it('a session that has moved costs the connection, not the session (H8)', async () => {
    const server = await fake({ reply: ({ type }) => (type === MULTI ? SESSION_MOVED : 0) });
    const session = await open(server);
    await connected(session);
    const { sessionId } = session;
    expect(await session.create('/a', 1, { ephemeral: false })).to.deep.equal(UNKNOWN);
    await until(() => server.connects === 2, 'connects again');
    await connected(session);
    expect(session.sessionId).to.equal(sessionId);
    expect(`0x${server.askedFor}`).to.equal(sessionId);
  });

  it('an answer that says expired ends the session for good', async () => {
    const server = await fake({ reply: ({ type }) => (type === MULTI ? SESSION_EXPIRED : 0) });
    const session = await open(server);
    await connected(session);
    const states: SessionState[] = [];
    session.onState((state) => states.push(state));
    expect(await session.create('/a', 1, { ephemeral: false })).to.deep.equal({
      ok: false,
      failure: 'sessionLost',
    });
    await until(() => server.open === 0, 'the connection is closed');
    expect(states).to.deep.equal(['lost']);
    expect(server.connects).to.equal(1);
  });

  it('an expiry at the reconnect ends the session, and what was under way is unknown (W5)', async () => {
    const server = await fake({ reply: ({ type }) => (type === MULTI ? 'silence' : 0) });
    const session = await open(server);
    await connected(session);
    const write = session.create('/a', 1, { ephemeral: false });
    server.behaviour = { timeoutMs: 0 };
    server.cut();
    expect(await write).to.deep.equal(UNKNOWN);
    await until(() => session.state === 'lost', 'lost');
    expect((await session.read('/a')).ok).to.equal(false);
    await until(() => server.open === 0, 'no zombie');
    expect(server.connects).to.equal(2);
  });

  it('a server that accepts and never answers is left for the next (H2)', async () => {
    const servers = [await fake({ timeoutMs: null }), await fake({ timeoutMs: null }), await fake()];
    const session = await open(...servers);
    await connected(session);
    expect(session.server).to.equal(servers[2]?.address);
  });

  it('one that falls silent is left for the next, with the same session (H1)', async () => {
    const [one, two] = [await fake(), await fake()];
    const session = await open(one, two);
    await connected(session);
    const [here, there] = session.server === one.address ? [one, two] : [two, one];
    const states: SessionState[] = [];
    session.onState((state) => states.push(state));
    here.behaviour = { reply: () => 'silence', timeoutMs: null };
    const since = performance.now();
    const read = session.read('/a');
    await until(() => states.includes('suspended'), 'suspended');
    expect(performance.now() - since).to.be.below(session.timeoutMs);
    expect(await read).to.deep.equal(UNKNOWN);
    await connected(session);
    expect(session.server).to.equal(there.address);
    expect(`0x${there.askedFor}`).to.equal(session.sessionId);
  });

  it('half a reply before the cut does not poison the next connection (H3)', async () => {
    const half = Buffer.from('00000100000000010000', 'hex');
    const server = await fake({ reply: ({ type }) => (type === GET_DATA ? half : 0) });
    const session = await open(server);
    await connected(session);
    const read = session.read('/a');
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.behaviour = {};
    server.cut();
    expect(await read).to.deep.equal(UNKNOWN);
    await connected(session);
    expect(server.connects).to.equal(2);
  });

  it('a reply that cannot be read costs the connection, not the process', async () => {
    const nonsense = (xid: number): Buffer => {
      const body = Buffer.alloc(18);
      body.writeInt32BE(xid, 0);
      return framed(body);
    };
    const server = await fake({ reply: ({ type, xid }) => (type === GET_DATA ? nonsense(xid) : 0) });
    const session = await open(server);
    await connected(session);
    expect(await session.read('/a')).to.deep.equal(UNKNOWN);
    await until(() => server.connects === 2, 'connects again');
    await connected(session);
    expect(fixture.logger.texts('error')).to.include('a reply of ZooKeeper cannot be read');
  });

  it('watches are set one by one after a reconnect, never in one packet of any size (H7)', async () => {
    const types: number[] = [];
    const server = await fake({
      reply: ({ type }) => {
        types.push(type);
        return type === EXISTS ? NO_NODE : 0;
      },
    });
    const session = await open(server);
    let calls = 0;
    session.observe('/a', 'node', () => {
      calls += 1;
    });
    await until(() => calls === 1, 'called at first');
    server.cut();
    await until(() => calls === 2, 'called again');
    expect(server.connects).to.equal(2);
    expect(types.filter((type) => type === EXISTS).length).to.be.within(2, 4);
    expect(types).to.not.include(SET_WATCHES);
  });

  it('one that drops every session it granted is not asked hundreds of times (H7)', async () => {
    const server = await fake({ cutsAfterConnect: true });
    await open(server);
    await until(() => server.connects >= 11, 'eleven connects');
    const { connects } = server;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(server.connects - connects).to.be.below(4);
  });

  it('servers that are not there are asked again after a pause', async () => {
    const server = await fake();
    await server.close();
    const session = await open(server);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(session.state).to.equal('connecting');
    await session.close();
    expect(session.state).to.equal('lost');
  });

  it('a client tells a server that takes the connection from one that is not there (W14)', async () => {
    const [silent, gone] = [await fake({ timeoutMs: null }), await fake()];
    await gone.close();
    const acceptedBy = async ({ address }: FakeZooKeeper): Promise<{ accepted: number; refused: number }> => {
      const { doors } = await zooKeeperFixture([address]);
      const told = { accepted: 0, refused: 0 };
      const events: ClientEvents = {
        accepted: () => {
          told.accepted += 1;
        },
        connected: () => {},
        disconnected: () => {
          told.refused += 1;
        },
        expired: () => {},
        closed: () => {},
      };
      const servers = parseServers([address]);
      const client = new LibraryClient(
        { servers, sessionTimeoutMs: 1_000, auth: '', identity: null },
        doors,
        events,
      );
      client.connect();
      await until(() => told.accepted + told.refused > 0, 'an attempt');
      client.discard();
      return told;
    };
    expect(await acceptedBy(silent)).to.deep.equal({ accepted: 1, refused: 0 });
    expect(await acceptedBy(gone)).to.deep.equal({ accepted: 0, refused: 1 });
  });

  for (const [name, behaviour] of Object.entries<FakeBehaviour>({
    'that does not answer the connect': { timeoutMs: null },
    'that drops the session': { cutsAfterConnect: true },
    'that is silent': { reply: () => 'silence' },
    'that works': {},
  })) {
    it(`close ends within its bound at a server ${name}, and leaves no connection (H9)`, async () => {
      const server = await fake(behaviour);
      const session = await open(server);
      await until(() => server.connects > 0, 'tried');
      await new Promise((resolve) => setTimeout(resolve, 50));
      const since = performance.now();
      await session.close();
      expect(performance.now() - since).to.be.below(2_500);
      expect(session.state).to.equal('lost');
      await until(() => server.open === 0, 'no connection');
      const { connects } = server;
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(server.connects).to.equal(connects);
    });
  }

  it('close works from inside a listener of the state (W5)', async () => {
    const server = await fake();
    const session = await open(server);
    let closed: Promise<void> | undefined;
    session.onState((state) => {
      if (state === 'suspended') closed = session.close();
    });
    await connected(session);
    server.cut();
    await until(() => closed !== undefined, 'suspended');
    await closed;
    await until(() => server.open === 0, 'no zombie');
  });
});
