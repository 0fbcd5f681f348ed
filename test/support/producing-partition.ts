import type { Admission, EntryView, KeyView, NumberedCommand, ReadOutcome } from '../../src/cluster/index.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { asDatabaseId, asOffset, type DatabaseId, NO_EXPIRY, type Offset } from '../../src/model/numbers.ts';
import type { ProducerNote } from '../../src/model/producer.ts';
import { type CommandStore, NumberedCommands } from '../../src/replication/producers/numbered-commands.ts';
import { ProducerTable } from '../../src/replication/producers/producer-table.ts';
import { FakePartition, type FakeRecord } from './fake-partition.ts';

export interface NotedRecord {
  readonly record: FakeRecord;
  readonly note: ProducerNote | null;
}

export interface ProducingOptions {
  readonly id?: number;
  readonly leaderEpoch?: number;
  /** What the leaders before have left in the log; nothing of it is committed here yet. */
  readonly inherited?: readonly NotedRecord[];
}

/**
 * A fake partition in one leader epoch that knows its producers as a real one does: the production table and the
 * production commands, over records in memory. Commits are in the test's hand. Before all that was inherited is committed
 * nothing is served.
 */
export class ProducingPartition extends FakePartition {
  readonly #notes = new Map<Offset, ProducerNote>();
  readonly #table = new ProducerTable();
  readonly #numbered: NumberedCommands;
  readonly #startOffset: number;
  #pending: ProducerNote | null = null;
  #served: () => void = () => undefined;
  readonly #serving = new Promise<void>((resolve) => {
    this.#served = resolve;
  });

  constructor(options: ProducingOptions = {}) {
    super({ ...options, commit: 'manual' });
    this.#numbered = new NumberedCommands(this.#store(), this.#table);
    for (const { record, note } of options.inherited ?? []) {
      const { kind, database, key, value, expiresAtMs, reason } = record;
      const offset = this.append(kind, database, key, value, expiresAtMs, reason);
      if (note !== null) this.#note(offset, note);
    }
    this.#startOffset = this.logEndOffset;
    if (this.#isServing) this.#served();
  }

  /** The log below `end`, for the next leader. */
  log(end: number = this.logEndOffset): NotedRecord[] {
    return this.records
      .filter(({ offset }) => offset < end)
      .map((record) => ({ record, note: this.#notes.get(record.offset) ?? null }));
  }

  override admit(command: NumberedCommand): Admission {
    if (this.isOver) return { verdict: 'refuse', error: OVER };
    if (this.#isServing) return this.#numbered.admit(command);
    this.suspension = this.#serving;
    return { verdict: 'suspended' };
  }

  override beginCommand(command: NumberedCommand, outcome?: Uint8Array): void {
    this.#numbered.begin(command, outcome);
  }

  override endCommand(outcome: Uint8Array): Offset {
    return this.#numbered.end(outcome);
  }

  override put(...args: Parameters<FakePartition['put']>): Offset {
    return this.#noted(super.put(...args));
  }

  override remove(...args: Parameters<FakePartition['remove']>): Offset {
    return this.#noted(super.remove(...args));
  }

  override flushDatabase(database: DatabaseId): Offset {
    return this.#noted(super.flushDatabase(database));
  }

  override readCommitted(
    database: DatabaseId,
    key: KeyView,
    entry: EntryView,
    withValue: boolean,
  ): ReadOutcome {
    return this.#gated() ?? super.readCommitted(database, key, entry, withValue);
  }

  override readAppended(
    database: DatabaseId,
    key: KeyView,
    entry: EntryView,
    withValue: boolean,
  ): ReadOutcome {
    return this.#gated() ?? super.readAppended(database, key, entry, withValue);
  }

  override commitTo(offset: number): void {
    this.#table.commitTo(asOffset(offset));
    super.commitTo(offset);
    if (this.#isServing) this.#served();
  }

  override fail(error?: CaskadeError): void {
    this.#table.truncateTo(this.highWatermark);
    for (const offset of this.#notes.keys()) if (offset >= this.highWatermark) this.#notes.delete(offset);
    super.fail(error);
  }

  /** The leadership ends: what is not committed is given up, and goes on in the next leader's log, or does not. */
  end(error = new CaskadeError('inDoubt', 'the leader has changed')): void {
    this.isOver = true;
    this.refuseWrites = OVER;
    this.refuseReads = OVER;
    this.giveUpAll(error);
    this.#served();
  }

  get #isServing(): boolean {
    return this.highWatermark >= this.#startOffset;
  }

  #gated(): ReadOutcome | null {
    if (this.isOver || this.#isServing) return null;
    this.suspension = this.#serving;
    return 1;
  }

  #noted(offset: Offset): Offset {
    if (this.#pending !== null) this.#note(offset, this.#pending);
    this.#pending = null;
    return offset;
  }

  #note(offset: Offset, note: ProducerNote): void {
    this.#notes.set(offset, note);
    this.#table.noteAppended(offset, note);
  }

  #store(): CommandStore {
    const logEnd = (): Offset => this.logEndOffset;
    return {
      get logEndOffset() {
        return logEnd();
      },
      beginGroup: () => this.beginGroup(),
      endGroup: () => this.endGroup(),
      beginCommand: (note) => {
        this.#pending = note;
      },
      appendOutcome: (note) => {
        this.#pending = note;
        return this.#noted(this.append('outcome', asDatabaseId(0), '', new Uint8Array(0), NO_EXPIRY));
      },
      forgetProducer: () => asOffset(-1),
    };
  }
}

const OVER = new CaskadeError('notLeader', 'the partition is led by another node, or by nobody yet');
