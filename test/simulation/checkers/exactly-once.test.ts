import { expect } from 'chai';
import {
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asProducerSequence,
} from '../../../src/model/numbers.ts';
import type { Producer } from '../../../src/model/producer.ts';
import { RecordKind } from '../../../src/storage/format/record.ts';
import { checkExactlyOnce, type Telling } from './exactly-once.ts';
import type { LogRecord } from './log-records.ts';

const CLIENT: Producer = { kind: 'client', id: 'a' };
const FORWARDER: Producer = { kind: 'node', node: asNodeId(9), incarnation: asIncarnation(2) };

type Command = readonly [producer: Producer, sequence: number, reply: string] | null;

function recordsOf(commands: readonly Command[]): readonly LogRecord[] {
  return commands.map((command, at) => ({
    offset: asOffset(at),
    leaderEpoch: asLeaderEpoch(1),
    kind: RecordKind.put,
    database: 0,
    key: 'k',
    value: 'v',
    expiresAtMs: 0,
    detail: 0,
    note:
      command === null
        ? null
        : {
            producer: command[0],
            sequence: asProducerSequence(command[1]),
            outcome: Buffer.from(command[2]),
          },
  }));
}

const told = (producer: Producer, sequence: number, reply: string): Telling => ({
  producer,
  sequence: asProducerSequence(sequence),
  reply,
  partition: 0,
  atMs: 5,
});

function check(commands: readonly Command[], tellings: readonly Telling[], unknown = 0): readonly string[] {
  const endOffset = asOffset(commands.length + unknown);
  return checkExactlyOnce({ partition: 0, endOffset, records: recordsOf(commands) }, tellings);
}

describe('the checker of numbered commands (R13, R14)', () => {
  it('finds nothing in commands that were executed once and answered as often as they were sent', () => {
    const commands: Command[] = [
      [CLIENT, 3, ':1'],
      null,
      [FORWARDER, 1, 'OK'],
      [CLIENT, 1, ':2'],
      [FORWARDER, 2, 'OK'],
    ];
    const tellings = [told(CLIENT, 3, ':1'), told(CLIENT, 3, ':1'), told(FORWARDER, 2, 'OK')];
    expect(check(commands, tellings)).to.deep.equal([]);
  });

  it('sees a command that was executed twice', () => {
    const found = check([[CLIENT, 1, ':1'], null, [CLIENT, 1, ':2']], []);
    expect(found).to.deep.equal(['partition 0: command 1 of a was executed at 0 and again at 2']);
  });

  it('sees an answer to what was never executed, unless a part of the log is unknown', () => {
    expect(check([null], [told(CLIENT, 1, 'OK')])[0]).to.match(/it was never executed/);
    expect(check([null], [told(CLIENT, 1, 'OK')], 1)).to.deep.equal([]);
  });

  it('sees a retry that was answered something else', () => {
    const tellings = [told(CLIENT, 1, ':1'), told(CLIENT, 1, ':2')];
    expect(check([[CLIENT, 1, ':1']], tellings)[0]).to.match(/answered :2 .* the log says :1/);
  });

  it("sees a forwarder's commands out of order, and with a gap", () => {
    expect(
      check(
        [
          [FORWARDER, 1, 'OK'],
          [FORWARDER, 3, 'OK'],
        ],
        [],
      )[0],
    ).to.match(/came after its sequence 1/);
    const disorder = check([[FORWARDER, 1, 'OK'], [FORWARDER, 2, 'OK'], null, [FORWARDER, 2, 'OK']], []);
    expect(disorder[0]).to.match(/executed at 1 and again at 3/);
    expect(
      check(
        [
          [FORWARDER, 2, 'OK'],
          [FORWARDER, 1, 'OK'],
        ],
        [],
        1,
      )[0],
    ).to.match(/came after its sequence 2/);
  });
});
