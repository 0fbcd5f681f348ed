import {
  asIncarnation,
  asOffset,
  type Incarnation,
  type MonotonicMillis,
  type NodeId,
  type Offset,
} from '../../model/numbers.ts';
import type { Fetch, FetchProgress } from '../messages.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import type { FollowerProgress, LeaderView, Rebuild } from '../rules/types.ts';
import type { LeaderEvent } from './leader-events.ts';

/** What a leader remembers of every other replica in its epoch. */
export class FollowerBook {
  readonly #rules: ReplicationRules;
  readonly #followers = new Map<NodeId, FollowerProgress>();
  readonly #rebuilds = new Map<NodeId, Rebuild>();
  /** Newest fetch of each node's life: an older one, or its double, is ignored. */
  readonly #newest = new Map<NodeId, { readonly incarnation: Incarnation; readonly fetchId: number }>();

  constructor(rules: ReplicationRules) {
    this.#rules = rules;
  }

  get followers(): ReadonlyMap<NodeId, FollowerProgress> {
    return this.#followers;
  }

  get rebuilds(): Iterable<Rebuild> {
    return this.#rebuilds.values();
  }

  rebuildOf(node: NodeId): Rebuild | undefined {
    return this.#rebuilds.get(node);
  }

  /** Begins to watch who is assigned now, and forgets who no longer is. */
  watchAssigned({ state, live, self }: LeaderView, nowMs: MonotonicMillis): void {
    for (const node of [...this.#followers.keys()]) {
      if (state.replicas.includes(node)) continue;
      this.#followers.delete(node);
      this.#rebuilds.delete(node);
    }
    for (const node of state.replicas) {
      if (node === self || this.#followers.has(node)) continue;
      const incarnation = state.incarnations[node] ?? live.get(node) ?? asIncarnation(0);
      const directoryId = state.directoryIds[node] ?? '';
      this.#followers.set(node, this.#rules.newProgress(node, incarnation, directoryId, nowMs));
    }
  }

  /** Late, or a double, of the same life. One of an older life is not: it is refused. */
  isLate(fetch: Fetch): boolean {
    const newest = this.#newest.get(fetch.from);
    if (newest !== undefined) {
      if (fetch.fromIncarnation < newest.incarnation) return false;
      if (fetch.fromIncarnation === newest.incarnation && fetch.fetchId <= newest.fetchId) return true;
    }
    this.#newest.set(fetch.from, { incarnation: fetch.fromIncarnation, fetchId: fetch.fetchId });
    return false;
  }

  /**
   * After reconciliation accepted it (2.6 step 5). What was known of another life or directory is void (KIP-903, R5),
   * and so is what was before a rebuild.
   */
  noteFetch(fetch: Fetch, logEndOffset: Offset, removalCount: number, nowMs: MonotonicMillis): void {
    const { from, fromIncarnation, directoryId } = fetch;
    const rebuild = this.#rules.noteRebuild(this.#rebuilds.get(from), fetch, removalCount, nowMs);
    if (rebuild === undefined) this.#rebuilds.delete(from);
    else this.#rebuilds.set(from, rebuild);
    let progress = this.#followers.get(from);
    const isSame = progress?.incarnation === fromIncarnation && progress.directoryId === directoryId;
    if (progress === undefined || !isSame || this.#rules.startsRebuild(fetch)) {
      progress = this.#rules.newProgress(from, fromIncarnation, directoryId, nowMs);
    }
    this.#followers.set(from, this.#rules.noteFetch(progress, fetch, logEndOffset, nowMs));
  }

  /** Counts only after a fetch of this epoch was accepted, of the same life and directory. */
  noteProgress(word: FetchProgress, logEndOffset: Offset, nowMs: MonotonicMillis): void {
    const known = this.#followers.get(word.from);
    if (known === undefined || known.fetchOffset < 0) return;
    if (known.incarnation !== word.fromIncarnation || known.directoryId !== word.directoryId) return;
    const { durableOffset, partitionVersion } = word;
    const noted = { fetchOffset: asOffset(-1), durableOffset, partitionVersion };
    this.#followers.set(word.from, this.#rules.noteFetch(known, noted, logEndOffset, nowMs));
  }

  /** L3. An echo of an older life than is known gives nothing. */
  noteEcho(echo: Extract<LeaderEvent, { kind: 'echo' }>, leaseMs: number): void {
    let progress = this.#followers.get(echo.from);
    if (progress !== undefined && echo.fromIncarnation < progress.incarnation) return;
    if (progress?.incarnation !== echo.fromIncarnation) {
      const directoryId = progress?.directoryId ?? '';
      progress = this.#rules.newProgress(echo.from, echo.fromIncarnation, directoryId, echo.nowMs);
    }
    const leaseUntilMs = this.#rules.leaseExpiry(echo.sentAtMs, leaseMs, echo.leaseMs);
    const clockGapMs = echo.sentWallMs - echo.sentAtMs;
    const { sequence } = echo;
    this.#followers.set(echo.from, this.#rules.noteEcho(progress, { sequence, leaseUntilMs, clockGapMs }));
  }

  /** L8. */
  dropLeases(): void {
    for (const progress of [...this.#followers.values()]) {
      this.#followers.set(progress.node, this.#rules.withoutLease(progress));
    }
  }
}
