import type { ShardCluster, Victim } from '../../peers/shard-cluster.ts';
import { Probe, type ProbedCommand } from './probe.ts';

const WARM_UP_MS_MAX = 20_000;
const OUTAGE_MS_MAX = 120_000;
const POLL_MS = 5;
const COMMANDS: readonly ProbedCommand[] = ['SET', 'GET'];

/** From the fault until every shard has answered a command that was sent after it, in ms. */
export interface Outage {
  readonly role: string;
  readonly writesMs: number;
  readonly readsMs: number;
}

/** One shard under probes, one for each server and command. */
class WatchedShard {
  readonly #probes: readonly Probe[];
  /** When the last command began that succeeded, and when the first one succeeded that began after the fault. */
  readonly #succeeded: Record<ProbedCommand, boolean> = { SET: false, GET: false };
  readonly #backAtMs: Record<ProbedCommand, number | null> = { SET: null, GET: null };
  #faultAtMs = Number.POSITIVE_INFINITY;

  constructor(cluster: ShardCluster, shard: ShardCluster['shards'][number]) {
    this.#probes = COMMANDS.flatMap((command) =>
      cluster.members.map(
        ({ port }) => new Probe(port, command, shard, (sentAtMs) => this.#success(command, sentAtMs)),
      ),
    );
  }

  get isAnswered(): boolean {
    return COMMANDS.every((command) => this.#succeeded[command]);
  }

  backAtMs(command: ProbedCommand): number | null {
    return this.#backAtMs[command];
  }

  faultAt(timeMs: number): void {
    this.#faultAtMs = timeMs;
  }

  stop(): void {
    for (const probe of this.#probes) probe.stop();
  }

  #success(command: ProbedCommand, sentAtMs: number): void {
    this.#succeeded[command] = true;
    if (sentAtMs < this.#faultAtMs) return;
    this.#backAtMs[command] ??= performance.now();
    if (COMMANDS.every((each) => this.#backAtMs[each] !== null)) this.stop();
  }
}

/** Strikes a victim while every shard is written and read at every server, and waits until all shards answer again. */
export async function measureOutage(
  cluster: ShardCluster,
  victim: Victim,
  strike: (victim: Victim) => void,
): Promise<Outage> {
  const shards = cluster.shards.map((shard) => new WatchedShard(cluster, shard));
  try {
    await until('every shard answers', () => shards.every((shard) => shard.isAnswered), WARM_UP_MS_MAX);
    const faultAtMs = performance.now();
    for (const shard of shards) shard.faultAt(faultAtMs);
    strike(victim);
    const isBack = (): boolean =>
      shards.every((shard) => COMMANDS.every((command) => shard.backAtMs(command) !== null));
    await until('every shard answers again', isBack, OUTAGE_MS_MAX);
    const longest = (command: ProbedCommand): number =>
      Math.max(...shards.map((shard) => (shard.backAtMs(command) ?? 0) - faultAtMs));
    return { role: victim.role, writesMs: longest('SET'), readsMs: longest('GET') };
  } finally {
    for (const shard of shards) shard.stop();
  }
}

async function until(what: string, holds: () => boolean, deadlineMs: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
