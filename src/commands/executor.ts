import type { LeaderPartition } from '../cluster/index.ts';
import type { CaskadeError } from '../model/errors.ts';
import type { CommandContext } from './context.ts';
import type { CommandCounters } from './ports.ts';
import type { CommandEntry, CommandTable } from './table.ts';

/**
 * Runs the command in `context.args`: finds it, checks arity and admission, calls its handler. Afterwards either
 * `context.suspension` is set and nothing was replied (run it again later), or the reply is written and the context's
 * holds say what it rests on.
 */
export class Executor {
  readonly #table: CommandTable;
  readonly #counters: CommandCounters;

  constructor(table: CommandTable, counters: CommandCounters) {
    this.#table = table;
    this.#counters = counters;
  }

  execute(context: CommandContext): void {
    context.reset();
    const entry = this.#find(context);
    if (entry === null || !this.#admit(entry, context)) return;
    (entry.spec.run as (context: CommandContext) => void)(context);
    if (context.suspension === null) {
      entry.calls += 1;
      context.progress = undefined;
    }
  }

  #find(context: CommandContext): CommandEntry | null {
    const { args } = context;
    const entry = this.#table.find(args, 0);
    if (entry === undefined) return this.#reject(context, unknownCommand(context));
    if (entry.subcommands === null || args.count < 2)
      return this.#checkArity(entry, context, entry.spec.name);
    const subcommand = entry.subcommands.find(args, 1);
    if (subcommand !== undefined) {
      return this.#checkArity(subcommand, context, `${entry.spec.name}|${subcommand.spec.name}`);
    }
    if (entry.spec.run !== undefined && entry.spec.arity < 0) return entry;
    return this.#reject(context, unknownSubcommand(entry, context));
  }

  #checkArity(entry: CommandEntry, context: CommandContext, name: string): CommandEntry | null {
    const { count } = context.args;
    const { arity } = entry.spec;
    if (entry.spec.run !== undefined && (arity >= 0 ? count === arity : count >= -arity)) return entry;
    entry.rejectedCalls += 1;
    return this.#reject(context, `ERR wrong number of arguments for '${name}' command`);
  }

  #reject(context: CommandContext, text: string): null {
    this.#counters.errorReplies += 1;
    context.reply.error(text);
    return null;
  }

  /** Refusals come before anything is appended; congestion makes a writer wait. */
  #admit(entry: CommandEntry, context: CommandContext): boolean {
    if (!entry.isWrite) return true;
    const { partitions } = context.router;
    if (partitions.length === 1) return this.#admitInto(partitions[0] as LeaderPartition, entry, context);
    const touched = this.#touched(entry, context);
    for (const partition of touched) if (!this.#admitInto(partition, entry, context)) return false;
    return true;
  }

  #admitInto(partition: LeaderPartition, entry: CommandEntry, context: CommandContext): boolean {
    const refusal: CaskadeError | null = partition.writeRefusal();
    if (refusal !== null) {
      entry.rejectedCalls += 1;
      this.#reject(context, refusal.respText);
      return false;
    }
    if (partition.congestion === null) return true;
    context.suspend(partition.congestion);
    return false;
  }

  #touched(entry: CommandEntry, context: CommandContext): Iterable<LeaderPartition> {
    const { first, last, step } = entry.spec.keys;
    const { args, router } = context;
    if (first === 0) return router.partitions;
    const end = last < 0 ? args.count + last : last;
    const touched = new Set<LeaderPartition>();
    for (let index = first; index <= end; index += step) {
      touched.add(router.partitionOf(args.bytes, args.start(index), args.end(index)));
    }
    return touched;
  }
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
