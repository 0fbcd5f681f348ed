import {
  type ForwardAnswer,
  type LeaderPartition,
  type MapSource,
  NO_PARTITION,
  type Router,
} from '../../cluster/index.ts';
import { CaskadeError } from '../../model/errors.ts';
import type { PartitionId } from '../../model/numbers.ts';
import { encodeArguments } from '../../resp/request-encoder.ts';
import type { CommandContext } from '../context.ts';
import { DeferredReply } from '../deferred-reply.ts';
import { CROSS_SLOT } from '../errors.ts';
import { Placed, type Placement } from '../placement.ts';
import type { Scatter } from '../spec.ts';
import type { CommandEntry } from '../table.ts';
import { ForwardedOrder, type ForwardPort } from './forwarded-order.ts';
import { errorReply, type GatheredPart, gather, replyOf } from './gather.ts';
import { goOnAt } from './scan-reply.ts';
import { cursorAfter, type Part, partitionOfCursor, partsByKey } from './split.ts';

/** Where everything is led, and what is led here (`ClusterRouter`). */
export interface PlacementRouter extends Router, MapSource {
  leading(partition: PartitionId): LeaderPartition | null;
}

export interface ForwardPlacementParts {
  readonly router: PlacementRouter;
  readonly forwarder: ForwardPort;
  /** A forwarded command is answered within so long (`writeTimeoutMs`). */
  readonly patienceMs: number;
}

type Answered = (answer: ForwardAnswer) => void;

const NOTHING_KNOWN = new CaskadeError('noLeader', 'Nothing is known of the cluster yet');
const INTERNAL_ERROR = 'ERR internal error';

/**
 * The listener for plain clients (R23): every command works on every node. What lies in partitions that are led here
 * runs here; else the command, or each partition's part of it, goes to the leader, and its reply is deferred.
 */
export class ForwardPlacement implements Placement {
  readonly #parts: ForwardPlacementParts;

  constructor(parts: ForwardPlacementParts) {
    this.#parts = parts;
  }

  place(entry: CommandEntry, context: CommandContext): Placed {
    const { first, last } = entry.spec.keys;
    if (first === 0) return this.#placeWithoutKeys(entry, context);
    if (first !== last && entry.lastKey(context.args.count) > first) return this.#placeMany(entry, context);
    // Routed once: the command finds the partition where it was looked up here.
    const partition = context.partitionOf(first);
    return partition.isOver ? this.#placeElsewhere(entry, context) : here(context, partition.id);
  }

  /** What names no keys is about this node, unless it says how it is done in parts. */
  #placeWithoutKeys(entry: CommandEntry, context: CommandContext): Placed {
    const { scatter } = entry.spec;
    if (scatter === undefined) return Placed.here;
    const { router } = this.#parts;
    const { map } = router;
    if (map.partitions.length === 0) return refuse(context, NOTHING_KNOWN);
    if (router.partitions.length === map.partitions.length) return here(context, null);
    if (scatter.split !== 'cursor') {
      const parts = map.partitions.map(({ id }) => ({ partition: id, keys: [] }));
      return this.#scatter(entry, context, scatter, parts);
    }
    const route = partitionOfCursor(context, map);
    if (route === null) return Placed.here;
    return this.#scatter(entry, context, scatter, [{ partition: route.id, keys: [] }]);
  }

  #placeMany(entry: CommandEntry, context: CommandContext): Placed {
    return this.#areLedHere(entry, context) ? here(context, null) : this.#placeElsewhere(entry, context);
  }

  #areLedHere(entry: CommandEntry, { args }: CommandContext): boolean {
    const { router } = this.#parts;
    const { first, step } = entry.spec.keys;
    const last = entry.lastKey(args.count);
    for (let index = first; index <= last; index += step)
      if (router.partitionOf(args.bytes, args.start(index), args.end(index)).isOver) return false;
    return true;
  }

  #placeElsewhere(entry: CommandEntry, context: CommandContext): Placed {
    const { scatter } = entry.spec;
    const parts = partsByKey(entry, context, this.#parts.router.map);
    if (parts === null) return refuse(context, NOTHING_KNOWN);
    const [first] = parts;
    if (first !== undefined && parts.length === 1) return this.#forwardWhole(entry, context, first);
    if (scatter !== undefined) return this.#scatter(entry, context, scatter, parts);
    context.fail(CROSS_SLOT);
    return Placed.answered;
  }

  #forwardWhole(entry: CommandEntry, context: CommandContext, part: Part): Placed {
    const { counters } = context.server;
    const command = encodeArguments(context.args, null);
    const deferred = new DeferredReply(command.length);
    this.#send(entry, context, part.partition, command, (answer) => {
      const reply = replyOf(part.partition, answer);
      if (answer.kind !== 'done' || answer.reply === null) counters.countError(errorTextOf(reply));
      deferred.answer(reply);
    });
    context.deferred = deferred;
    return Placed.deferred;
  }

  #scatter(entry: CommandEntry, context: CommandContext, scatter: Scatter, parts: readonly Part[]): Placed {
    if (!this.#isSettled(entry, context, parts)) return Placed.answered;
    const commands = parts.map(({ keys }) =>
      encodeArguments(context.args, keys.length > 0 ? [0, ...keys] : null),
    );
    const deferred = new DeferredReply(commands.reduce((sum, { length }) => sum + length, 0));
    const { counters } = context.server;
    const { map } = this.#parts.router;
    const gathered: GatheredPart[] = [];
    let missing = parts.length;
    for (const [at, { partition, keys }] of parts.entries()) {
      this.#send(entry, context, partition, commands[at] as Buffer, (answer) => {
        gathered[at] = { partition, keys, answer };
        missing -= 1;
        if (missing > 0) return;
        let reply = gatherSafely(scatter, entry.isWrite, gathered);
        if (scatter.gather === 'cursor') reply = goOnAt(reply, cursorAfter(partition, map));
        if (reply[0] === MINUS) counters.countError(errorTextOf(reply));
        deferred.answer(reply);
      });
    }
    context.deferred = deferred;
    return Placed.deferred;
  }

  /** A part that is read here comes behind what the session itself has appended here (R11). */
  #isSettled(entry: CommandEntry, context: CommandContext, parts: readonly Part[]): boolean {
    if (entry.isWrite) return true;
    for (const { partition } of parts) {
      const led = this.#parts.router.leading(partition) ?? NO_PARTITION;
      if (!led.isOver && !context.settled(led)) return false;
    }
    return true;
  }

  #send(
    entry: CommandEntry,
    { session, reply, clock }: CommandContext,
    partition: PartitionId,
    command: Buffer,
    answered: Answered,
  ): void {
    const { forwarder, patienceMs } = this.#parts;
    session.forwarded ??= new ForwardedOrder(forwarder, clock);
    session.forwarded.forward({
      partition,
      isWrite: entry.isWrite,
      database: session.database,
      respVersion: reply.version,
      client: { id: session.id, address: session.address, name: session.name },
      command,
      patienceMs,
      answered,
    });
  }
}

const MINUS = 0x2d;

/** Behind what is under way to the same partition it waits: it would overtake it (R11). Null: to any. */
function here(context: CommandContext, partition: PartitionId | null): Placed {
  const { forwarded } = context.session;
  if (forwarded === undefined || forwarded.isIdle) return Placed.here;
  if (partition !== null && !forwarded.isUnderWay(partition)) return Placed.here;
  const answered = partition === null ? forwarded.whenAllAnswered() : forwarded.whenAnswered(partition);
  if (answered !== null) context.suspend(answered);
  return Placed.answered;
}

function refuse(context: CommandContext, error: CaskadeError): Placed {
  context.fail(error.respText);
  return Placed.answered;
}

function gatherSafely(scatter: Scatter, isWrite: boolean, parts: readonly GatheredPart[]): Uint8Array {
  try {
    return gather(scatter.gather, isWrite, parts);
  } catch (error) {
    if (error instanceof Error) return errorReply(INTERNAL_ERROR);
    throw error;
  }
}

function errorTextOf(reply: Uint8Array): string {
  return Buffer.from(reply.buffer, reply.byteOffset + 1, Math.min(reply.byteLength - 1, 64)).toString(
    'latin1',
  );
}
