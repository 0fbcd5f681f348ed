import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../../model/numbers.ts';
import type { ForwardedCommand } from './forwarded-command.ts';
import type { ForwardError } from './messages.ts';

/** One command on its way, as its lane sees it. */
export class ForwardItem {
  readonly id: number;
  readonly command: ForwardedCommand;
  /** Emptied when the client was told: what is sent from then on only fills the number. */
  bytes: Uint8Array;
  /** Sent in this round, and that copy not answered. */
  isSent = false;
  /** That copy does not run: one before it was refused. */
  isAbsent = false;
  /** Some copy of an earlier round may have run. Its number is its own for as long. */
  isInDoubt = false;
  /** It ran; what was sent before it is not answered yet. */
  isDone = false;
  /** Its deadline is over, and its client was told. */
  isGivenUp = false;
  leaderEpoch: LeaderEpoch = asLeaderEpoch(0);
  offset: Offset = asOffset(-1);
  lastError: ForwardError | null = null;

  constructor(id: number, command: ForwardedCommand) {
    this.id = id;
    this.command = command;
    this.bytes = command.command;
  }

  /** Something that was sent may have run. */
  get mayHaveRun(): boolean {
    return this.isInDoubt || (this.isSent && !this.isAbsent);
  }
}
