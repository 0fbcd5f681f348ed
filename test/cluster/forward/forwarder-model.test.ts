import { expect } from 'chai';
import fc from 'fast-check';
import type { ForwardAnswer } from '../../../src/cluster/forward/forwarded-command.ts';
import type { ForwardedCommand } from '../../../src/cluster/index.ts';
import { ForwardedOrder } from '../../../src/commands/forwarding/forwarded-order.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import { asDatabaseId } from '../../../src/model/numbers.ts';
import { encodeRequest } from '../../../src/resp/request-encoder.ts';
import { FORWARDER, ForwardWorld, PARTITION } from '../../support/forward-world.ts';

/** Each command has one of them: deadlines come in any order. */
const PATIENCES_MS = [60, 60, 20, 140] as const;
const CONNECTIONS = 3;

interface Sent {
  readonly id: number;
  readonly connection: number;
  readonly isWrite: boolean;
  answer: ForwardAnswer | null;
}

/** Clients whose every write leaves its own mark in one value, in the order in which it ran. */
class Clients {
  readonly world = new ForwardWorld();
  readonly sent: Sent[] = [];
  #orders: ForwardedOrder[] = [];
  /** What the last of the connection's reads has seen; at the end. */
  readonly #seen = new Map<number, string>();

  constructor() {
    this.connect();
  }

  /** New connections: after a restart of the process that they spoke to. */
  connect(): void {
    const port = {
      forward: (command: ForwardedCommand) => this.world.forwarder.forward(command),
    };
    this.#orders = Array.from({ length: CONNECTIONS }, () => new ForwardedOrder(port, this.world.clock));
  }

  send(connection: number, isWrite: boolean): void {
    const id = this.sent.length;
    const sent: Sent = { id, connection, isWrite, answer: null };
    this.sent.push(sent);
    const words = isWrite ? ['APPEND', 'key', `<${id}>`] : ['GET', 'key'];
    this.#orders[connection]?.forward({
      partition: PARTITION,
      isWrite,
      database: asDatabaseId(0),
      respVersion: 2,
      client: { id: connection, address: '', name: '' },
      command: encodeRequest(words),
      patienceMs: PATIENCES_MS[id % PATIENCES_MS.length] as number,
      answered: (answer) => {
        expect(sent.answer, `command ${id} is answered once`).equal(null);
        sent.answer = answer;
      },
    });
  }

  /** What must hold once all is answered. */
  check(): void {
    expect(this.world.forwarder.size, 'every number is filled').equal(0);
    const value = this.world.leader.valueOf('key') ?? '';
    this.#seen.clear();
    const ran = [...value.matchAll(/<(\d+)>/g)].map(([, id]) => Number(id));
    expect(new Set(ran).size, `each at most once: ${value}`).equal(ran.length);
    for (const sent of this.sent) this.#checkAnswer(sent, value, ran);
    for (let connection = 0; connection < CONNECTIONS; connection += 1) {
      const own = ran.filter((id) => this.sent[id]?.connection === connection);
      expect(own, `in order on connection ${connection}`).deep.equal([...own].sort((a, b) => a - b));
    }
  }

  #checkAnswer(sent: Sent, value: string, ran: readonly number[]): void {
    const { id, answer } = sent;
    if (answer === null) throw new Error(`command ${id} was not answered`);
    if (!sent.isWrite) {
      if (answer.kind === 'done') this.#checkRead(sent, value, answer.reply);
      else expect(answer.kind).equal('refused');
      return;
    }
    if (answer.kind === 'refused') expect(ran, `${id} was refused`).not.include(id);
    if (answer.kind !== 'done') return;
    expect(ran, `${id} was done`).include(id);
    const mark = `<${id}>`;
    const length = value.indexOf(mark) + mark.length;
    expect(Buffer.from(answer.reply ?? []).toString(), `reply to ${id}`).equal(`:${length}\r\n`);
  }

  /** Of its own connection it sees what was done before it, what reads before it saw, and nothing that comes after it. */
  #checkRead({ id, connection }: Sent, value: string, reply: Uint8Array | null): void {
    const seen = /^\$\d+\r\n([^\r]*)\r\n$/.exec(Buffer.from(reply ?? []).toString())?.[1] ?? '';
    expect(value.startsWith(seen), 'only what was committed is seen').equal(true);
    const before = this.#seen.get(connection) ?? '';
    expect(seen.startsWith(before), `${id} sees ${seen}, a read before it ${before}`).equal(true);
    this.#seen.set(connection, seen);
    for (const other of this.sent) {
      if (other.connection !== connection || !other.isWrite) continue;
      if (other.id > id) expect(seen, `${id} does not see ${other.id}`).not.include(`<${other.id}>`);
      else if (other.answer?.kind === 'done') expect(seen, `${id} sees ${other.id}`).include(`<${other.id}>`);
    }
  }
}

type Step = readonly [kind: number, first: number, second: number];

const NO_REPLICAS = new CaskadeError('notEnoughReplicas', 'too few replicas');
const DOUBT = new CaskadeError('inDoubt', 'too few replicas have answered');

/** What happens, and how often. */
const KINDS: readonly (readonly [
  weight: number,
  run: (clients: Clients, first: number, second: number) => unknown,
])[] = [
  [20, (clients, first, second) => clients.send(first % CONNECTIONS, second % 4 > 0)],
  [5, (clients, first) => [1, 2].map(() => clients.send(first % CONNECTIONS, false))],
  [14, ({ world }, first) => world.deliverRequest(1 + (first % 3))],
  [14, ({ world }) => [1, 2, 3].map((id) => world.deliverRequest(id))],
  [10, ({ world }, first) => world.deliverReply(1 + (first % 3))],
  [10, ({ world }) => [1, 2, 3].map((id) => world.deliverReply(id))],
  [12, ({ world }, first) => world.commit((first % 5) / 4)],
  [6, ({ world }, first) => world.open(1 + (first % 3))],
  [6, ({ world }) => [1, 2, 3].map((id) => world.open(id))],
  [3, ({ world }, first) => world.break(1 + (first % 3))],
  [4, ({ world }, first) => world.deliverLate(first)],
  [3, ({ world }, first, second) => world.elect(1 + (first % 3), (second % 5) / 4, 'inDoubt')],
  [2, ({ world }, first) => world.elect(1 + (first % 3), 0, 'refused')],
  [3, ({ world }, first, second) => world.elect(1 + (first % 3), (second % 5) / 4, 'unaware')],
  [3, ({ world }, first, second) => world.elect(1 + (first % 3), (second % 5) / 4, 'inDoubt', false)],
  [
    3,
    ({ world }, first, second) => {
      world.elect(1 + (first % 3), (second % 5) / 4, 'inDoubt', false);
      world.tell(FORWARDER);
    },
  ],
  [6, ({ world }) => world.beginRole()],
  [
    6,
    ({ world }, first) => {
      const id = world.state.leader ?? FORWARDER;
      world.deliverRequest(id);
      world.beginRole();
      for (let count = 0; count < first % 3; count += 1) world.deliverRequest(id);
    },
  ],
  [3, ({ world }) => world.learnOne()],
  [5, ({ world }) => world.tell(FORWARDER)],
  [3, ({ world }, first) => world.tell(1 + (first % 3))],
  [
    2,
    ({ world }, first) => {
      world.leader.refuseWrites = first % 2 === 0 ? NO_REPLICAS : null;
    },
  ],
  [2, ({ world }) => world.leader.giveUpAll(DOUBT)],
  [12, ({ world }, first) => world.clock.advance(first % 30)],
  [
    1,
    (clients, first) => {
      if (first % 4 > 0) return;
      clients.world.restart();
      clients.connect();
    },
  ],
];
const TOTAL = KINDS.reduce((sum, [weight]) => sum + weight, 0);

async function take(clients: Clients, [kind, first, second]: Step): Promise<void> {
  let rest = kind % TOTAL;
  for (const [weight, run] of KINDS) {
    if (rest < weight) {
      await run(clients, first, second);
      await clients.world.clock.settle();
      return;
    }
    rest -= weight;
  }
}

describe('the forwarder against leaders that change, refuse, doubt and vanish', () => {
  it('has every command run at most once, once if it is answered as done, never if it is refused, in order (R11, R14)', async function () {
    this.timeout(120_000);
    const number = fc.nat({ max: 1_000_000 });
    const met = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(number, number, number), { minLength: 30, maxLength: 160, size: 'max' }),
        async (steps) => {
          const clients = new Clients();
          for (const id of [1, 2, 3]) clients.world.open(id);
          for (const step of steps) await take(clients, step);
          await clients.world.heal();
          clients.check();
          for (const { isWrite, answer } of clients.sent) {
            const what = `${isWrite ? 'write' : 'read'} ${answer?.kind}`;
            met.set(what, (met.get(what) ?? 0) + 1);
          }
        },
      ),
      { numRuns: 300, endOnFailure: true },
    );
    for (const what of ['write done', 'write refused', 'write inDoubt', 'read done', 'read refused'])
      expect(met.get(what), what).greaterThan(100);
  });
});
