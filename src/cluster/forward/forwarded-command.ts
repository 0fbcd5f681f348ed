import type { ErrorCode } from '../../model/errors.ts';
import type {
  DatabaseId,
  LeaderEpoch,
  MonotonicMillis,
  NodeId,
  Offset,
  PartitionId,
} from '../../model/numbers.ts';
import type { ForwardError, ForwardedClient } from './messages.ts';

/** What became of a forwarded command. Exactly one of them is told, once. */
export type ForwardAnswer =
  /** `reply` null: it was done, and what was answered then is not known any more. */
  | {
      readonly kind: 'done';
      readonly reply: Uint8Array | null;
      readonly leaderEpoch: LeaderEpoch;
      readonly offset: Offset;
    }
  /** It did not run and will not: a retry is safe. */
  | { readonly kind: 'refused'; readonly error: ForwardError }
  /** It may have run, or may yet be found to have. `offset` -1: nobody said where. */
  | {
      readonly kind: 'inDoubt';
      readonly leaderEpoch: LeaderEpoch;
      readonly offset: Offset;
      readonly reason: string;
    };

/** A command, or one part of it, that the leader of one partition is to run. */
export interface ForwardedCommand {
  readonly partition: PartitionId;
  /** A write is numbered, and run once however often it is sent; a read may run more than once. */
  readonly isWrite: boolean;
  readonly database: DatabaseId;
  readonly respVersion: 2 | 3;
  readonly client: ForwardedClient;
  /** As `ForwardRequest.command`; whoever made it does not change it any more. */
  readonly command: Uint8Array;
  /** The answer comes at the latest then. If it is over already, the command is refused and not sent. */
  readonly deadlineMs: MonotonicMillis;
  /** Never within the call that forwards the command. */
  answered(answer: ForwardAnswer): void;
}

/** Whom to send to. */
export interface ForwardTarget {
  readonly node: NodeId;
  readonly leaderEpoch: LeaderEpoch;
}

/**
 * Refusals that say no more than that another leads, or will: they are waited out, until the command's deadline. Any
 * other is the client's answer.
 */
export function isOfChangingLeader(code: ErrorCode): boolean {
  return code === 'notLeader' || code === 'noLeader' || code === 'shuttingDown' || code === 'partitionFenced';
}
