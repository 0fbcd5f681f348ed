import { expect } from 'chai';
import fc from 'fast-check';
import { asIncarnation, asNodeId, asOffset, asProducerSequence } from '../../../src/model/numbers.ts';
import type { Producer } from '../../../src/model/producer.ts';
import { producerRetry } from '../../../src/replication/producers/producer-gate.ts';
import { type ProducerLookup, ProducerTable } from '../../../src/replication/producers/producer-table.ts';
import { BATCH_HEADER_BYTES } from '../../../src/storage/format/batch.ts';
import { ExtraId, encodeExtras } from '../../../src/storage/format/extras.ts';
import { encodeProducerExtra, OutcomeDetail } from '../../../src/storage/format/outcome.ts';
import { decodeProducerSnapshot } from '../../../src/storage/format/producer-snapshot.ts';
import { RecordKind, RecordView } from '../../../src/storage/format/record.ts';
import { buildBatch, type RecordSource } from '../../support/batch-bytes.ts';

const client = (id: string): Producer => ({ kind: 'client', id });
const node = (id: number, life: number): Producer => ({
  kind: 'node',
  node: asNodeId(id),
  incarnation: asIncarnation(life),
});
const A = client('a');

/** A table with the log that feeds it. */
class TableRig {
  table: ProducerTable;
  next = 0;

  constructor(window = 8, producersMax = 3) {
    this.table = new ProducerTable({ window, producersMax });
  }

  append(producer: Producer, sequence: number, outcome: string | null = `${sequence}`): number {
    this.table.noteAppended(asOffset(this.next), {
      producer,
      sequence: asProducerSequence(sequence),
      outcome: outcome === null ? null : Buffer.from(outcome),
    });
    return this.next++;
  }

  commit(producer: Producer, sequence: number, outcome: string | null = `${sequence}`): void {
    this.append(producer, sequence, outcome);
    this.table.commitTo(asOffset(this.next));
  }

  forget(producer: Producer): void {
    this.table.noteForgotten(asOffset(this.next++), producer);
  }

  lookup(producer: Producer, sequence: number, isRetry = true): ProducerLookup {
    return this.table.lookup({ producer, sequence: asProducerSequence(sequence) }, isRetry);
  }

  /** 'done 5', 'gap 3', 'pending 7', 'new', 'below'. */
  text(producer: Producer, sequence: number, isRetry = true): string {
    const found = this.lookup(producer, sequence, isRetry);
    if (found.result === 'done')
      return `done ${found.outcome === null ? '' : Buffer.from(found.outcome).toString()}`;
    if (found.result === 'gap') return `gap ${found.expected}`;
    return found.result === 'pending' ? `pending ${found.offset}` : found.result;
  }
}

const snapshotOf = (table: ProducerTable): Buffer => Buffer.concat([...table.snapshotParts()]);

function loaded(bytes: Uint8Array, window = 8): TableRig {
  const rig = new TableRig(window);
  const snapshot = decodeProducerSnapshot(bytes);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  rig.table.load(snapshot);
  rig.next = snapshot.asOf;
  return rig;
}

describe('the producer table (R14)', () => {
  it('executes what it has not seen and answers what is committed', () => {
    const rig = new TableRig();
    expect(rig.text(A, 1)).to.equal('new');
    rig.commit(A, 1, '+OK');
    expect(rig.text(A, 1)).to.equal('done +OK');
    expect(rig.text(A, 2)).to.equal('new');
    rig.commit(A, 2, null);
    expect(rig.text(A, 2)).to.equal('done ');
  });

  it('never answers a retry of what is not committed: it joins its waiter (R13)', () => {
    const rig = new TableRig();
    rig.commit(A, 1);
    rig.append(A, 2);
    expect(rig.text(A, 2)).to.equal('pending 1');
    rig.table.commitTo(asOffset(1));
    expect(rig.text(A, 2)).to.equal('pending 1');
    rig.table.commitTo(asOffset(2));
    expect(rig.text(A, 2)).to.equal('done 2');
  });

  it('follows a truncation: what was cut off was never seen (R13)', () => {
    const rig = new TableRig();
    rig.commit(A, 1);
    rig.append(A, 2);
    rig.append(A, 3);
    rig.table.truncateTo(asOffset(2));
    expect(rig.text(A, 2)).to.equal('pending 1');
    expect(rig.text(A, 3)).to.equal('new');
    rig.table.truncateTo(asOffset(1));
    expect(rig.text(A, 2)).to.equal('new');
    expect(rig.text(A, 1)).to.equal('done 1');
  });

  it('takes the sequences of a client with gaps and in any order inside the window, and nothing below it', () => {
    const rig = new TableRig(8);
    rig.commit(A, 20);
    rig.commit(A, 13);
    expect(rig.text(A, 14)).to.equal('new');
    expect(rig.text(A, 13)).to.equal('done 13');
    expect(rig.text(A, 12)).to.equal('below');
    rig.commit(A, 1000);
    expect(rig.text(A, 20)).to.equal('below');
    expect(rig.text(A, 993)).to.equal('new');
    expect(rig.text(A, 992)).to.equal('below');
  });

  it('counts an uncommitted sequence in the window: what it pushes out is not executed', () => {
    const rig = new TableRig(8);
    rig.commit(A, 1);
    rig.append(A, 20);
    expect(rig.text(A, 2)).to.equal('below');
    expect(rig.text(A, 1)).to.equal('done 1');
    rig.table.truncateTo(asOffset(1));
    expect(rig.text(A, 2)).to.equal('new');
  });

  it('refuses a gap of a forwarder until it is sent again in order', () => {
    const rig = new TableRig();
    const forwarder = node(1, 100);
    expect(rig.text(forwarder, 2)).to.equal('gap 1');
    rig.append(forwarder, 1);
    rig.append(forwarder, 2);
    expect(rig.text(forwarder, 4)).to.equal('gap 3');
    rig.table.truncateTo(asOffset(1));
    expect(rig.text(forwarder, 3)).to.equal('gap 2');
    expect(rig.text(forwarder, 2)).to.equal('new');
  });

  it('puts a newer life of a forwarder in the place of the older one, which is refused', () => {
    const rig = new TableRig();
    rig.commit(node(1, 100), 1);
    expect(rig.text(node(1, 101), 2)).to.equal('gap 1');
    expect(rig.text(node(1, 101), 1)).to.equal('new');
    rig.append(node(1, 101), 1);
    expect(rig.text(node(1, 100), 1)).to.equal('below');
    rig.table.truncateTo(asOffset(1));
    expect(rig.text(node(1, 100), 1)).to.equal('done 1');
    rig.commit(node(1, 101), 1);
    expect(rig.text(node(1, 100), 1)).to.equal('below');
    expect(rig.text(node(2, 5), 1)).to.equal('new');
  });

  it('forgets the client that was silent longest when there are too many, by a record', () => {
    const rig = new TableRig(8, 3);
    for (const id of ['a', 'b', 'c']) rig.commit(client(id), 1);
    rig.commit(A, 2);
    expect(rig.table.producerToForget(A)).to.equal(null);
    expect(rig.table.producerToForget(node(1, 1))).to.equal(null);
    expect(rig.table.producerToForget(client('d'))).to.deep.equal(client('b'));
    rig.append(client('b'), 2);
    expect(rig.table.producerToForget(client('d')), 'b is in use').to.deep.equal(client('c'));
    rig.forget(client('c'));
    expect(rig.table.producerToForget(client('d'))).to.equal(null);
    rig.append(client('d'), 1);
    expect(rig.table.producerToForget(client('e'))).to.deep.equal(A);
  });

  it('never executes a retry of a client that may have been forgotten, and knows it again after its next command', () => {
    const rig = new TableRig(8, 3);
    rig.commit(A, 7);
    expect(rig.text(client('b'), 5), 'nobody was forgotten').to.equal('new');
    rig.forget(A);
    expect(rig.text(A, 7), 'not committed').to.equal('below');
    rig.table.truncateTo(asOffset(1));
    expect(rig.text(A, 7)).to.equal('done 7');
    rig.forget(A);
    rig.table.commitTo(asOffset(rig.next));
    expect(rig.text(A, 7)).to.equal('below');
    expect(rig.text(A, 8, false)).to.equal('new');
    rig.commit(A, 8);
    expect(rig.text(A, 8)).to.equal('done 8');
  });

  it('bounds the bytes of outcomes: the oldest are not kept, their commands stay done', () => {
    const rig = new TableRig(1024);
    const outcome = 'x'.repeat(1000);
    for (let sequence = 1; sequence <= 100; sequence += 1) rig.commit(A, sequence, `${sequence} ${outcome}`);
    expect(rig.text(A, 1)).to.equal('done ');
    expect(rig.text(A, 100)).to.equal(`done 100 ${outcome}`);
    expect(rig.text(A, 1, true)).to.not.equal('new');
  });

  it('says to the leader what to do with a command', () => {
    const rig = new TableRig(8);
    const ask = (producer: Producer, sequence: number): unknown => {
      const command = { producer, sequence: asProducerSequence(sequence), isRetry: true };
      const retry = producerRetry(rig.table, command);
      return retry.verdict === 'refuse' ? retry.error.code : retry.verdict;
    };
    expect(ask(A, 20)).to.equal('execute');
    rig.append(A, 20);
    expect(ask(A, 20)).to.equal('join');
    rig.table.commitTo(asOffset(1));
    expect(ask(A, 20)).to.equal('answer');
    expect(ask(A, 1)).to.equal('inDoubt');
    expect(ask(node(1, 1), 2)).to.equal('tryAgain');
  });
});

describe('the producer table from the log', () => {
  /** Feeds the records of one batch, as recovery, commit and followers do. */
  function feed(rig: TableRig, records: readonly RecordSource[]): void {
    const batch = buildBatch(records, rig.next);
    const view = new RecordView();
    for (let at = BATCH_HEADER_BYTES; at < batch.length; at += view.length) {
      expect(view.decode(batch.bytes, at, batch.length, true)).to.equal(null);
      rig.table.recordAppended(asOffset(rig.next), batch.bytes, at, view);
      rig.next += 1;
    }
  }
  const extrasOf = (producer: Producer, sequence: number, outcome = ''): Uint8Array => {
    const note = { producer, sequence: asProducerSequence(sequence), outcome: Buffer.from(outcome) };
    return encodeExtras([{ id: ExtraId.producer, bytes: encodeProducerExtra(note) }]);
  };

  it('finds puts of producers, outcomes without a write, and decisions to forget', () => {
    const rig = new TableRig();
    feed(rig, [
      { key: 'k', extras: extrasOf(A, 1, '+OK') },
      { key: 'plain' },
      { kind: RecordKind.outcome, key: '', extras: extrasOf(client('b'), 4, '$-1') },
    ]);
    expect(rig.text(client('b'), 4)).to.equal('pending 2');
    rig.table.commitTo(asOffset(3));
    expect(rig.text(A, 1)).to.equal('done +OK');
    expect(rig.text(client('b'), 4)).to.equal('done $-1');
    feed(rig, [
      { kind: RecordKind.outcome, detail: OutcomeDetail.forgotten, key: '', extras: extrasOf(A, 0) },
    ]);
    rig.table.commitTo(asOffset(4));
    expect(rig.text(A, 1)).to.equal('below');
  });

  it('takes a snapshot for all that lies below it, wherever merge found room for it', () => {
    const leader = new TableRig();
    leader.commit(A, 1);
    leader.commit(client('b'), 1);
    leader.forget(client('b'));
    leader.commit(A, 2);
    const value = snapshotOf(leader.table);
    const follower = new TableRig();
    feed(follower, [
      { kind: RecordKind.producerSnapshot, key: '', value },
      // Merge kept this put for its value; the record that forgot its producer is gone.
      { key: 'k', extras: extrasOf(client('b'), 1) },
    ]);
    follower.next = leader.next;
    follower.table.commitTo(asOffset(follower.next));
    expect(follower.text(A, 2)).to.equal('done 2');
    expect(follower.text(client('b'), 1)).to.equal('below');
    expect(snapshotOf(follower.table).equals(value)).to.equal(true);
  });

  it('refuses what a newer version wrote', () => {
    const rig = new TableRig();
    const extras = encodeExtras([{ id: ExtraId.producer, bytes: Buffer.alloc(20, 9) }]);
    expect(() => feed(rig, [{ key: 'k', extras }])).to.throw('newer Caskade');
    expect(() => feed(rig, [{ kind: RecordKind.producerSnapshot, key: '', value: 'x' }])).to.throw('add up');
    expect(() => feed(rig, [{ kind: RecordKind.outcome, key: '' }])).to.throw('add up');
  });
});

describe('the producer table against a model', () => {
  type Step =
    | { readonly kind: 'append'; readonly who: number; readonly sequence: number }
    | { readonly kind: 'forget'; readonly who: number }
    | { readonly kind: 'commit' | 'truncate'; readonly count: number }
    | { readonly kind: 'snapshot' };
  const WHO: readonly Producer[] = [client('a'), client('b'), node(1, 1), node(1, 2)];
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        who: fc.nat(3),
        sequence: fc.integer({ min: 1, max: 14 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), who: fc.nat(1) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), count: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), count: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot' as const) }) },
  );

  /** The log, and the answers by reading all of it each time. */
  class Model {
    log: { readonly who: number; readonly sequence: number; readonly forgotten: boolean }[] = [];
    committed = 0;

    lookup(who: number, sequence: number): string {
      const seen = new Map<number, number>();
      let life = -1;
      let forgotten = false;
      const mine = (entry: number): boolean => entry === who || (who >= 2 && entry >= 2);
      for (const [offset, entry] of this.log.entries()) {
        forgotten ||= entry.forgotten;
        if (!mine(entry.who)) continue;
        if (entry.forgotten || entry.who > life) seen.clear();
        life = entry.forgotten ? -1 : entry.who;
        if (!entry.forgotten && !seen.has(entry.sequence)) seen.set(entry.sequence, offset);
      }
      if (life > who) return 'below';
      if (life < who) return who >= 2 ? (sequence === 1 ? 'new' : 'gap 1') : forgotten ? 'below' : 'new';
      const high = Math.max(...seen.keys());
      const offset = seen.get(sequence);
      if (offset !== undefined && offset >= this.committed) return `pending ${offset}`;
      const committedHigh = Math.max(
        0,
        ...[...seen].filter(([, at]) => at < this.committed).map(([each]) => each),
      );
      if (offset !== undefined && sequence > committedHigh - 8) return `done ${sequence}`;
      if (who >= 2 && sequence > high + 1) return `gap ${high + 1}`;
      return sequence < (who >= 2 ? high + 1 : high - 7) ? 'below' : 'new';
    }
  }

  it('gives the same answers over appends, commits, truncations, decisions to forget and snapshots', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const model = new Model();
        let rig = new TableRig(8, 100);
        for (const each of steps) {
          if (each.kind === 'append') {
            const answer = model.lookup(each.who, each.sequence);
            if (answer !== 'new') continue;
            rig.append(WHO[each.who] as Producer, each.sequence);
            model.log.push({ who: each.who, sequence: each.sequence, forgotten: false });
          } else if (each.kind === 'forget') {
            rig.forget(WHO[each.who] as Producer);
            model.log.push({ who: each.who, sequence: 0, forgotten: true });
          } else if (each.kind === 'commit') {
            model.committed = Math.min(model.log.length, model.committed + each.count);
            rig.table.commitTo(asOffset(model.committed));
          } else if (each.kind === 'truncate') {
            model.log.length = Math.max(model.committed, model.log.length - each.count);
            rig.next = model.log.length;
            rig.table.truncateTo(asOffset(rig.next));
          } else {
            // A restart: the snapshot, and the log above it.
            rig = loaded(snapshotOf(rig.table));
            for (const entry of model.log.slice(model.committed)) {
              if (entry.forgotten) rig.forget(WHO[entry.who] as Producer);
              else rig.append(WHO[entry.who] as Producer, entry.sequence);
            }
          }
          for (let who = 0; who < WHO.length; who += 1)
            for (let sequence = 1; sequence <= 15; sequence += 1)
              expect(rig.text(WHO[who] as Producer, sequence)).to.equal(model.lookup(who, sequence));
        }
      }),
      { numRuns: 300 },
    );
  });
});
