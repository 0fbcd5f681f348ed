import { expect } from 'chai';
import type { ForwardedCommand } from '../../src/cluster/index.ts';
import type { CommandContext } from '../../src/commands/context.ts';
import { DeferredReply } from '../../src/commands/deferred-reply.ts';
import { ForwardedOrder } from '../../src/commands/forwarding/forwarded-order.ts';
import { Placed, type Placement } from '../../src/commands/placement.ts';
import type { CommandEntry } from '../../src/commands/table.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { asDatabaseId, asLeaderEpoch, asOffset, asPartitionId } from '../../src/model/numbers.ts';
import { Fixture, until } from './fixture.ts';

/** Every GET is answered by the test. */
class ElsewhereGets implements Placement {
  readonly deferred: DeferredReply[] = [];
  /** Answered before the connection has looked. */
  answersAtOnce = false;

  place({ spec }: CommandEntry, context: CommandContext): Placed {
    if (spec.name !== 'get') return Placed.here;
    const deferred = new DeferredReply(100);
    this.deferred.push(deferred);
    context.deferred = deferred;
    if (this.answersAtOnce) this.answer(this.deferred.length - 1);
    return Placed.deferred;
  }

  answer(index: number, text = `answer ${index}`): void {
    this.deferred[index]?.answer(Buffer.from(`$${text.length}\r\n${text}\r\n`));
  }
}

/** Every GET and SET is forwarded, in order. */
class ForwardedCommands implements Placement {
  readonly sent: ForwardedCommand[] = [];
  readonly errors: string[] = [];
  #answeredCount = 0;

  place({ spec, isWrite }: CommandEntry, context: CommandContext): Placed {
    if (spec.name !== 'get' && spec.name !== 'set') return Placed.here;
    const { session, clock } = context;
    const deferred = new DeferredReply(100);
    session.forwarded ??= new ForwardedOrder({ forward: (command) => void this.sent.push(command) }, clock);
    session.forwarded.forward({
      partition: asPartitionId(0),
      isWrite,
      database: asDatabaseId(0),
      respVersion: 2,
      client: { id: 1, address: '', name: '' },
      command: new Uint8Array(0),
      patienceMs: 1000,
      answered: (answer) => {
        if (answer.kind === 'refused') this.errors.push(answer.error.message);
        deferred.answer((answer.kind === 'done' && answer.reply) || Buffer.from('-ERR\r\n'));
      },
    });
    context.deferred = deferred;
    return Placed.deferred;
  }

  /** All that is under way. */
  answer(reply: Uint8Array): void {
    for (; this.#answeredCount < this.sent.length; this.#answeredCount += 1)
      this.sent[this.#answeredCount]?.answered({
        kind: 'done',
        reply,
        leaderEpoch: asLeaderEpoch(1),
        offset: asOffset(1),
      });
  }
}

describe('replies that somebody else gives', () => {
  let elsewhere: ElsewhereGets;
  let fixture: Fixture;

  beforeEach(async () => {
    elsewhere = new ElsewhereGets();
    fixture = await new Fixture({ placement: elsewhere, commit: 'manual' }).start();
  });

  afterEach(() => fixture.dispose());

  it('leave in the order of the commands, in whatever order they come', async () => {
    const client = await fixture.client();
    client.send('GET a', 'PING', 'GET b', 'GET c', 'PING');
    await until(() => elsewhere.deferred.length === 3, 'three are deferred');
    elsewhere.answer(2);
    elsewhere.answer(1);
    expect(client.waiting).equal(0);
    elsewhere.answer(0);
    expect(await client.take(5)).deep.equal(['answer 0', 'PONG', 'answer 1', 'answer 2', 'PONG']);
  });

  it('let the commands behind them run, whose replies wait for commits as ever', async () => {
    const client = await fixture.client();
    client.send('GET a', 'SET k v', 'GET b');
    await until(() => elsewhere.deferred.length === 2, 'both are deferred');
    expect(fixture.partition(0).valueOf('k')).equal('v');
    elsewhere.answer(0);
    elsewhere.answer(1);
    expect(await client.next()).equal('answer 0');
    expect(client.waiting).equal(0);
    fixture.partition(0).commitAll();
    expect(await client.take(2)).deep.equal(['OK', 'answer 1']);
  });

  it('stand at once where they were there at once', async () => {
    elsewhere.answersAtOnce = true;
    const client = await fixture.client();
    client.send('GET a', 'PING', 'GET b');
    expect(await client.take(3)).deep.equal(['answer 0', 'PONG', 'answer 1']);
  });

  it('may be large, and many', async () => {
    const client = await fixture.client();
    const count = 300;
    client.send(...Array.from({ length: count }, (_, index) => `GET ${index}`));
    await until(() => elsewhere.deferred.length === count, 'all are deferred');
    for (let index = count - 1; index >= 0; index -= 1)
      elsewhere.answer(index, index % 7 === 0 ? 'x'.repeat(300_000) : undefined);
    const replies = await client.take(count);
    for (const [index, reply] of replies.entries())
      expect(reply).equal(index % 7 === 0 ? '300000 bytes' : `answer ${index}`);
  });

  it('are bounded: the next command of the connection waits', async () => {
    const client = await fixture.client();
    const count = LIMITS.deferredRepliesMax + 10;
    client.send(...Array.from({ length: count }, (_, index) => `GET ${index}`));
    await until(
      () => elsewhere.deferred.length === LIMITS.deferredRepliesMax,
      'as many as may be are deferred',
    );
    const other = await fixture.client();
    other.send('PING');
    expect(await other.next()).equal('PONG');
    expect(elsewhere.deferred.length).equal(LIMITS.deferredRepliesMax);
    for (let index = 0; index < LIMITS.deferredRepliesMax; index += 1) elsewhere.answer(index);
    await until(() => elsewhere.deferred.length === count, 'the rest is deferred');
    for (let index = LIMITS.deferredRepliesMax; index < count; index += 1) elsewhere.answer(index);
    expect((await client.take(count)).at(-1)).equal(`answer ${count - 1}`);
  });

  it('are waited for by QUIT, by the end of the input, and by a stop', async () => {
    const [quitting, ended, stopped] = [
      await fixture.client(),
      await fixture.client(),
      await fixture.client(),
    ];
    quitting.send('GET a', 'QUIT');
    ended.send('GET b');
    ended.socket.end();
    stopped.send('GET c');
    await until(() => elsewhere.deferred.length === 3, 'three are deferred');
    const stopping = fixture.stop(5000);
    for (const index of [0, 1, 2]) elsewhere.answer(index);
    expect((await Promise.all([quitting, ended, stopped].map((client) => client.next()))).sort()).deep.equal([
      'answer 0',
      'answer 1',
      'answer 2',
    ]);
    expect(await quitting.next()).equal('OK');
    for (const client of [quitting, ended, stopped]) expect(await client.next()).equal('(end)');
    expect(await stopping).deep.equal({ cutCount: 0 });
  });

  it('count as work that a stop has cut', async () => {
    const client = await fixture.client();
    client.send('GET a');
    await until(() => elsewhere.deferred.length === 1, 'it is deferred');
    expect(await fixture.stop(20)).deep.equal({ cutCount: 1 });
  });

  it('are forgotten when the client has gone', async () => {
    const client = await fixture.client();
    client.send('GET a');
    await until(() => elsewhere.deferred.length === 1, 'it is deferred');
    client.socket.resetAndDestroy();
    await until(() => fixture.registry.connectedClients === 0, 'it has gone');
    elsewhere.answer(0);
    const other = await fixture.client();
    other.send('PING');
    expect(await other.next()).equal('PONG');
  });
});

describe('commands that others run for a connection', () => {
  const MiB = 1024 * 1024;
  const LARGE = Buffer.from(`$${MiB}\r\n${'x'.repeat(MiB)}\r\n`);
  const OK = Buffer.from('+OK\r\n');
  let forwarded: ForwardedCommands;
  let fixture: Fixture;

  beforeEach(async () => {
    forwarded = new ForwardedCommands();
    fixture = await new Fixture({
      placement: forwarded,
      limits: { outputBytesMax: 32 * MiB },
    }).start();
  });

  afterEach(() => fixture.dispose());

  it('are fetched as the client takes them, not as they come', async () => {
    const client = await fixture.client();
    const gets = (count: number): string[] => Array.from({ length: count }, () => 'GET k');
    client.send(...gets(20));
    await until(() => forwarded.sent.length === 20, 'all are under way');
    forwarded.answer(LARGE);
    await client.take(20);
    client.socket.pause();
    client.send(...gets(100));
    for (let before = 0; before < forwarded.sent.length; ) {
      before = forwarded.sent.length;
      for (let turn = 0; turn < 10; turn += 1) {
        forwarded.answer(LARGE);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    // Some lie in the buffers of the system.
    expect(forwarded.sent.length).within(24, 75);
    expect(fixture.logger.events).deep.equal([]);
    client.socket.resume();
    const replies = client.take(100);
    await until(() => {
      forwarded.answer(LARGE);
      return forwarded.sent.length === 120;
    }, 'all were fetched');
    forwarded.answer(LARGE);
    expect(new Set(await replies)).deep.equal(new Set([`${MiB} bytes`]));
  });

  it('are read no more when the client has gone, but written', async () => {
    const client = await fixture.client();
    client.send('SET k v', 'GET k', 'GET k', 'SET k w');
    await until(() => forwarded.sent.length === 1, 'the first is under way');
    const other = await fixture.client();
    other.send('PING');
    await other.next();
    client.socket.resetAndDestroy();
    await until(() => fixture.registry.connectedClients === 1, 'it has gone');
    for (let turn = 0; turn < 3; turn += 1) forwarded.answer(OK);
    expect(forwarded.sent.map(({ isWrite }) => isWrite)).deep.equal([true, true]);
    expect(forwarded.errors).deep.equal(['the client has gone', 'the client has gone']);
  });
});
