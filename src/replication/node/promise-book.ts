import type { Incarnation, LeaderEpoch, MonotonicMillis, NodeId } from '../../model/numbers.ts';
import type { ReplicationRules } from '../rules/rules.ts';

/** One life of one leader. */
export interface LeaderLife {
  readonly leader: NodeId;
  readonly incarnation: Incarnation;
}

interface Promised extends LeaderLife {
  /** Highest epoch in which the promise was made. */
  leaderEpoch: LeaderEpoch;
  untilMs: MonotonicMillis;
}

/**
 * What this node has promised to the leaders it followed: to lead nothing of a partition until then (4.4 L2, L5). Kept
 * per partition uuid and per (leader, incarnation), so that a release clears exactly what it speaks of (R20); survives
 * epoch changes (4.3-15); only grows (I10).
 */
export class PromiseBook {
  readonly #rules: ReplicationRules;
  readonly #byPartition = new Map<string, Promised[]>();
  readonly #bootWaitUntilMs: MonotonicMillis;

  /** `promiseMsMax`: the longest promise of earlier processes, as it stood on disk when this one began (4.3-4). */
  constructor(rules: ReplicationRules, bootAtMs: MonotonicMillis, promiseMsMax: number) {
    this.#rules = rules;
    this.#bootWaitUntilMs = rules.bootWaitUntil(bootAtMs, promiseMsMax);
  }

  /** Counted from the receipt of the stamp: echoing it again extends nothing (4.3-2). */
  promise(
    uuid: string,
    to: LeaderLife,
    leaderEpoch: LeaderEpoch,
    receivedAtMs: MonotonicMillis,
    leaseMs: number,
  ): void {
    const known = this.#find(uuid, to);
    const untilMs = this.#rules.promiseUntil(known?.untilMs ?? receivedAtMs, receivedAtMs, leaseMs);
    if (known === undefined) {
      this.#listOf(uuid).push({ ...to, leaderEpoch, untilMs });
      return;
    }
    if (leaderEpoch > known.leaderEpoch) known.leaderEpoch = leaderEpoch;
    known.untilMs = untilMs;
  }

  /** The leader says that it answers nothing any more in that epoch, nor in one below. A promise made in a later epoch stays. */
  release(uuid: string, by: LeaderLife, leaderEpoch: LeaderEpoch): boolean {
    const known = this.#find(uuid, by);
    if (known === undefined || known.leaderEpoch > leaderEpoch) return false;
    this.#byPartition.set(
      uuid,
      this.#listOf(uuid).filter((other) => other !== known),
    );
    return true;
  }

  /** The first instant at which this node may act as leader (L5). It may lie in the past. */
  mayActFromMs(uuid: string, self: LeaderLife, nowMs: MonotonicMillis): MonotonicMillis {
    const promises = this.#byPartition.get(uuid) ?? [];
    const own = { node: self.leader, incarnation: self.incarnation };
    const fromMs = this.#rules.mayActAt(promises, own, this.#bootWaitUntilMs);
    this.#forget(uuid, nowMs);
    return fromMs;
  }

  #forget(uuid: string, nowMs: MonotonicMillis): void {
    const running = this.#listOf(uuid).filter((promised) => promised.untilMs > nowMs);
    if (running.length === 0) this.#byPartition.delete(uuid);
    else this.#byPartition.set(uuid, running);
  }

  #find(uuid: string, life: LeaderLife): Promised | undefined {
    return this.#byPartition
      .get(uuid)
      ?.find((other) => other.leader === life.leader && other.incarnation === life.incarnation);
  }

  #listOf(uuid: string): Promised[] {
    const known = this.#byPartition.get(uuid);
    if (known !== undefined) return known;
    const fresh: Promised[] = [];
    this.#byPartition.set(uuid, fresh);
    return fresh;
  }
}
