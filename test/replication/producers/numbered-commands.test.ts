import { expect } from 'chai';
import { asProducerSequence } from '../../../src/model/numbers.ts';
import type { Producer } from '../../../src/model/producer.ts';
import { NumberedCommands } from '../../../src/replication/producers/numbered-commands.ts';
import type { ProducerTable } from '../../../src/replication/producers/producer-table.ts';
import { StoreMachine, type TestStore } from '../../support/store-fixture.ts';

/** A leader that counts up: the outcome of a command is the new value, of a read-only one the present. */
class Counter {
  readonly store: TestStore;
  readonly #commands: NumberedCommands;
  value = 0;
  executed = 0;

  constructor(store: TestStore) {
    this.store = store;
    this.#commands = new NumberedCommands(store.store, store.store.producers as ProducerTable);
  }

  /** `isEarly`: the outcome is told before the records. */
  run(id: string, sequence: number, increment: boolean, isRetry = false, isEarly = true): string {
    const command = { producer: client(id), sequence: asProducerSequence(sequence), isRetry };
    const admitted = this.#commands.admit(command);
    if (admitted.verdict === 'answer') return `answer ${Buffer.from(admitted.outcome ?? '').toString()}`;
    if (admitted.verdict === 'refuse') return admitted.error.code;
    if (admitted.verdict === 'join') return `join ${admitted.offset}`;
    this.executed += 1;
    const value = this.value + Number(increment);
    const outcome = Buffer.from(`${value}`);
    this.#commands.begin(command, isEarly ? outcome : undefined);
    if (increment) this.store.put('counter', `${value}`);
    this.value = value;
    return `at ${this.#commands.end(outcome)}`;
  }
}

const client = (id: string): Producer => ({ kind: 'client', id });

describe('numbered commands of a leader (R14)', () => {
  it('are executed once, however often they are sent', async () => {
    const counter = new Counter(await new StoreMachine().openStore());
    expect(counter.run('a', 1, true)).to.equal('at 0');
    expect(counter.run('a', 1, true, true)).to.equal('join 0');
    await counter.store.flush();
    expect(counter.run('a', 1, true, true)).to.equal('answer 1');
    expect(counter.executed).to.equal(1);
    expect(await counter.store.get('counter')).to.equal('1');
  });

  it('that append nothing are remembered by a record of their own', async () => {
    const counter = new Counter(await new StoreMachine().openStore());
    expect(counter.run('a', 1, true)).to.equal('at 0');
    expect(counter.run('a', 2, false)).to.equal('at 1');
    counter.run('a', 3, true);
    await counter.store.flush();
    expect(counter.run('a', 2, false, true), 'its own outcome, not the present value').to.equal('answer 1');
    const again = await counter.store.reopen();
    expect(new Counter(again).run('a', 2, false, true)).to.equal('answer 1');
  });

  it('whose outcome is known only when they ran have it in one more record, in one group with the others (R13)', async () => {
    const counter = new Counter(await new StoreMachine().openStore());
    expect(counter.run('a', 1, true, false, false)).to.equal('at 1');
    expect(counter.run('a', 1, true, true)).to.equal('join 1');
    await counter.store.flush();
    expect(counter.run('a', 1, true, true)).to.equal('answer 1');
    const again = await counter.store.reopen();
    expect(new Counter(again).run('a', 1, true, true)).to.equal('answer 1');
    expect(await again.get('counter')).to.equal('1');
  });

  it('never begin inside another, and never end twice', async () => {
    const { store } = await new StoreMachine().openStore();
    const commands = new NumberedCommands(store, store.producers as ProducerTable);
    const command = { producer: client('a'), sequence: asProducerSequence(1), isRetry: false };
    commands.begin(command);
    expect(() => commands.begin(command)).to.throw(/inside another/);
    commands.end(Buffer.from('OK'));
    expect(() => commands.end(Buffer.from('OK'))).to.throw(/had not begun/);
  });

  it('of one too many make the log forget a client, which a retry then learns of as in doubt', async () => {
    const machine = new StoreMachine();
    const counter = new Counter(await machine.openStore());
    for (let id = 0; id <= 1024; id += 1) {
      counter.run(`client ${id}`, 1, false);
      await counter.store.flush();
    }
    expect(counter.run('client 0', 1, false, true)).to.equal('inDoubt');
    expect(counter.run('client 1', 1, false, true)).to.equal('answer 0');
    const again = new Counter(await counter.store.reopen());
    expect(again.run('client 0', 1, false, true)).to.equal('inDoubt');
    expect(again.run('client 1024', 1, false, true)).to.equal('answer 0');
  });
});
