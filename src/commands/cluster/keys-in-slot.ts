import { type LeaderPartition, slotOf } from '../../cluster/index.ts';
import { LIMITS } from '../../model/limits.ts';
import { asSlot, SLOT_COUNT, type Slot } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { NOT_AN_INTEGER } from '../errors.ts';
import { parseInteger } from '../integer.ts';
import { KeyList } from '../key-list.ts';
import type { ClusterPort } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { CLUSTER_COMMON, inCluster } from './in-cluster.ts';

/** A walk over a partition for the keys of one slot, in slices, kept between the runs of one command. */
class SlotWalk {
  readonly list = new KeyList();
  count = 0;
  readonly #slot: Slot;
  readonly #countMax: number;
  readonly #partition: LeaderPartition | null;
  readonly #visit: (bytes: Uint8Array, start: number, end: number) => void;
  #position = 0;
  /** The walk is over, though the command may run again: until its reply is confirmed (R3). */
  #isDone = false;

  /** `partition` null: there is nothing to walk over. `countMax` 0: all are counted, and none is kept. */
  constructor(partition: LeaderPartition | null, slot: Slot, countMax: number) {
    this.#partition = partition;
    this.#slot = slot;
    this.#countMax = countMax;
    this.#visit = (bytes, start, end) => {
      if (slotOf(bytes, start, end) !== this.#slot || this.#isFull) return;
      this.count += 1;
      if (this.#countMax > 0) this.list.add(bytes, start, end);
    };
  }

  /** A leadership that ended says nothing any more. */
  isOf(partition: LeaderPartition): boolean {
    return this.#partition === partition;
  }

  /** Walks on for one slice. True: done. */
  advance({ clock, session }: CommandContext): boolean {
    const partition = this.#partition;
    if (this.#isDone || partition === null) return true;
    const untilMs = clock.monotonicMs() + LIMITS.sliceMsMax;
    do {
      const step = LIMITS.keysPerStep;
      this.#position = partition.scan(session.database, this.#position, step, this.#visit);
      this.#isDone = this.#position === 0 || this.#isFull;
    } while (!this.#isDone && clock.monotonicMs() < untilMs);
    return this.#isDone;
  }

  get #isFull(): boolean {
    return this.#countMax > 0 && this.count >= this.#countMax;
  }
}

/** The keys of a slot that is led here; of one that is not, this node knows none. Null: not done yet. */
function walk(
  context: CommandContext,
  { source }: ClusterPort,
  slot: Slot,
  countMax: number,
): SlotWalk | null {
  const partition = source.ledSlot(slot);
  if (partition === null) return new SlotWalk(null, slot, countMax);
  if (!context.settled(partition)) return null;
  if (!(context.progress instanceof SlotWalk && context.progress.isOf(partition)))
    context.progress = new SlotWalk(partition, slot, countMax);
  const found = context.progress as SlotWalk;
  if (found.advance(context)) return found;
  context.suspend(context.clock.yieldTurn());
  return null;
}

function runCount(context: CommandContext, cluster: ClusterPort): void {
  const slot = integerArgument(context, 2);
  if (slot === null) return;
  if (!isSlot(slot)) {
    context.fail('ERR Invalid slot');
    return;
  }
  const found = walk(context, cluster, asSlot(slot), 0);
  if (found !== null) context.reply.integer(found.count);
}

function runGet(context: CommandContext, cluster: ClusterPort): void {
  const slot = integerArgument(context, 2);
  if (slot === null) return;
  const count = integerArgument(context, 3);
  if (count === null) return;
  if (!isSlot(slot) || count < 0) {
    context.fail('ERR Invalid slot or number of keys');
    return;
  }
  if (count === 0) {
    context.reply.array(0);
    return;
  }
  walk(context, cluster, asSlot(slot), count)?.list.write(context.reply);
}

function runKeySlot({ args, reply }: CommandContext): void {
  reply.integer(slotOf(args.bytes, args.start(2), args.end(2)));
}

/** Null: it is none, and the error is the reply. */
function integerArgument(context: CommandContext, index: number): number | null {
  const { args } = context;
  const value = parseInteger(args.bytes, args.start(index), args.end(index));
  if (!Number.isNaN(value)) return value;
  context.fail(NOT_AN_INTEGER);
  return null;
}

function isSlot(value: number): boolean {
  return value >= 0 && value < SLOT_COUNT;
}

export const keyslot = {
  ...CLUSTER_COMMON,
  name: 'keyslot',
  arity: 3,
  complexity: 'O(N) where N is the length of the key.',
  summary: 'Returns the slot of a key.',
  arguments: [{ name: 'key', type: 'string' }],
  run: inCluster(runKeySlot),
} satisfies CommandSpec;

export const countkeysinslot = {
  ...CLUSTER_COMMON,
  name: 'countkeysinslot',
  arity: 3,
  complexity: 'O(N) where N is the number of keys of the partition; it works in slices and stops nobody.',
  summary: 'Counts the keys of a slot, if this node leads it.',
  arguments: [{ name: 'slot', type: 'integer' }],
  run: inCluster(runCount),
} satisfies CommandSpec;

export const getkeysinslot = {
  ...CLUSTER_COMMON,
  name: 'getkeysinslot',
  arity: 4,
  complexity: 'O(N) where N is the number of keys of the partition; it works in slices and stops nobody.',
  tips: ['nondeterministic_output'],
  summary: 'Lists some keys of a slot, if this node leads it.',
  arguments: [
    { name: 'slot', type: 'integer' },
    { name: 'count', type: 'integer' },
  ],
  run: inCluster(runGet),
} satisfies CommandSpec;
