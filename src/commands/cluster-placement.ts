import {
  type ClusterRouter,
  FollowerPartition,
  MovedError,
  type PartitionRoute,
  type StaleReads,
  slotOf,
} from '../cluster/index.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { MonotonicMillis, PartitionId, Slot } from '../model/numbers.ts';
import type { CommandContext } from './context.ts';
import { CROSS_SLOT } from './errors.ts';
import { mapChange } from './map-change.ts';
import { Placed, type Placement } from './placement.ts';
import type { CommandEntry } from './table.ts';

export interface ClusterPlacementParts {
  readonly router: Pick<ClusterRouter, 'self' | 'map' | 'onChange'>;
  /** What a follower here may tell of a partition, if it is fresh enough for whoever said READONLY; else null. */
  readonly readStale: (partition: PartitionId) => StaleReads | null;
}

/** Until when a command waits for its partition to be led; what is kept between its runs. */
class LeaderWait {
  readonly untilMs: MonotonicMillis;

  constructor(untilMs: MonotonicMillis) {
    this.untilMs = untilMs;
  }
}

const NOT_SERVED = new CaskadeError('noLeader', 'Hash slot not served');

/**
 * The listener for cluster clients (R23): what this node leads runs here, for the rest it says who leads it. A command
 * without keys is about the partitions that are led here.
 *
 * Where nobody leads a slot a command waits a little, `LIMITS.leaderWaitMsMax`: a leadership that is handed over is not
 * seen by clients, of which not all send again what met CLUSTERDOWN. No longer: commands for other slots stand behind it
 * in the same pipeline, and an election after a death takes about a second.
 */
export class ClusterPlacement implements Placement {
  readonly #parts: ClusterPlacementParts;
  readonly #followers = new Map<PartitionId, FollowerPartition>();

  constructor(parts: ClusterPlacementParts) {
    this.#parts = parts;
  }

  place(entry: CommandEntry, context: CommandContext): Placed {
    const { first, last } = entry.spec.keys;
    if (first === 0) return Placed.here;
    if (first !== last && !hasOneSlot(entry, context)) return refuse(entry, context, CROSS_SLOT);
    // Routed once: the command finds the partition where it was looked up here.
    if (context.partitionOf(first).isOver) return this.#elsewhere(entry, context);
    if (context.progress instanceof LeaderWait) context.progress = undefined;
    return Placed.here;
  }

  #elsewhere(entry: CommandEntry, context: CommandContext): Placed {
    const { map, self } = this.#parts.router;
    const slot = slotOfKey(context, entry.spec.keys.first);
    const route = map.partitionOfSlot(slot);
    const leader = route === null ? null : map.leaderOf(route);
    const other = leader === null || leader.id === self ? null : leader;
    const address = other?.cluster ?? null;
    const error = address === null ? NOT_SERVED : new MovedError(slot, address);
    if (route !== null && this.#isReadHere(entry, context, route, error)) return Placed.here;
    if (address !== null) return refuse(entry, context, error.respText);
    return this.#awaitLeader(entry, context, error);
  }

  #awaitLeader(entry: CommandEntry, context: CommandContext, error: CaskadeError): Placed {
    const { clock } = context;
    const nowMs = clock.monotonicMs();
    if (!(context.progress instanceof LeaderWait)) {
      context.progress = new LeaderWait((nowMs + LIMITS.leaderWaitMsMax) as MonotonicMillis);
    }
    const { untilMs } = context.progress as LeaderWait;
    if (nowMs >= untilMs) return refuse(entry, context, error.respText);
    context.suspend(mapChange(this.#parts.router, clock, untilMs - nowMs));
    return Placed.answered;
  }

  /** READONLY: a follower here may answer, though not what the session itself has written since (R11). */
  #isReadHere(
    entry: CommandEntry,
    context: CommandContext,
    { id }: PartitionRoute,
    error: CaskadeError,
  ): boolean {
    const { session, clock } = context;
    if (session.readsAtFollowers !== true || !entry.spec.flags.includes('readonly')) return false;
    const reads = this.#parts.readStale(id);
    if (reads === null || (session.appended[id] ?? -1) >= reads.committedOffset) return false;
    let follower = this.#followers.get(id);
    if (follower === undefined) {
      follower = new FollowerPartition(id, clock, reads, error);
      this.#followers.set(id, follower);
    } else {
      follower.serve(reads, error);
    }
    if (context.progress instanceof LeaderWait) context.progress = undefined;
    context.readFrom(follower);
    return true;
  }
}

function hasOneSlot(entry: CommandEntry, context: CommandContext): boolean {
  const { first, step } = entry.spec.keys;
  const last = entry.lastKey(context.args.count);
  if (last <= first) return true;
  const slot = slotOfKey(context, first);
  for (let index = first + step; index <= last; index += step)
    if (slotOfKey(context, index) !== slot) return false;
  return true;
}

function slotOfKey({ args }: CommandContext, index: number): Slot {
  return slotOf(args.bytes, args.start(index), args.end(index));
}

function refuse(entry: CommandEntry, context: CommandContext, text: string): Placed {
  entry.rejectedCalls += 1;
  context.progress = undefined;
  context.fail(text);
  return Placed.answered;
}
