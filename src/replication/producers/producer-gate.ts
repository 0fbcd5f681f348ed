import { CaskadeError } from '../../model/errors.ts';
import type { Admission, NumberedCommand } from '../leader-partition.ts';
import type { ProducerTable } from './producer-table.ts';

/** What a table can say of a command; that nothing can be said yet, its leader must know. */
export type ProducerRetry = Exclude<Admission, { readonly verdict: 'suspended' }>;

const EXECUTE: ProducerRetry = { verdict: 'execute' };

/**
 * The question a leader asks before it executes a numbered command (R14). Only of a leader whose log is committed up to
 * its epoch's start.
 */
export function producerRetry(table: ProducerTable, command: NumberedCommand): ProducerRetry {
  const found = table.lookup(command, command.isRetry);
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
        expected: found.expected,
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
