import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { Fixture, type FixtureOptions, until } from './fixture.ts';

describe('RespServer', () => {
  let fixture: Fixture;
  const start = async (options: FixtureOptions = {}): Promise<Fixture> => {
    fixture = await new Fixture(options).start();
    return fixture;
  };
  afterEach(() => fixture.dispose());

  async function listenFailure(options: FixtureOptions): Promise<CaskadeError> {
    const other = new Fixture(options);
    try {
      await other.start();
    } catch (error) {
      expect(error).to.be.instanceOf(CaskadeError);
      return error as CaskadeError;
    }
    await other.dispose();
    throw new Error('it listens');
  }

  it('names the address whose port is taken', async () => {
    await start();
    const error = await listenFailure({ port: fixture.port });
    expect(error.code).to.equal('portTaken');
    expect(error.message).to.include(`127.0.0.1:${fixture.port}`);
  });

  it('calls an address of another machine wrong usage', async () => {
    await start();
    const error = await listenFailure({ host: '192.0.2.1' });
    expect(error.code).to.equal('usage');
    expect(error.message).to.include('192.0.2.1:0');
  });

  it('calls a name that does not resolve wrong usage', async () => {
    await start();
    const error = await listenFailure({ host: 'no-such-host.invalid' });
    expect(error.code).to.equal('usage');
    expect(error.message).to.include('no-such-host.invalid');
  });

  it('refuses a client above the limit, and takes one again when another left', async () => {
    await start({ clientsMax: 2 });
    const first = await fixture.client();
    await fixture.client();
    const third = await fixture.client();
    expect(await third.take(2)).to.deep.equal(['-ERR max number of clients reached', '(end)']);
    expect(fixture.registry.connectionsRejected).to.equal(1);
    first.socket.destroy();
    await until(() => fixture.registry.connectedClients === 1, 'a place is free');
    const fourth = await fixture.client();
    fourth.send('ping');
    expect(await fourth.next()).to.equal('PONG');
  });

  it('counts connections and bytes, and lists the sessions', async () => {
    await start();
    const client = await fixture.client();
    client.send('ping');
    await client.next();
    const { registry } = fixture;
    expect([registry.connectedClients, registry.connectionsReceived]).to.deep.equal([1, 1]);
    expect([registry.netInputBytes, registry.netOutputBytes]).to.deep.equal([6, 7]);
    const [session] = [...registry.sessions];
    expect(session?.id).to.equal(1);
    expect(session?.address).to.equal(`127.0.0.1:${client.socket.localPort}`);
    expect(session?.localAddress).to.equal(`127.0.0.1:${fixture.port}`);
  });

  it('closes a client that is idle for too long, and not one that waits for an answer', async () => {
    await start({ idleTimeoutMs: 60, commit: 'manual' });
    const idle = await fixture.client();
    const waiting = await fixture.client();
    waiting.send('set a 1');
    await idle.ended;
    await until(() => fixture.registry.connectedClients === 1, 'one of two is left');
    fixture.partition(0).commitAll();
    expect(await waiting.next()).to.equal('OK');
    await waiting.ended;
  });

  describe('when it stops', () => {
    it('answers what it accepted, held and suspended commands too', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('set a 1', 'gate', 'ping');
      await until(() => fixture.gateRuns === 1, 'the commands ran');
      const stopped = fixture.stop(5000);
      client.send('set b 2');
      fixture.gate.open();
      fixture.partition(0).commitAll();
      expect(await client.take(4)).to.deep.equal(['OK', 'THROUGH', 'PONG', '(end)']);
      client.socket.destroy();
      expect(await stopped).to.deep.equal({ cutCount: 0 });
      expect(fixture.partition(0).valueOf('b')).to.equal(undefined);
    });

    it('accepts no one any more', async () => {
      await start();
      const { port } = fixture;
      await fixture.stop(1000);
      const other = new Fixture({ port });
      await other.start();
      await other.dispose();
    });

    it('says how many connections it had to cut', async () => {
      await start({ commit: 'manual' });
      const held = await fixture.client();
      const idle = await fixture.client();
      held.send('set a 1');
      await until(() => fixture.partition(0).logEndOffset === 1, 'the write was appended');
      expect(await fixture.stop(30)).to.deep.equal({ cutCount: 1 });
      expect(await held.next()).to.equal('(end)');
      expect(await idle.next()).to.equal('(end)');
    });
  });
});
