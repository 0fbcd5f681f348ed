import type { CommandContext } from './context.ts';
import type { CommandEntry } from './table.ts';

/**
 * What becomes of a command before it runs. `here`: it is executed by this node now. `answered`: its reply, an error as a
 * rule, is written, or `context.suspension` is set and it will be placed again. `deferred`: somebody else answers it;
 * `context.deferred` is where.
 */
export const Placed = { here: 0, answered: 1, deferred: 2 } as const;
export type Placed = (typeof Placed)[keyof typeof Placed];

/**
 * Where the commands of one listener run (R23). Asked after name and arity are known, and again each time a suspended
 * command runs again.
 */
export interface Placement {
  place(entry: CommandEntry, context: CommandContext): Placed;
}

/** Of a node that is alone: it has everything. */
export const EVERYTHING_HERE: Placement = { place: () => Placed.here };
