import type { CommandContext } from '../commands/context.ts';
import { refusalText } from '../commands/errors.ts';
import { CaskadeError } from '../model/errors.ts';
import type { Offset } from '../model/numbers.ts';

/** A partition as the connection sees it. */
export type Partition = CommandContext['holdPartitions'][number];

/**
 * Reply to a command whose record at `offset` was appended and is not known to be committed: never an OK, never a plain
 * error.
 */
export function inDoubtText(partition: Partition, offset: Offset, reason: string): string {
  return `INDOUBT ${partition.id} ${partition.leaderEpoch} ${offset} ${reason}`;
}

/** The same for a record that the partition gave up: in doubt, or refused before anything of it was written. */
export function givenUpText(
  partition: Partition,
  offset: Offset,
  error: CaskadeError,
  isPart: boolean,
): string {
  // Of a command over several partitions the other parts may be done: "refused" would be a lie (R21).
  const isInDoubt = isPart || error.code === 'inDoubt';
  return isInDoubt ? inDoubtText(partition, offset, error.message) : refusalText(error);
}

/** Reply to a command that appended nothing itself but saw a record that was not committed in the end (R3): safe to retry. */
export function sawUncommittedText(reason: string): string {
  return new CaskadeError('tryAgain', `the reply rested on a write that was not committed: ${reason}`)
    .respText;
}
