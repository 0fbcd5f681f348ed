import { expect } from 'chai';
import fc from 'fast-check';
import { asIncarnation, asNodeId, asProducerSequence } from '../../../src/model/numbers.ts';
import type { Producer } from '../../../src/model/producer.ts';
import type { ProducerTable } from '../../../src/replication/producers/producer-table.ts';
import { ReplicaMachine, type TestReplica } from '../../support/replica-machine.ts';
import { StoreMachine, type TestStore } from '../../support/store-fixture.ts';

const A: Producer = { kind: 'client', id: 'a' };
const B: Producer = { kind: 'client', id: 'b' };
const NODE: Producer = { kind: 'node', node: asNodeId(2), incarnation: asIncarnation(5) };

type Holder = Pick<TestStore | TestReplica, 'store'>;

const tableOf = ({ store }: Holder): ProducerTable => store.producers as ProducerTable;

function ask(holder: Holder, producer: Producer, sequence: number): string {
  const found = tableOf(holder).lookup({ producer, sequence: asProducerSequence(sequence) }, true);
  if (found.result !== 'done') return found.result;
  return `done ${found.outcome === null ? '' : Buffer.from(found.outcome).toString()}`;
}

/** A numbered put; its outcome is the sequence. */
function put(store: TestStore, producer: Producer, sequence: number, key: string): void {
  const outcome = Buffer.from(`${sequence}`);
  store.store.beginCommand({ producer, sequence: asProducerSequence(sequence), outcome });
  store.put(key, `value of ${sequence} ${'x'.repeat(60)}`);
}

function outcome(store: TestStore, producer: Producer, sequence: number): void {
  const note = { producer, sequence: asProducerSequence(sequence), outcome: Buffer.from(`${sequence}`) };
  store.store.appendOutcome(note);
}

/** Overwrites a few keys again and again, so that most records of the producers are dead. */
async function history(store: TestStore): Promise<void> {
  for (let sequence = 1; sequence <= 60; sequence += 1) {
    put(store, A, sequence, `key${sequence % 3}`);
    if (sequence % 5 === 0) outcome(store, NODE, sequence / 5);
    if (sequence === 20) put(store, B, 7, 'of b');
    if (sequence === 30) store.store.forgetProducer(B);
    await store.flush();
  }
  await store.roll();
}

function expectHistory(holder: Holder): void {
  for (let sequence = 1; sequence <= 60; sequence += 1)
    expect(ask(holder, A, sequence), `a ${sequence}`).to.equal(`done ${sequence}`);
  expect(ask(holder, A, 61)).to.equal('new');
  for (let sequence = 1; sequence <= 12; sequence += 1)
    expect(ask(holder, NODE, sequence)).to.equal(`done ${sequence}`);
  expect(ask(holder, NODE, 14)).to.equal('gap');
  expect(ask(holder, B, 7), 'b was forgotten').to.equal('below');
}

describe('the producers of a store', () => {
  it('are told of records as they are appended, committed and given up (R13)', async () => {
    const store = await new StoreMachine().openStore();
    put(store, A, 1, 'k');
    store.put('k2', 'the second record of the command');
    expect(ask(store, A, 1)).to.equal('pending');
    store.store.discardUnwritten();
    expect(ask(store, A, 1)).to.equal('new');
    put(store, A, 1, 'k');
    await store.flush();
    expect(ask(store, A, 1)).to.equal('done 1');
    expect(await store.get('k')).to.match(/^value of 1 /);
  });

  it('never let a record without a key be taken for one with an empty key', async () => {
    const store = await new StoreMachine().openStore();
    outcome(store, A, 1);
    const key = { bytes: Buffer.alloc(0), start: 0, end: 0, hash: 0 };
    expect(store.store.newestUncommitted(0, key)).to.equal(-1);
    await store.flush();
    expect(await store.get('')).to.equal(null);
  });

  it('come back with a start that reads the log, and with one that reads hints', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
    const store = await machine.openStore();
    await history(store);
    const scanned = await store.reopen();
    expect(scanned.store.report.fromHints).to.equal(0);
    expectHistory(scanned);
    await scanned.writeHints();
    const hinted = await scanned.reopen();
    expect(hinted.store.report.fromHints).to.be.greaterThan(1);
    expectHistory(hinted);
  });

  it('outlive the records that told of them (C13): merge leaves a snapshot', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
    const store = await machine.openStore();
    await history(store);
    const before = store.store.log.bytes;
    const outcomeOfMerge = await machine.clock.until(store.merge());
    expect(outcomeOfMerge?.recordsDropped).to.be.greaterThan(50);
    expect(store.store.log.bytes).to.be.lessThan(before / 2);
    expectHistory(store);
    const hinted = await store.reopen();
    expectHistory(hinted);
    for (const segment of hinted.store.log.segments)
      await machine.fileSystem.unlink(hintOf(segment.path)).catch(noHint);
    const scanned = await hinted.reopen();
    expect(scanned.store.report.fromHints).to.equal(0);
    expectHistory(scanned);
  });

  it('have one snapshot for each run that was merged, and a merge of merged segments gives back no less', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
    let store = await machine.openStore();
    await history(store);
    await machine.clock.until(store.merge(0, 2));
    await machine.clock.until(store.merge(1, 2));
    store = await store.reopen();
    expectHistory(store);
    await machine.clock.until(store.merge());
    const once = store.store.log.bytes;
    await machine.clock.until(store.merge());
    expect(store.store.log.bytes).to.equal(once);
    expect(store.store.log.deadBytes, 'a snapshot is nothing to be gained').to.equal(0);
    expectHistory(await store.reopen());
  });

  it('are in a newer snapshot although it lies below what an older one stands for', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
    let store = await machine.openStore();
    outcome(store, A, 1);
    await store.roll();
    outcome(store, A, 2);
    await store.flush();
    await machine.clock.until(store.merge(0, 1));
    put(store, B, 1, 'key');
    put(store, A, 3, 'key');
    await store.roll();
    await machine.clock.until(store.merge(1, 1));
    store = await store.reopen();
    expect(ask(store, B, 1)).to.equal('done 1');
    expect(ask(store, A, 3)).to.equal('done 3');
  });

  it('reach a replica that is built from a merged log (R14)', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
    const leader = await machine.openStore();
    await history(leader);
    await machine.clock.until(leader.merge());
    const follower = await new ReplicaMachine({ node: 2, segmentBytesMax: 4 * 1024 }).open();
    for (
      let from = follower.store.logEndOffset;
      from < leader.store.sealedOffset;
      from = follower.store.logEndOffset
    ) {
      const slice = await leader.store.readLog(from, 4096);
      await follower.store.appendFetched(Buffer.from(slice.bytes), slice.nextOffset, {
        epochs: slice.epochs,
      });
    }
    await follower.store.commitTo(leader.store.committedOffset);
    expectHistory(follower);
  });

  it('are kept record by record where nobody can take a snapshot of them', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
    const store = await machine.openStore();
    await history(store);
    await machine.clock.until(store.merge(0, undefined, { producers: undefined as never }));
    expectHistory(await store.reopen());
  });
});

describe('the producers of a store against a model', () => {
  type Step =
    | { readonly kind: 'put' | 'outcome'; readonly who: number; readonly key: number }
    | { readonly kind: 'flush' | 'roll' | 'hints' | 'reopen' | 'crash' }
    | { readonly kind: 'merge'; readonly first: number; readonly count: number };
  const WHO = [A, B, NODE];
  const only = (kind: 'flush' | 'roll' | 'hints' | 'reopen' | 'crash'): fc.Arbitrary<Step> =>
    fc.constant({ kind });
  const command = fc.record({
    kind: fc.constantFrom('put' as const, 'outcome' as const),
    who: fc.nat(2),
    key: fc.nat(3),
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: command },
    { weight: 6, arbitrary: only('flush') },
    { weight: 3, arbitrary: only('roll') },
    { weight: 2, arbitrary: only('hints') },
    { weight: 1, arbitrary: only('reopen') },
    { weight: 1, arbitrary: only('crash') },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('merge' as const), first: fc.nat(3), count: fc.nat(3) }),
    },
  );

  it('know exactly what was committed, over merges, hints, restarts and crashes', async function () {
    this.timeout(30_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), async (steps) => {
        const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 });
        let store = await machine.openStore();
        const appended = [0, 0, 0];
        const committed = [0, 0, 0];
        const flush = async (): Promise<void> => {
          await store.flush();
          for (const who of WHO.keys()) committed[who] = appended[who] as number;
        };
        for (const each of steps) {
          if (each.kind === 'put' || each.kind === 'outcome') {
            const sequence = (appended[each.who] as number) + 1;
            appended[each.who] = sequence;
            const producer = WHO[each.who] as Producer;
            if (each.kind === 'put') put(store, producer, sequence, `key${each.key}`);
            else outcome(store, producer, sequence);
          } else if (each.kind === 'flush') await flush();
          else if (each.kind === 'roll') {
            await flush();
            await store.roll();
          } else if (each.kind === 'hints') await store.writeHints();
          else if (each.kind === 'reopen') {
            await flush();
            store = await store.reopen();
          } else if (each.kind === 'crash') {
            machine.powerCut();
            for (const who of WHO.keys()) appended[who] = committed[who] as number;
            store = await machine.openStore();
          } else if (each.kind === 'merge') {
            const sealed = store.store.log.segments.length - 1;
            const first = Math.min(each.first, Math.max(0, sealed - 1));
            const count = Math.min(each.count, sealed - first);
            if (count > 0) await machine.clock.until(store.merge(first, count));
          }
          for (const [who, producer] of WHO.entries()) {
            const done = committed[who] as number;
            if (done > 0) expect(ask(store, producer, done)).to.equal(`done ${done}`);
            if (done > 0) expect(ask(store, producer, 1)).to.equal('done 1');
            expect(ask(store, producer, done + 1)).to.equal(
              (appended[who] as number) > done ? 'pending' : 'new',
            );
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

const hintOf = (path: string): string => path.replace(/\.log$/, '.hint');
const noHint = (): void => {};
