import type { LeaderPartition, NumberedCommand } from '../cluster/index.ts';
import { invariant } from '../model/errors.ts';
import type { Offset } from '../model/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** A reply buffer whose newest bytes can be looked at. */
export interface ReadableReply extends ReplyWriter {
  /** A copy of what was written from `position` on. */
  copyFrom(position: number): Buffer;
}

/**
 * One numbered command that was admitted to be executed (R14), in the turn in which it runs. A handler that has written
 * its reply before its first append spares the log a record: the outcome lies in the first one then.
 */
export class CommandNumbering {
  readonly partition: LeaderPartition;
  readonly #command: NumberedCommand;
  readonly #reply: ReadableReply;
  readonly #start: number;
  #early: Buffer | null = null;
  #hasBegun = false;
  /** The finished reply, once the command has ended. */
  outcome: Buffer | null = null;

  constructor(partition: LeaderPartition, command: NumberedCommand, reply: ReadableReply) {
    this.partition = partition;
    this.#command = command;
    this.#reply = reply;
    this.#start = reply.position;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Before each append. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (this.#reply.position > this.#start) this.#early = this.#reply.copyFrom(this.#start);
    if (this.#early === null) this.partition.beginCommand(this.#command);
    else this.partition.beginCommand(this.#command, this.#early);
  }

  /** Returns the newest offset of the command. */
  end(): Offset {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.partition.beginCommand(this.#command);
    }
    const written = this.#reply.position - this.#start;
    this.outcome = this.#early?.length === written ? this.#early : this.#reply.copyFrom(this.#start);
    invariant(this.#early === null || this.#early === this.outcome, 'a reply grew after its first append');
    return this.partition.endCommand(this.outcome);
  }
}
