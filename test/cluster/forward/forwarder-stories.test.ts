import { expect } from 'chai';
import type { ForwardAnswer, ForwardedCommand } from '../../../src/cluster/forward/forwarded-command.ts';
import type { CommitListener } from '../../../src/cluster/index.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import { asDatabaseId, asMonotonicMillis, asNodeId } from '../../../src/model/numbers.ts';
import { encodeRequest } from '../../../src/resp/request-encoder.ts';
import { FORWARDER, ForwardWorld, PARTITION } from '../../support/forward-world.ts';
import { ProducingPartition } from '../../support/producing-partition.ts';

const NO_REPLICAS = new CaskadeError('notEnoughReplicas', 'too few replicas');

/** A command and what its client was told. */
interface Told {
  answer: ForwardAnswer | null;
}

describe('a forwarded command', () => {
  let world: ForwardWorld;

  beforeEach(() => {
    world = new ForwardWorld(2);
    for (const id of [1, 2, 3]) world.open(id);
  });

  function send(words: readonly string[], patienceMs = 1000): Told {
    const told: Told = { answer: null };
    world.forwarder.forward(commandOf(words, patienceMs, told));
    return told;
  }

  function commandOf(
    words: readonly string[],
    patienceMs: number,
    told: Told = { answer: null },
  ): ForwardedCommand {
    return {
      partition: PARTITION,
      isWrite: words[0] !== 'GET',
      database: asDatabaseId(0),
      respVersion: 2,
      client: { id: 1, address: '127.0.0.1:5000', name: '' },
      command: encodeRequest(words),
      deadlineMs: asMonotonicMillis(world.clock.monotonicMs() + patienceMs),
      answered: (answer) => {
        told.answer = answer;
      },
    };
  }

  /** What is on its way arrives, there and back, and is committed. */
  async function exchange(...nodes: number[]): Promise<void> {
    for (let round = 0; round < 8; round += 1) {
      for (const id of nodes) while (world.deliverRequest(id) || world.deliverReply(id));
      await world.clock.settle();
      world.commit(1);
    }
  }

  const value = (key = 'key'): string | undefined => world.leader.valueOf(key);
  const replyTo = ({ answer }: Told): string =>
    answer?.kind === 'done' ? Buffer.from(answer.reply ?? []).toString() : JSON.stringify(answer);

  it('is answered when it is committed, not before', async () => {
    const told = send(['SET', 'key', 'a']);
    while (world.deliverRequest(2) || world.deliverReply(2));
    expect(value()).equal('a');
    expect(told.answer).equal(null);
    world.commit(1);
    world.deliverReply(2);
    expect(replyTo(told)).equal('+OK\r\n');
  });

  it('has its outcome in its own record where the reply is known before the append', async () => {
    const told = [send(['SET', 'key', '7']), send(['INCR', 'key']), send(['DEL', 'key', 'other'])];
    await exchange(2);
    expect(told.map(replyTo)).deep.equal(['+OK\r\n', ':8\r\n', ':1\r\n']);
    expect(world.leader.records.map(({ kind }) => kind)).deep.equal(['put', 'put', 'tombstone']);
  });

  it('that appends nothing uses up its number all the same, with its error for an outcome', async () => {
    const told = [send(['SET', 'key', 'text']), send(['INCR', 'key']), send(['SETNX', 'key', 'b'])];
    await exchange(2);
    expect(replyTo(told[1] as Told)).equal('-ERR value is not an integer or out of range\r\n');
    expect(replyTo(told[2] as Told)).equal(':0\r\n');
    expect(world.leader.records.map(({ kind }) => kind)).deep.equal(['put', 'outcome', 'outcome']);
    expect(world.forwarder.size).equal(0);
  });

  it('is sent again after a break, and done once (R14)', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.deliverRequest(2);
    world.break(2);
    world.open(2);
    await world.clock.advance(20);
    await exchange(2);
    expect(replyTo(told)).equal(':1\r\n');
    expect(value()).equal('a');
  });

  it('is done by the next leader if the first has lost it, and answered by it if not', async () => {
    const first = send(['APPEND', 'key', 'a']);
    await exchange(2);
    const told = [send(['APPEND', 'key', 'b']), send(['APPEND', 'key', 'c'])];
    world.deliverRequest(2);
    world.deliverRequest(2);
    // Of two uncommitted commands the next leader has one.
    world.elect(3, 0.5, 'inDoubt');
    world.tell(FORWARDER);
    await exchange(3);
    expect([first, ...told].map(replyTo)).deep.equal([':1\r\n', ':2\r\n', ':3\r\n']);
    expect(value()).equal('abc');
  });

  it('waits for a leader, and for the one that says it does not lead yet', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.node(2).leading = null;
    await exchange(2);
    expect(told.answer).equal(null);
    world.node(2).leading = world.leader;
    await world.clock.advance(20);
    await exchange(2);
    expect(replyTo(told)).equal(':1\r\n');
  });

  it('is refused at its deadline if nothing that was sent may have run', async () => {
    world.node(2).leading = null;
    const told = send(['APPEND', 'key', 'a'], 100);
    await exchange(2);
    world.break(2);
    await world.clock.advance(90);
    expect(told.answer).equal(null);
    await world.clock.advance(20);
    expect(told.answer).include({ kind: 'refused' });
    expect(world.forwarder.size).equal(0);
  });

  it('that could not begin in its time at a leader that does not serve yet is refused, not in doubt', async () => {
    const first = send(['APPEND', 'key', 'a'], 400);
    world.deliverRequest(2);
    // What is inherited is not committed: nobody can say what is in the log.
    world.elect(3, 1, 'inDoubt');
    world.tell(FORWARDER);
    const second = send(['APPEND', 'other', 'b'], 400);
    for (let round = 0; round < 45; round += 1) {
      while (world.deliverRequest(3) || world.deliverReply(3));
      await world.clock.advance(10);
    }
    expect(first.answer).include({ kind: 'inDoubt' });
    expect(second.answer).include({ kind: 'refused' });
    world.commit(1);
    const third = send(['APPEND', 'key', 'c']);
    for (let round = 0; round < 3; round += 1) {
      await exchange(3);
      await world.clock.advance(20);
    }
    expect(replyTo(third)).equal(':2\r\n');
    expect([value(), value('other')]).deep.equal(['ac', undefined]);
  });

  it('whose deadline is over when it comes is refused, and not sent', async () => {
    const told = [send(['APPEND', 'key', 'a'], 0), send(['GET', 'key'], 0)];
    expect(world.streams.get(asNodeId(2))?.requests).deep.equal([]);
    await world.clock.settle();
    // The partition has a leader: nothing is said against it.
    for (const { answer } of told) expect(answer).nested.include({ 'error.code': 'tryAgain' });
    expect(world.forwarder).include({ size: 0, bytes: 0 });
    world.state = { ...world.state, leader: null };
    world.tell(FORWARDER);
    expect(send(['APPEND', 'key', 'a'], 0).answer).nested.include({ 'error.code': 'noLeader' });
  });

  it('is answered at its own deadline, wherever those before it have theirs', async () => {
    for (const id of [1, 2, 3]) world.break(id);
    const told = [
      send(['APPEND', 'key', 'a'], 1000),
      send(['APPEND', 'key', 'b'], 100),
      send(['GET', 'key']),
    ];
    told.push(send(['GET', 'key'], 300), send(['APPEND', 'key', 'c'], 200));
    const answered = (): boolean[] => told.map(({ answer }) => answer !== null);
    const seen: boolean[][] = [];
    for (let count = 0; count < 4; count += 1) {
      await world.clock.advance(100);
      seen.push(answered());
    }
    expect(seen.map((each) => each.map(Number).join(''))).deep.equal(['01000', '01001', '01011', '01011']);
    world.open(2);
    await world.clock.advance(20);
    await exchange(2);
    expect(told.map(({ answer }) => answer?.kind)).deep.equal([
      'done',
      'refused',
      'done',
      'refused',
      'refused',
    ]);
    expect(value()).equal('a');
  });

  it('that waited while nobody could be reached is not sent when its deadline is over', async () => {
    for (const id of [1, 2, 3]) world.break(id);
    // The stream is heard of just before the timer of the deadline.
    world.clock.setTimer(100, () => world.open(2));
    const told = send(['APPEND', 'key', 'a'], 100);
    await world.clock.advance(100);
    expect(world.streams.get(asNodeId(2))?.requests).deep.equal([]);
    expect(told.answer).include({ kind: 'refused' });
  });

  it('is in doubt at its deadline if it was sent and not answered; its number is filled, and it does not run', async () => {
    const told = send(['APPEND', 'key', 'a'], 100);
    world.break(2);
    await world.clock.advance(150);
    expect(told.answer).include({ kind: 'inDoubt', leaderEpoch: 1, offset: -1 });
    const next = send(['APPEND', 'key', 'b']);
    world.open(2);
    await exchange(2);
    // The copy that lay in a buffer comes late.
    while (world.zombies.length > 0) world.deliverLate(0);
    await exchange(2);
    expect(replyTo(next)).equal(':1\r\n');
    expect(value()).equal('b');
    expect(world.leader.records.map(({ kind }) => kind)).deep.equal(['outcome', 'put']);
  });

  it('that was refused leaves its number to the next; a late copy of it does not run (round)', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.break(2);
    world.open(2);
    world.leader.refuseWrites = NO_REPLICAS;
    await world.clock.advance(20);
    await exchange(2);
    expect(told.answer).deep.equal({
      kind: 'refused',
      error: { code: 'notEnoughReplicas', message: 'too few replicas' },
    });
    world.leader.refuseWrites = null;
    while (world.zombies.length > 0) world.deliverLate(0);
    await exchange(2);
    expect(value()).equal(undefined);
    const next = send(['APPEND', 'key', 'b']);
    await exchange(2);
    expect(replyTo(next)).equal(':1\r\n');
  });

  it('that was refused in one epoch does not run in the next, by a late copy (epoch)', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.elect(3, 0, 'unaware');
    world.leader.refuseWrites = NO_REPLICAS;
    world.tell(FORWARDER);
    await exchange(3);
    expect(told.answer).include({ kind: 'refused' });
    // The copy of the first epoch lies before the node that leads again, in another one.
    world.elect(2, 0, 'inDoubt');
    while (world.deliverRequest(2));
    await world.clock.settle();
    expect(value()).equal(undefined);
  });

  it('behind a refused one is refused in the same round, and runs in the next', async () => {
    await exchange(2);
    const first = send(['APPEND', 'key', 'a']);
    await exchange(2);
    const told = ['b', 'c', 'd'].map((text) => send(['APPEND', 'key', text]));
    world.leader.refuseWrites = NO_REPLICAS;
    world.deliverRequest(2);
    world.leader.refuseWrites = null;
    await exchange(2);
    await world.clock.advance(20);
    await exchange(2);
    expect(replyTo(first)).equal(':1\r\n');
    expect(told[0]?.answer).include({ kind: 'refused' });
    expect(told.slice(1).map(replyTo)).deep.equal([':2\r\n', ':3\r\n']);
    expect(value()).equal('acd');
  });

  it('that a leader doubts is asked for again, and answered when it is committed', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.deliverRequest(2);
    world.leader.giveUpAll(new CaskadeError('inDoubt', 'too few replicas have answered'));
    world.deliverReply(2);
    await world.clock.advance(20);
    world.deliverRequest(2);
    expect(told.answer).equal(null);
    await exchange(2);
    expect(replyTo(told)).equal(':1\r\n');
    expect(value()).equal('a');
  });

  it('of an earlier life of the forwarder does not run once the later life was heard', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.restart();
    expect(told.answer).include({ kind: 'inDoubt' });
    const next = send(['APPEND', 'key', 'b']);
    world.open(2);
    await world.clock.advance(20);
    await exchange(2);
    while (world.zombies.length > 0) world.deliverLate(0);
    await exchange(2);
    expect(replyTo(next)).equal(':1\r\n');
    expect(value()).equal('b');
  });

  it('keeps the identity under which it was sent when its node begins another life in the same process (W5)', async () => {
    const told = send(['APPEND', 'key', 'a']);
    world.deliverRequest(2);
    world.life += 1;
    world.break(2);
    world.open(2);
    const next = send(['APPEND', 'key', 'b']);
    await exchange(2);
    expect([told, next].map(replyTo)).deep.equal([':1\r\n', ':2\r\n']);
    const lives = world.leader.log().map(({ note }) => note?.producer);
    expect(lives).deep.equal(lives.map(() => ({ kind: 'node', node: FORWARDER, incarnation: 1 })));
  });

  it('is numbered anew where a log has seen a later life of its node than that', async () => {
    const later = new ForwardWorld(2);
    later.life = 7;
    later.forwarder.forward(commandOf(['APPEND', 'key', 'x'], 1000));
    later.open(2);
    await later.clock.advance(10);
    later.deliverRequest(2);
    // The log of that life goes to a leader that has heard nothing of this one.
    world.elect(3, 0, 'inDoubt');
    world.leader = new ProducingPartition({ leaderEpoch: 3, inherited: later.leader.log() });
    world.leader.commitTo(world.leader.logEndOffset);
    world.node(3).leading = world.leader;
    world.state = { ...world.state, leaderEpoch: world.leader.leaderEpoch };
    world.tell(FORWARDER);
    world.tell(3);
    const told = send(['APPEND', 'key', 'a']);
    await exchange(3);
    expect(told.answer).equal(null);
    world.life = 8;
    for (let round = 0; round < 3; round += 1) {
      await world.clock.advance(20);
      await exchange(3);
    }
    expect(replyTo(told)).equal(':2\r\n');
    expect(value()).equal('xa');
  });

  it('that this node leads itself goes there without a stream', async () => {
    world.elect(1, 0, 'inDoubt');
    world.tell(FORWARDER);
    const told = send(['APPEND', 'key', 'a']);
    await world.clock.settle();
    world.commit(1);
    await world.clock.settle();
    expect(replyTo(told)).equal(':1\r\n');
  });

  it('that reads goes again with those behind it: none sees an older state after a newer one', async () => {
    world.elect(3, 1, 'inDoubt', false);
    world.tell(FORWARDER);
    const told = [send(['GET', 'key']), send(['GET', 'key'])];
    world.deliverRequest(3);
    // The role begins between the two.
    world.beginRole();
    world.deliverRequest(3);
    while (world.deliverReply(3));
    world.write('key', 'new');
    world.commit(1);
    await world.clock.advance(20);
    await exchange(3);
    expect(told.map(replyTo)).deep.equal(['$3\r\nnew\r\n', '$3\r\nnew\r\n']);
  });

  it('that reads is not answered by a leader of before, after the next one has been asked', async () => {
    const told = [send(['GET', 'key']), send(['GET', 'key'])];
    while (world.deliverRequest(2));
    world.elect(3, 1, 'inDoubt');
    world.write('key', 'new');
    world.commit(1);
    world.tell(FORWARDER);
    world.deliverRequest(3);
    world.deliverReply(3);
    while (world.deliverReply(2));
    await exchange(3);
    expect(told.map(replyTo)).deep.equal(['$3\r\nnew\r\n', '$3\r\nnew\r\n']);
  });

  it('that reads does not wait for writes that are larger than the window', async () => {
    const large = send(['SET', 'key', 'x'.repeat(9 * 1024 * 1024)]);
    const told = send(['GET', 'other']);
    world.deliverRequest(2);
    world.deliverRequest(2);
    await world.clock.settle();
    while (world.deliverReply(2));
    expect(replyTo(told)).equal('$-1\r\n');
    expect(large.answer).equal(null);
  });

  it('that reads and has begun goes on for as long as its client waits', async () => {
    send(['SET', 'key', 'a']);
    world.deliverRequest(2);
    // What is inherited is not committed: the read waits for it, behind what says that it has begun.
    world.elect(3, 1, 'inDoubt');
    world.tell(FORWARDER);
    const told = [send(['GET', 'key'], 1000), send(['GET', 'key'], 500)];
    while (world.deliverRequest(3));
    await world.clock.advance(900);
    await exchange(3);
    expect(replyTo(told[0] as Told)).equal('$1\r\na\r\n');
    expect(told[1]?.answer).include({ kind: 'refused' });
  });

  it('is told of its commit by one listener at a partition, as a number that is filled is', async () => {
    const listeners = new Set<CommitListener>();
    const listen = world.leader.listen.bind(world.leader);
    world.leader.listen = (listener) => {
      listeners.add(listener);
      listen(listener);
    };
    send(['APPEND', 'key', 'a'], 100);
    world.break(2);
    await world.clock.advance(150);
    const next = send(['APPEND', 'key', 'b']);
    world.open(2);
    await exchange(2);
    expect(replyTo(next)).equal(':1\r\n');
    expect(listeners.size).equal(1);
  });

  it('is refused where too much waits already', () => {
    const command = ['SET', 'key', 'x'.repeat(40 * 1024 * 1024)];
    const told = [send(command), send(command)];
    expect(told[0]?.answer).equal(null);
    expect(told[1]?.answer).deep.include({ kind: 'refused' });
  });

  it('is answered as it stands when the node stops: refused, or in doubt', () => {
    const sent = send(['APPEND', 'key', 'a']);
    world.break(2);
    const waiting = send(['GET', 'key']);
    world.forwarder.stop();
    expect(sent.answer).include({ kind: 'inDoubt' });
    expect(waiting.answer).include({ kind: 'refused' });
    expect(world.forwarder.bytes).equal(0);
    expect(world.clock.timerCount).equal(0);
  });
});
