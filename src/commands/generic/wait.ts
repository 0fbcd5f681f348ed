import type { PartitionRoute } from '../../cluster/index.ts';
import type { Clock } from '../../env/clock.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { NOT_AN_INTEGER } from '../errors.ts';
import { parseInteger } from '../integer.ts';
import { mapChange } from '../map-change.ts';
import type { ClusterPort } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';

/** A timer runs no longer; whoever waits longer looks in between. */
const TIMER_MS_MAX = 2 ** 30;

/** Until when a command waits for replicas; what is kept between its runs. */
class ReplicaWait {
  readonly untilMs: MonotonicMillis;

  constructor(untilMs: MonotonicMillis) {
    this.untilMs = untilMs;
  }
}

/**
 * Replicas that hold all that this session has written, at most `wanted`. What is committed is on every member of the
 * ISR already, so this waits only where the ISR is smaller than is wanted, and could be larger. Null: not known yet.
 */
function acknowledged(context: CommandContext, wanted: number, timeoutMs: number): number | null {
  const { clock, server } = context;
  const { cluster } = server;
  const isOver = !waitsStill(context, timeoutMs);
  const unresolved = isOver ? null : context.unresolved();
  if (unresolved !== null) {
    context.suspend(timed(clock, unresolved, leftMs(context)));
    return null;
  }
  if (cluster === undefined || context.unresolved() !== null) return 0;
  const written = writtenPartitions(context, cluster);
  const count = Math.min(wanted, ...written.map(({ isr }) => Math.max(0, isr.length - 1)));
  const possible = Math.min(wanted, ...written.map(({ replicas }) => Math.max(0, replicas.length - 1)));
  if (count >= possible || isOver) return count;
  context.suspend(mapChange(cluster.source, clock, leftMs(context)));
  return null;
}

/** Those that the session has written to; all, if it has written nothing. */
function writtenPartitions({ session }: CommandContext, { source }: ClusterPort): readonly PartitionRoute[] {
  const { partitions } = source.map;
  const { appended, forwarded } = session;
  const written = partitions.filter(
    ({ id }) => appended[id] !== undefined || forwarded?.hasWritten(id) === true,
  );
  return written.length > 0 ? written : partitions;
}

/** `timeoutMs` 0: as long as a write may take. */
function waitsStill(context: CommandContext, timeoutMs: number): boolean {
  const nowMs = context.clock.monotonicMs();
  if (!(context.progress instanceof ReplicaWait)) {
    const boundMs = context.server.cluster?.writeTimeoutMs ?? Number.POSITIVE_INFINITY;
    const untilMs = nowMs + (timeoutMs === 0 ? boundMs : timeoutMs);
    context.progress = new ReplicaWait(untilMs as MonotonicMillis);
    return true;
  }
  return nowMs < context.progress.untilMs;
}

function leftMs({ clock, progress }: CommandContext): number {
  const { untilMs } = progress as ReplicaWait;
  return Math.min(TIMER_MS_MAX, Math.max(0, untilMs - clock.monotonicMs()));
}

/** `until`, or the time. */
function timed(clock: Clock, until: Promise<void>, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(delayMs, resolve);
    void until.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

/** Null: it is none, and the error is the reply. `errors`: for what is no integer, and for one that is not `fits`. */
function integerArgument(
  context: CommandContext,
  index: number,
  fits: (value: number) => boolean,
  errors: readonly [notInteger: string, outOfRange: string],
): number | null {
  const { args } = context;
  const value = parseInteger(args.bytes, args.start(index), args.end(index));
  if (fits(value)) return value;
  context.fail(Number.isNaN(value) ? errors[0] : errors[1]);
  return null;
}

const isNotNegative = (value: number): boolean => value >= 0;
const isInteger = (value: number): boolean => !Number.isNaN(value);
const isFlag = (value: number): boolean => value === 0 || value === 1;
const TIMEOUT_ERRORS = ['ERR timeout is not an integer or out of range', 'ERR timeout is negative'] as const;
const LOCAL_ERRORS = [NOT_AN_INTEGER, 'ERR value is out of range, must between 0 and 1'] as const;
const REPLICAS_ERRORS = [NOT_AN_INTEGER, 'ERR value is out of range, must be positive'] as const;

function runWait(context: CommandContext): void {
  const wanted = integerArgument(context, 1, isInteger, REPLICAS_ERRORS);
  if (wanted === null) return;
  const timeoutMs = integerArgument(context, 2, isNotNegative, TIMEOUT_ERRORS);
  if (timeoutMs === null) return;
  const count = acknowledged(context, Math.max(0, wanted), timeoutMs);
  if (count !== null) context.reply.integer(count);
}

/** On disk before it is acknowledged is a matter of the flush mode: without `always` nobody promises it. */
function runWaitAof(context: CommandContext): void {
  const { reply, server } = context;
  if (integerArgument(context, 1, isFlag, LOCAL_ERRORS) === null) return;
  const wanted = integerArgument(context, 2, isNotNegative, REPLICAS_ERRORS);
  if (wanted === null) return;
  const timeoutMs = integerArgument(context, 3, isNotNegative, TIMEOUT_ERRORS);
  if (timeoutMs === null) return;
  const count = acknowledged(context, wanted, timeoutMs);
  if (count === null) return;
  const isOnDisk = server.stats.flushMode === 'always';
  reply.array(2);
  reply.integer(isOnDisk && context.unresolved() === null ? 1 : 0);
  reply.integer(isOnDisk ? count : 0);
}

const common = {
  flags: ['noscript'],
  keys: NO_KEYS,
  aclCategories: ['@slow', '@connection'],
  tips: ['request_policy:all_shards', 'response_policy:agg_min'],
  group: 'generic',
  complexity: 'O(N) where N is the number of partitions.',
} as const;

export const wait = {
  ...common,
  name: 'wait',
  arity: 3,
  since: '3.0.0',
  summary:
    'Returns how many replicas hold what this connection has written, once they are enough or time is up.',
  arguments: [
    { name: 'numreplicas', type: 'integer' },
    { name: 'timeout', type: 'integer' },
  ],
  run: runWait,
} satisfies CommandSpec;

export const waitaof = {
  ...common,
  name: 'waitaof',
  arity: 4,
  since: '7.2.0',
  summary: 'As WAIT, for what is on disk: here, and at replicas.',
  arguments: [
    { name: 'numlocal', type: 'integer' },
    { name: 'numreplicas', type: 'integer' },
    { name: 'timeout', type: 'integer' },
  ],
  run: runWaitAof,
} satisfies CommandSpec;
