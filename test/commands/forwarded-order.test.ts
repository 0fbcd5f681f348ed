import { expect } from 'chai';
import type { ForwardAnswer, ForwardedCommand } from '../../src/cluster/index.ts';
import { ForwardedOrder } from '../../src/commands/forwarding/forwarded-order.ts';
import type { ErrorCode } from '../../src/model/errors.ts';
import {
  asDatabaseId,
  asLeaderEpoch,
  asMonotonicMillis,
  asOffset,
  asPartitionId,
} from '../../src/model/numbers.ts';

const MiB = 1024 * 1024;

describe('the commands of a session that run elsewhere (R11)', () => {
  let sent: ForwardedCommand[];
  let order: ForwardedOrder;
  let nowMs: number;
  let answers: ForwardAnswer[];

  beforeEach(() => {
    sent = [];
    nowMs = 1000;
    answers = [];
    const clock = { monotonicMs: () => asMonotonicMillis(nowMs) };
    order = new ForwardedOrder({ forward: (command) => void sent.push(command) }, clock);
  });

  function forward(kind: 'read' | 'write', partition = 0): void {
    order.forward({
      partition: asPartitionId(partition),
      isWrite: kind === 'write',
      database: asDatabaseId(0),
      respVersion: 2,
      client: { id: 1, address: '', name: '' },
      command: new Uint8Array(0),
      patienceMs: 100,
      answered: (answer) => void answers.push(answer),
    });
  }

  function answer(index: number, bytes = 5): void {
    const reply = new Uint8Array(bytes);
    sent[index]?.answered({ kind: 'done', reply, leaderEpoch: asLeaderEpoch(1), offset: asOffset(1) });
  }

  function refuse(index: number, code: ErrorCode): void {
    sent[index]?.answered({ kind: 'refused', error: { code, message: code } });
  }

  const kinds = (): string => sent.map(({ isWrite }) => (isWrite ? 'w' : 'r')).join('');

  it('go without a wait where they are of one kind, and behind those of the other', () => {
    for (const kind of ['write', 'write', 'read', 'read', 'write', 'read'] as const) forward(kind);
    expect(kinds()).equal('ww');
    answer(0);
    expect(kinds()).equal('ww');
    answer(1);
    expect(kinds()).equal('wwrr');
    answer(3);
    answer(2);
    expect(kinds()).equal('wwrrw');
    answer(4);
    expect(kinds()).equal('wwrrwr');
    expect(order.isIdle).equal(false);
    answer(5);
    expect(order.isIdle).equal(true);
  });

  it('have all their time from when they go, however long those before them took', () => {
    for (const kind of ['write', 'read', 'write'] as const) forward(kind);
    nowMs = 1090;
    answer(0);
    nowMs = 1180;
    answer(1);
    expect(sent.map(({ deadlineMs }) => deadlineMs)).deep.equal([1100, 1190, 1280]);
  });

  it('have waited already behind one that was not served', () => {
    for (const kind of ['write', 'read', 'write'] as const) forward(kind);
    nowMs = 1100;
    refuse(0, 'noLeader');
    refuse(1, 'noLeader');
    expect(sent.map(({ deadlineMs }) => deadlineMs)).deep.equal([1100, 1100, 1100]);
  });

  it('have waited since what was served last, where nobody leads any more', () => {
    for (const kind of ['write', 'read', 'write', 'read'] as const) forward(kind);
    nowMs = 1050;
    answer(0);
    nowMs = 1150;
    refuse(1, 'tryAgain');
    refuse(2, 'noLeader');
    expect(sent.map(({ deadlineMs }) => deadlineMs)).deep.equal([1100, 1150, 1150, 1150]);
  });

  it('have all their time behind one that the leader itself has refused, and when it is led again', () => {
    for (const kind of ['write', 'read', 'write', 'read'] as const) forward(kind);
    nowMs = 1090;
    answer(0);
    nowMs = 1180;
    refuse(1, 'notEnoughReplicas');
    nowMs = 1200;
    refuse(2, 'notLeader');
    expect(sent.map(({ deadlineMs }) => deadlineMs)).deep.equal([1100, 1190, 1280, 1280]);
    forward('write');
    nowMs = 1210;
    answer(3);
    expect(sent[4]?.deadlineMs).equal(1310);
  });

  it('have all their time when others, led by nobody, held the room for their replies', () => {
    forward('read', 1);
    answer(0, 16 * MiB);
    forward('read', 1);
    for (const partition of [1, 2, 2]) forward('read', partition);
    expect(sent.length).equal(2);
    nowMs = 1100;
    refuse(1, 'tryAgain');
    expect(sent.slice(2).map(({ partition, deadlineMs }) => [partition, deadlineMs])).deep.equal([[1, 1100]]);
    refuse(2, 'tryAgain');
    nowMs = 1150;
    answer(3);
    expect(sent.slice(3).map(({ partition, deadlineMs }) => [partition, deadlineMs])).deep.equal([
      [2, 1200],
      [2, 1250],
    ]);
  });

  it('do not wait for those of other partitions', () => {
    forward('write', 0);
    forward('read', 1);
    forward('write', 2);
    expect(sent.length).equal(3);
    expect([0, 1, 2, 3].map((id) => order.isUnderWay(asPartitionId(id)))).deep.equal([
      true,
      true,
      true,
      false,
    ]);
    expect([0, 1, 2].map((id) => order.hasWritten(asPartitionId(id)))).deep.equal([true, false, true]);
  });

  it('are waited for by partition, and all together', async () => {
    expect(order.whenAllAnswered()).equal(null);
    forward('write', 0);
    forward('read', 1);
    const told: string[] = [];
    void order.whenAnswered(asPartitionId(0)).then(() => told.push('0'));
    void order.whenAllAnswered()?.then(() => told.push('all'));
    answer(0);
    await Promise.resolve();
    expect(told).deep.equal(['0']);
    answer(1);
    await Promise.resolve();
    expect(told).deep.equal(['0', 'all']);
  });

  it('are read no further while the client takes nothing of what was answered', () => {
    for (let count = 0; count < 40; count += 1) forward('read', count % 3);
    for (let index = 0; index < 40; index += 1) answer(index, MiB);
    order.unsent(8 * MiB, true);
    forward('write', 0);
    for (let count = 0; count < 30; count += 1) forward('read', count % 3);
    expect(sent.length, 'a write has no reply to speak of').equal(41);
    answer(40);
    expect(sent.length).equal(41);
    nowMs = 5000;
    order.unsent(7 * MiB, true);
    expect(sent.length).equal(42);
    order.unsent(4 * MiB, true);
    expect(sent.length).equal(45);
    expect(sent.at(-1)?.deadlineMs, 'nobody made it wait but its own client').equal(5100);
    order.unsent(0, false);
    for (let index = 41; index < sent.length; index += 1) answer(index, MiB);
    expect(sent.length).equal(71);
    expect(order.isIdle).equal(true);
  });

  it('go on one by one, the oldest first, where what was answered waits for them', () => {
    forward('write', 0);
    forward('read', 0);
    forward('read', 1);
    forward('read', 2);
    order.unsent(9 * MiB, false);
    for (const partition of [2, 1, 0]) forward('read', partition);
    expect(sent.length).equal(3);
    answer(1);
    answer(2);
    expect(sent.length).equal(3);
    answer(0);
    const partitions = [];
    for (let index = 3; index < 7; index += 1) {
      expect(sent.length).equal(index + 1);
      partitions.push(sent[index]?.partition);
      answer(index);
    }
    expect(partitions).deep.equal([0, 2, 1, 0]);
    expect(order.isIdle).equal(true);
  });

  it('are read no more once the client has gone; its writes run', async () => {
    forward('write');
    for (const kind of ['read', 'read', 'write', 'read', 'write'] as const) forward(kind);
    const idle = order.whenAllAnswered();
    order.close();
    expect(answers.map(({ kind }) => kind)).deep.equal(['refused', 'refused', 'refused']);
    expect(kinds()).equal('www');
    for (const index of [0, 1, 2]) answer(index);
    expect(kinds()).equal('www');
    expect(order.isIdle).equal(true);
    await idle;
    order.close();
    expect(answers.length).equal(6);
  });

  it('wait no more behind reads of a client that has gone', async () => {
    forward('write', 0);
    forward('read', 0);
    // As many as find room: those of other partitions wait for them.
    for (let before = 0; sent.length > before; ) {
      before = sent.length;
      forward('read', 1);
    }
    forward('read', 2);
    forward('write', 2);
    nowMs = 1090;
    order.close();
    expect(sent.at(-1)).include({ partition: 2, isWrite: true, deadlineMs: 1190 });
    for (let index = 0; index < sent.length; index += 1) answer(index);
    expect(order.isIdle).equal(true);
  });

  it('are read so many at a time as their replies find room, by the largest of late', () => {
    for (let count = 0; count < 1000; count += 1) forward('read', count % 3);
    const first = sent.length;
    expect(first).within(50, 500);
    answer(0, 2 * MiB);
    expect(sent.length).equal(first);
    for (let index = 1; index < first; index += 1) answer(index, 2 * MiB);
    expect(sent.length - first).equal(4);
    for (let index = first; index < sent.length && index < 900; index += 1) answer(index, 10);
    for (let index = 0; index < sent.length; index += 1) if (index >= 900) answer(index, 10);
    expect(sent.length).equal(1000);
    expect(order.isIdle).equal(true);
  });
});
