import { expect } from 'chai';
import { ReadOutcome } from '../../src/cluster/index.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { encodeRequest, encodeRequests } from '../../src/resp/request-encoder.ts';
import { Fixture, type FixtureOptions, Gate, until } from './fixture.ts';

describe('Connection', () => {
  let fixture: Fixture;
  const start = async (options: FixtureOptions = {}): Promise<Fixture> => {
    fixture = await new Fixture(options).start();
    return fixture;
  };
  afterEach(() => fixture.dispose());

  it('answers a pipeline in order', async () => {
    await start();
    const client = await fixture.client();
    client.socket.write(encodeRequests([['SET', 'a', '1'], ['GET', 'a'], ['GET', 'b'], ['PING']]));
    expect(await client.take(4)).to.deep.equal(['OK', '1', '(nil)', 'PONG']);
  });

  it('answers a command that came byte by byte', async () => {
    await start();
    const client = await fixture.client();
    client.socket.setNoDelay(true);
    for (const byte of encodeRequest(['SET', 'a', 'value'])) {
      client.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.next()).to.equal('OK');
  });

  describe('with replies that wait for their commit', () => {
    it('lets nothing leave before it, and everything behind it wait', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('set a 1', 'ping');
      await until(() => fixture.partition(0).logEndOffset === 1, 'the write was appended');
      await until(() => fixture.counters.commandsProcessed === 2, 'both commands ran');
      expect(client.waiting).to.equal(0);
      fixture.partition(0).commitAll();
      expect(await client.take(2)).to.deep.equal(['OK', 'PONG']);
    });

    it('keeps the order over two partitions that commit the other way round', async () => {
      await start({ partitionCount: 2, commit: 'manual' });
      const client = await fixture.client();
      client.send(`set ${fixture.keyIn(0)} x`, 'ping', `set ${fixture.keyIn(1)} y`, 'ping');
      await until(() => fixture.counters.commandsProcessed === 4, 'all commands ran');
      fixture.partition(1).commitAll();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(client.waiting).to.equal(0);
      fixture.partition(0).commitAll();
      expect(await client.take(4)).to.deep.equal(['OK', 'PONG', 'OK', 'PONG']);
    });

    it('releases the front of a pipeline while its end still waits', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('set a 1', 'ping', 'set b 2');
      await until(() => fixture.counters.commandsProcessed === 3, 'all commands ran');
      fixture.partition(0).commitTo(1);
      expect(await client.take(2)).to.deep.equal(['OK', 'PONG']);
      expect(client.waiting).to.equal(0);
      fixture.partition(0).commitAll();
      expect(await client.next()).to.equal('OK');
    });

    it('waits for all partitions of one reply', async () => {
      await start({ partitionCount: 2, commit: 'manual' });
      const client = await fixture.client();
      client.send('flushall');
      await until(() => fixture.counters.commandsProcessed === 1, 'the command ran');
      fixture.partition(1).commitAll();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(client.waiting).to.equal(0);
      fixture.partition(0).commitAll();
      expect(await client.next()).to.equal('OK');
    });

    it("waits for another client's write that the reply rests on", async () => {
      await start({ commit: 'manual' });
      const writer = await fixture.client();
      const reader = await fixture.client();
      writer.send('set a 1');
      await until(() => fixture.partition(0).logEndOffset === 1, 'the write was appended');
      reader.send('setnx a 2');
      await until(() => fixture.counters.commandsProcessed === 2, 'both commands ran');
      expect(reader.waiting).to.equal(0);
      fixture.partition(0).commitAll();
      expect(await reader.next()).to.equal(':0');
    });
  });

  describe('when a write ends in doubt', () => {
    const lost = new CaskadeError('inDoubt', 'the disk\nfailed');

    it('says so in its place, in the middle of a pipeline', async () => {
      await start({ partitionCount: 2, commit: 'manual' });
      const client = await fixture.client();
      const left = fixture.keyIn(0);
      const right = fixture.keyIn(1);
      client.send('ping', `set ${left} x`, 'ping', `set ${right} y`, `set ${left} z`, 'ping');
      await until(() => fixture.counters.commandsProcessed === 6, 'all commands ran');
      fixture.partition(0).fail(lost);
      expect(await client.take(3)).to.deep.equal(['PONG', '-INDOUBT 0 1 0 the disk failed', 'PONG']);
      fixture.partition(1).commitAll();
      expect(await client.take(3)).to.deep.equal(['OK', '-INDOUBT 0 1 1 the disk failed', 'PONG']);
    });

    it('answers the writes before it as done', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('set a 1', 'set b 2');
      await until(() => fixture.counters.commandsProcessed === 2, 'both commands ran');
      fixture.partition(0).commitTo(1);
      fixture.partition(0).fail(lost);
      expect(await client.take(2)).to.deep.equal(['OK', '-INDOUBT 0 1 1 the disk failed']);
    });

    it('asks a client that only saw it to try again', async () => {
      await start({ commit: 'manual' });
      const writer = await fixture.client();
      const reader = await fixture.client();
      writer.send('set a 1');
      await until(() => fixture.partition(0).logEndOffset === 1, 'the write was appended');
      reader.send('setnx a 2');
      await until(() => fixture.counters.commandsProcessed === 2, 'both commands ran');
      fixture.partition(0).fail(lost);
      expect(await writer.next()).to.match(/^-INDOUBT 0 1 0 /);
      expect(await reader.next()).to.match(/^-TRYAGAIN /);
    });

    it('reads on: the write is resolved', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('set a 1', 'get a');
      await until(() => fixture.partition(0).logEndOffset === 1, 'the write was appended');
      fixture.partition(0).fail(lost);
      expect(await client.take(2)).to.deep.equal(['-INDOUBT 0 1 0 the disk failed', '(nil)']);
    });

    it('lists the parts of a command that wrote to two partitions', async () => {
      await start({ partitionCount: 2, commit: 'manual' });
      const client = await fixture.client();
      client.send('flushall');
      await until(() => fixture.counters.commandsProcessed === 1, 'the command ran');
      fixture.partition(1).fail(lost);
      fixture.partition(0).fail(lost);
      expect(await client.next()).to.equal('-INDOUBT 1 1 0 the disk failed; INDOUBT 0 1 0 the disk failed');
    });
  });

  describe('with a suspended command', () => {
    it('runs it again once, with what came behind it in order', async () => {
      await start();
      const client = await fixture.client();
      client.send('ping', 'gate', 'ping');
      expect(await client.next()).to.equal('PONG');
      client.send('set a 1');
      expect(fixture.gateRuns).to.equal(1);
      fixture.gate.open();
      expect(await client.take(3)).to.deep.equal(['THROUGH', 'PONG', 'OK']);
      expect(fixture.gateRuns).to.equal(2);
    });

    it("makes a read wait for this client's own write (R11)", async () => {
      await start({ commit: 'turn' });
      const client = await fixture.client();
      client.send('set a 1', 'get a', 'set a 2', 'get a');
      expect(await client.take(4)).to.deep.equal(['OK', '1', 'OK', '2']);
    });

    it('takes the reply of an unconfirmed read back, and keeps its place between the others (R3)', async () => {
      await start();
      const client = await fixture.client();
      const { confirmations, arrivals } = fixture.partition(0);
      confirmations.push(ReadOutcome.ready, ReadOutcome.suspended, ReadOutcome.suspended, ReadOutcome.ready);
      confirmations.push(ReadOutcome.refused);
      client.send('set a 1', 'get a', 'get b', 'setnx a 2', 'get a', 'ping');
      expect(await client.take(6)).to.deep.equal([
        'OK',
        '1',
        '(nil)',
        '-TRYAGAIN nobody confirmed the lead in time',
        '1',
        'PONG',
      ]);
      expect(arrivals).to.deep.equal([1, 2, 2, 2, 3, 4]);
      expect(fixture.logger.events).to.deep.equal([]);
    });

    it('does not read on without bound meanwhile', async () => {
      await start();
      const client = await fixture.client();
      client.send('gate');
      await until(() => fixture.gateRuns === 1, 'the command ran');
      const flood = Buffer.alloc(64 * 1024 * 1024, 'PING\r\n');
      client.socket.write(flood);
      await until(() => fixture.registry.netInputBytes > 10_000, 'the flood arrived');
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(fixture.registry.netInputBytes).to.be.lessThan(1024 * 1024);
    });

    it('does not hold up other clients', async () => {
      await start();
      const waiting = await fixture.client();
      const other = await fixture.client();
      waiting.send('gate');
      await until(() => fixture.gateRuns === 1, 'the command ran');
      other.send('ping');
      expect(await other.next()).to.equal('PONG');
    });

    it('survives that its client leaves', async () => {
      await start();
      const client = await fixture.client();
      client.send('gate');
      await until(() => fixture.gateRuns === 1, 'the command ran');
      client.socket.resetAndDestroy();
      await until(() => fixture.registry.connectedClients === 0, 'the client is gone');
      const gate = fixture.gate;
      fixture.gate = new Gate();
      gate.open();
      const other = await fixture.client();
      other.send('ping');
      expect(await other.next()).to.equal('PONG');
      expect(fixture.gateRuns).to.equal(1);
    });
  });

  describe('when a command throws', () => {
    it('answers an internal error, logs the bug and goes on', async () => {
      await start();
      const client = await fixture.client();
      client.send('ping', 'bug', 'ping');
      expect(await client.take(3)).to.deep.equal(['PONG', '-ERR internal error', 'PONG']);
      expect(fixture.logger.events.filter(({ level }) => level === 'error')).to.have.length(1);
    });

    it('says INDOUBT if something was appended', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('bug a 1');
      expect(await client.next()).to.equal('-INDOUBT 0 1 0 ERR internal error');
    });

    it('R22: refuses what its group took back, and waits for none of it', async () => {
      await start({ commit: 'manual' });
      const client = await fixture.client();
      client.send('forgets a 1', 'get a', 'ping');
      expect(await client.take(3)).to.deep.equal(['-ERR internal error', '(nil)', 'PONG']);
    });

    it('answers an expected error as it is, and logs nothing', async () => {
      await start();
      const client = await fixture.client();
      client.send('refused', 'ping');
      expect(await client.take(2)).to.deep.equal(['-TRYAGAIN not now', 'PONG']);
      expect(fixture.logger.events).to.deep.equal([]);
    });
  });

  describe('on a protocol error', () => {
    it('answers what came before it, names it, and ends this connection only', async () => {
      await start({ commit: 'manual' });
      const hostile = await fixture.client();
      const other = await fixture.client();
      hostile.send('set a 1', 'ping', '*1', 'xyz', 'ping');
      await until(() => fixture.counters.commandsProcessed === 2, 'the good commands ran');
      expect(hostile.waiting).to.equal(0);
      fixture.partition(0).commitAll();
      expect(await hostile.take(4)).to.deep.equal([
        'OK',
        'PONG',
        "-ERR Protocol error: expected '$', got 'x'",
        '(end)',
      ]);
      other.send('ping');
      expect(await other.next()).to.equal('PONG');
    });

    it('cuts a client that goes on sending', async () => {
      await start({ limits: { lingerMsMax: 50 } });
      const hostile = await fixture.client();
      hostile.send('*x');
      const timer = setInterval(() => hostile.socket.write('more'), 5);
      await hostile.closed;
      clearInterval(timer);
      expect(await hostile.next()).to.equal('-ERR Protocol error: invalid multibulk length');
    });
  });

  it('ends after QUIT, and runs nothing behind it', async () => {
    await start();
    const client = await fixture.client();
    client.send('quit', 'set a 1');
    expect(await client.take(2)).to.deep.equal(['OK', '(end)']);
    expect(fixture.partition(0).logEndOffset).to.equal(0);
  });

  it('answers what was received from a client that has ended its side', async () => {
    await start({ commit: 'manual' });
    const client = await fixture.client();
    client.socket.end('set a 1\r\ngate\r\nping\r\n*1\r\n$9\r\nunfinished');
    await until(() => fixture.gateRuns === 1, 'the commands ran');
    fixture.gate.open();
    fixture.partition(0).commitAll();
    expect(await client.take(4)).to.deep.equal(['OK', 'THROUGH', 'PONG', '(end)']);
    await until(() => fixture.registry.connectedClients === 0, 'the connection is gone');
  });

  it('forgets a client that breaks off, with replies still held', async () => {
    await start({ commit: 'manual' });
    const client = await fixture.client();
    client.send('set a 1');
    await until(() => fixture.partition(0).logEndOffset === 1, 'the write was appended');
    client.socket.resetAndDestroy();
    await until(() => fixture.registry.connectedClients === 0, 'the client is gone');
    fixture.partition(0).commitAll();
    const other = await fixture.client();
    other.send('get a');
    expect(await other.next()).to.equal('1');
  });

  describe('with a client that does not read', () => {
    it('stops running its commands while output piles up, and goes on when it reads', async () => {
      await start();
      const client = await fixture.client();
      client.socket.pause();
      const count = 2000;
      client.socket.write(encodeRequests(new Array(count).fill(['BIG', '50000'])));
      let before = -1;
      await until(() => {
        const isStill = before === fixture.counters.commandsProcessed && before > 0;
        before = fixture.counters.commandsProcessed;
        return isStill;
      }, 'nothing more runs');
      expect(fixture.counters.commandsProcessed).to.be.lessThan(count / 2);
      client.socket.resume();
      expect(new Set(await client.take(count))).to.deep.equal(new Set(['50000 bytes']));
    });

    it('closes it when more than the limit waits', async () => {
      await start({ limits: { outputBytesMax: 20_000_000 } });
      const client = await fixture.client();
      client.socket.pause();
      client.send('big 40000000');
      await until(() => fixture.registry.connectedClients === 0, 'the client was closed');
      expect(fixture.logger.events.map(({ level }) => level)).to.deep.equal(['warn']);
    });

    it('closes it when nothing moves for too long', async () => {
      await start({ limits: { outputStalledMsMax: 100 } });
      const client = await fixture.client();
      client.socket.pause();
      client.send('big 40000000');
      await until(() => fixture.registry.connectedClients === 0, 'the client was closed');
      expect(fixture.logger.events.map(({ level }) => level)).to.deep.equal(['warn']);
    });
  });

  it('does not wait for ever for a client that said QUIT and does not read', async () => {
    await start({ limits: { outputStalledMsMax: 100, outputPauseBytes: 100_000_000 } });
    const client = await fixture.client();
    client.socket.pause();
    client.send('big 40000000', 'quit');
    await until(() => fixture.registry.connectedClients === 0, 'the client was closed');
  });

  it('gives other clients their turn during a huge pipeline', async () => {
    await start({ limits: { commandsPerTurnMax: 10 } });
    const greedy = await fixture.client();
    const modest = await fixture.client();
    const count = 20_000;
    greedy.socket.write(encodeRequests(new Array(count).fill(['PING'])));
    await until(() => fixture.counters.commandsProcessed > 0, 'the pipeline began');
    modest.send('set a 1');
    expect(await modest.next()).to.equal('OK');
    expect(fixture.counters.commandsProcessed).to.be.lessThan(count);
    expect(new Set(await greedy.take(count))).to.deep.equal(new Set(['PONG']));
  });
});
