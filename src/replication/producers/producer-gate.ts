import { CaskadeError } from '../../model/errors.ts';
import type { Offset } from '../../model/numbers.ts';
import type { ProducerNote } from '../../model/producer.ts';
import type { ProducerTable } from './producer-table.ts';

/**
 * What becomes of a numbered command before it is executed. `join`: wait until `offset` is resolved, then ask again (R13): never answer early.
 * `refuse`: its error says whether it may be sent again.
 */
export type ProducerRetry =
  | { readonly verdict: 'execute' }
  | { readonly verdict: 'join'; readonly offset: Offset }
  | { readonly verdict: 'answer'; readonly offset: Offset; readonly outcome: Uint8Array | null }
  | { readonly verdict: 'refuse'; readonly error: CaskadeError };

const EXECUTE: ProducerRetry = { verdict: 'execute' };

/** The question a leader asks before it executes a numbered command (R14). Only of a leader whose log is committed up to its epoch's start. */
export function producerRetry(
  table: ProducerTable,
  command: Omit<ProducerNote, 'outcome'>,
  isRetry: boolean,
): ProducerRetry {
  const found = table.lookup(command, isRetry);
  switch (found.result) {
    case 'new':
      return EXECUTE;
    case 'pending':
      return { verdict: 'join', offset: found.offset };
    case 'done':
      return { verdict: 'answer', offset: found.offset, outcome: found.outcome };
    case 'gap':
      return {
        verdict: 'refuse',
        error: new CaskadeError(
          'tryAgain',
          `Command ${command.sequence} of this producer came before command ${found.expected}; send them again in order`,
        ),
      };
    case 'below':
      return {
        verdict: 'refuse',
        error: new CaskadeError(
          'inDoubt',
          `Command ${command.sequence} of this producer is older than what is remembered: it may have been executed; it was not executed now`,
        ),
      };
    default: {
      const never: never = found;
      return never;
    }
  }
}
