import { asOffset, type Offset } from '../../model/numbers.ts';
import type { Producer, ProducerNote } from '../../model/producer.ts';
import { type ProducerRetry, producerRetry } from './producer-gate.ts';
import type { ProducerTable } from './producer-table.ts';

/** What numbered commands ask of a leader's store (`PartitionStore`). */
export interface CommandStore {
  readonly logEndOffset: Offset;
  beginCommand(note: ProducerNote | null): void;
  appendOutcome(note: ProducerNote): Offset;
  forgetProducer(producer: Producer): Offset;
}

/**
 * How a leader executes a numbered command exactly once (R14): `admit`; where it says execute, `begin` before the first record (and before `beginGroup`), the command's
 * own appends, `end`. All in one turn, so that nothing comes between the question and the record that answers the next one.
 *
 * Only while the log is committed up to the start of the leader's epoch: what was inherited and is not yet committed is not known here by sequence, and a retry of
 * it would be executed a second time.
 */
export class NumberedCommands {
  readonly #store: CommandStore;
  readonly #table: ProducerTable;
  #startOffset = asOffset(0);

  constructor(store: CommandStore, table: ProducerTable) {
    this.#store = store;
    this.#table = table;
  }

  admit(command: Omit<ProducerNote, 'outcome'>, isRetry: boolean): ProducerRetry {
    return producerRetry(this.#table, command, isRetry);
  }

  /** `note.outcome` is what the sender will be answered: it stands in the command's first record, so it must be known before. */
  begin(note: ProducerNote): void {
    const forgotten = this.#table.producerToForget(note.producer);
    if (forgotten !== null) this.#store.forgetProducer(forgotten);
    this.#startOffset = this.#store.logEndOffset;
    this.#store.beginCommand(note);
  }

  /** Returns the offset that the command is remembered at: a record of its own where it appended nothing. Wait for it before answering. */
  end(note: ProducerNote): Offset {
    const hasAppended = this.#store.logEndOffset > this.#startOffset;
    if (!hasAppended) return this.#store.appendOutcome(note);
    return this.#startOffset;
  }
}
