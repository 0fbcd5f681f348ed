import { expect } from 'chai';
import type { ForwardedCommand } from '../../src/cluster/index.ts';
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

  beforeEach(() => {
    sent = [];
    nowMs = 1000;
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
      answered: () => undefined,
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
