import { InvariantError } from '../../model/errors.ts';
import { asOffset, type Offset } from '../../model/numbers.ts';
import type { Producer, ProducerNote } from '../../model/producer.ts';
import type { NumberedCommand } from '../leader-partition.ts';
import { type ProducerRetry, producerRetry } from './producer-gate.ts';
import type { ProducerTable } from './producer-table.ts';

/** What numbered commands ask of a leader's store (`PartitionStore`). */
export interface CommandStore {
  readonly logEndOffset: Offset;
  beginGroup(): void;
  endGroup(): void;
  beginCommand(note: ProducerNote | null): void;
  appendOutcome(note: ProducerNote): Offset;
  forgetProducer(producer: Producer): Offset;
}

interface OpenCommand {
  readonly command: NumberedCommand;
  readonly startOffset: Offset;
  /** The outcome was known: the first record carries it. */
  readonly isNoted: boolean;
}

/**
 * How a leader executes a numbered command exactly once (R14): `admit`; where it says execute, `begin`, the command's
 * own appends, `end`. All in one turn, so that nothing comes between the question and the record that answers the next
 * one. Records and outcome are one atomic group: no truncation parts them.
 *
 * Only while the log is committed up to the start of the leader's epoch: what was inherited and is not yet committed is
 * not known here by sequence, and a retry of it would be executed a second time.
 */
export class NumberedCommands {
  readonly #store: CommandStore;
  readonly #table: ProducerTable;
  #open: OpenCommand | null = null;
  /** Commands that were answered with what was remembered of them. */
  answered = 0;

  constructor(store: CommandStore, table: ProducerTable) {
    this.#store = store;
    this.#table = table;
  }

  admit(command: NumberedCommand): ProducerRetry {
    const retry = producerRetry(this.#table, command);
    if (retry.verdict === 'answer') this.answered += 1;
    return retry;
  }

  begin(command: NumberedCommand, outcome?: Uint8Array): void {
    if (this.#open !== null) throw new InvariantError('a numbered command began inside another');
    const forgotten = this.#table.producerToForget(command.producer);
    if (forgotten !== null) this.#store.forgetProducer(forgotten);
    const isNoted = outcome !== undefined;
    this.#open = { command, startOffset: this.#store.logEndOffset, isNoted };
    this.#store.beginGroup();
    if (isNoted) this.#store.beginCommand(noteOf(command, outcome));
  }

  /** Returns the newest offset of the command. */
  end(outcome: Uint8Array): Offset {
    const open = this.#open;
    if (open === null) throw new InvariantError('a numbered command ended that had not begun');
    this.#open = null;
    const hasAppended = this.#store.logEndOffset > open.startOffset;
    try {
      if (!open.isNoted || !hasAppended) this.#store.appendOutcome(noteOf(open.command, outcome));
    } finally {
      this.#store.endGroup();
    }
    return asOffset(this.#store.logEndOffset - 1);
  }
}

function noteOf({ producer, sequence }: NumberedCommand, outcome: Uint8Array): ProducerNote {
  return { producer, sequence, outcome };
}
