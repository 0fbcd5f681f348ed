import type { LeaderPartition } from '../cluster/index.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { CommandContext } from './context.ts';
import { wrongArity } from './errors.ts';
import { EVERYTHING_HERE, Placed, type Placement } from './placement.ts';
import type { CommandCounters } from './ports.ts';
import { type CommandEntry, type CommandTable, TIMED_CALLS } from './table.ts';

/** A write to all that this node leads would be answered as done, and nothing would be. */
const LEADS_NOTHING = new CaskadeError('noLeader', 'This node leads no partition').respText;

/**
 * Runs the command in `context.args`: finds it, checks arity and admission, calls its handler. Afterwards either
 * `context.suspension` is set and nothing was replied (run it again later), or the reply is written and the context's
 * holds say what it rests on.
 *
 * Every reply that no own append backs is a read, an error on what was read too (R3): it leaves only if each partition
 * it looked at confirms it.
 */
export class Executor {
  readonly #table: CommandTable;
  readonly #counters: CommandCounters;
  readonly #placement: Placement;

  constructor(table: CommandTable, counters: CommandCounters, placement: Placement = EVERYTHING_HERE) {
    this.#table = table;
    this.#counters = counters;
    this.#placement = placement;
  }

  execute(context: CommandContext): void {
    context.reset();
    const entry = this.#find(context);
    if (entry === null) return;
    const placed = this.#placement.place(entry, context);
    if (placed !== Placed.here) {
      // What earlier runs here have collected is of no use to the next command.
      if (context.suspension === null) context.progress = undefined;
      if (placed === Placed.deferred) this.#counters.commandsProcessed += 1;
      return;
    }
    if (!this.#admit(entry, context)) return;
    const run = entry.run as (context: CommandContext) => void;
    const start = context.reply.position;
    const { counters } = context.server;
    const { keyspaceHits, keyspaceMisses } = counters;
    if (entry.calls % TIMED_CALLS === 0) runTimed(run, entry, context);
    else run(context);
    if (context.suspension !== null) return;
    if (context.numbering !== null) {
      if (context.refusal === null) context.endNumbered(context.numbering);
    } else if (context.touchedCount > 0 && context.appendCount === 0 && !context.confirmed(start)) {
      if (context.suspension !== null) {
        // What this run has looked up the next one looks up again.
        counters.keyspaceHits = keyspaceHits;
        counters.keyspaceMisses = keyspaceMisses;
        return;
      }
    }
    entry.calls += 1;
    this.#counters.commandsProcessed += 1;
    if (context.failed) entry.failedCalls += 1;
    context.progress = undefined;
  }

  #find(context: CommandContext): CommandEntry | null {
    const { args } = context;
    const entry = this.#table.find(args, 0);
    if (entry === undefined) {
      if (!isHttp(context)) return this.#reject(context, null, unknownCommand(context));
      context.session.closeAfterReply = true;
      return null;
    }
    if (entry.subcommands === null || args.count < 2) return this.#checkArity(entry, context);
    const subcommand = entry.subcommands.find(args, 1);
    if (subcommand !== undefined) return this.#checkArity(subcommand, context);
    return this.#reject(context, entry, unknownSubcommand(entry, context));
  }

  #checkArity(entry: CommandEntry, context: CommandContext): CommandEntry | null {
    const { count } = context.args;
    const { arity } = entry.spec;
    if (entry.run !== undefined && (arity >= 0 ? count === arity : count >= -arity)) return entry;
    return this.#reject(context, entry, wrongArity(entry.fullName));
  }

  #reject(context: CommandContext, entry: CommandEntry | null, text: string): null {
    if (entry !== null) entry.rejectedCalls += 1;
    context.fail(text);
    return null;
  }

  /** Refusals come before anything is appended; congestion makes a writer wait. */
  #admit(entry: CommandEntry, context: CommandContext): boolean {
    if (!entry.isWrite) return true;
    if (entry.createsKeys && !this.#admitKeys(entry, context)) return false;
    const { router, args } = context;
    const { first, last, step } = entry.spec.keys;
    if (router.partitions.length === 1) {
      return this.#admitInto(router.partitions[0] as LeaderPartition, entry, context);
    }
    if (first === 0) return this.#admitEverywhere(entry, context);
    if (first === last) return this.#admitInto(context.partitionOf(first), entry, context);
    for (let index = first; index <= entry.lastKey(args.count); index += step) {
      const partition = router.partitionOf(args.bytes, args.start(index), args.end(index));
      if (!this.#admitInto(partition, entry, context)) return false;
    }
    return true;
  }

  #admitEverywhere(entry: CommandEntry, context: CommandContext): boolean {
    const { partitions } = context.router;
    for (const partition of partitions) if (!this.#admitInto(partition, entry, context)) return false;
    if (partitions.length === 0) this.#reject(context, entry, LEADS_NOTHING);
    return partitions.length > 0;
  }

  #admitKeys(entry: CommandEntry, context: CommandContext): boolean {
    const { first, step } = entry.spec.keys;
    const { args } = context;
    const last = entry.lastKey(args.count);
    for (let index = first; index <= last; index += step) {
      if (args.length(index) <= LIMITS.keyBytesMax) continue;
      this.#reject(
        context,
        entry,
        `ERR the key in argument ${index} has ${args.length(index)} bytes; ${LIMITS.keyBytesMax} are allowed`,
      );
      return false;
    }
    return true;
  }

  #admitInto(partition: LeaderPartition, entry: CommandEntry, context: CommandContext): boolean {
    const refusal = partition.writeRefusal();
    if (refusal !== null) {
      entry.rejectedCalls += 1;
      context.refuse(partition, refusal);
      return false;
    }
    if (partition.congestion === null) return true;
    context.suspend(partition.congestion);
    return false;
  }
}

function runTimed(
  run: (context: CommandContext) => void,
  entry: CommandEntry,
  context: CommandContext,
): void {
  const startedMs = context.clock.monotonicMs();
  run(context);
  if (context.suspension !== null) return;
  entry.timedCalls += 1;
  entry.timedMs += context.clock.monotonicMs() - startedMs;
}

/**
 * A browser that was made to send a request here: what stands in its body must not run. Closed without an answer, as Redis does.
 */
function isHttp({ args }: CommandContext): boolean {
  return args.is(0, 'POST') || args.is(0, 'HOST:');
}

const QUOTED_BYTES_MAX = 128;

function unknownCommand(context: CommandContext): string {
  const { args } = context;
  let quoted = '';
  for (let index = 1; index < args.count && quoted.length < QUOTED_BYTES_MAX; index += 1) {
    quoted += `'${args.text(index).slice(0, QUOTED_BYTES_MAX - quoted.length)}' `;
  }
  return `ERR unknown command '${args.text(0).slice(0, QUOTED_BYTES_MAX)}', with args beginning with: ${quoted}`;
}

function unknownSubcommand(entry: CommandEntry, context: CommandContext): string {
  const given = context.args.text(1).slice(0, QUOTED_BYTES_MAX);
  return `ERR unknown subcommand '${given}'. Try ${entry.upperName} HELP.`;
}
