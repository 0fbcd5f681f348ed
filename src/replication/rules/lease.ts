import {
  asMonotonicMillis,
  type Incarnation,
  type MonotonicMillis,
  type NodeId,
} from '../../model/numbers.ts';
import type { LeaderView } from './types.ts';

/** How much faster or slower than true a clock may run (rho). */
export const CLOCK_RATE_ERROR = 0.05;
/** Margin of every lease (delta). */
export const LEASE_MARGIN_MS = 10;
/** Wall and monotonic clock may part by this much before leases are void (4.3-9). */
export const CLOCK_GAP_MS_MAX = 100;

/**
 * L3: until when a promise surely holds by the leader's clock: counted from the sending of the stamp, by the shorter of
 * both lengths (4.3-1, 4.3-13).
 */
export function leaseExpiry(sentAtMs: MonotonicMillis, leaseMs: number, promisedMs: number): MonotonicMillis {
  return asMonotonicMillis(
    sentAtMs + Math.min(leaseMs, promisedMs) * (1 - CLOCK_RATE_ERROR) - LEASE_MARGIN_MS,
  );
}

/**
 * R9: so long, at most, the reads of a leader are without lease and read-index when a follower falls silent: from the
 * end of its last lease until the ISR has shrunk. The coordinator is all they have then. 0: the lease outlasts it.
 */
export function readGapMs(leaseMs: number, lagMsMax: number, pollMsMax: number): number {
  return Math.max(0, lagMsMax + pollMsMax - leaseMs * (1 - CLOCK_RATE_ERROR));
}

/** 4.3-9: the clocks parted since the stamp: the host slept, or the wall was set. */
export function clockJumped(gapAtStampMs: number, gapNowMs: number): boolean {
  return Math.abs(gapNowMs - gapAtStampMs) > CLOCK_GAP_MS_MAX;
}

/** L2: to whom a node promised not to act, and until when. */
export interface Promised {
  readonly leader: NodeId;
  readonly incarnation: Incarnation;
  readonly untilMs: MonotonicMillis;
}

/** L2: counted from the receipt of the stamp that is echoed; never shortened (4.3-2, I10). */
export function promiseUntil(
  currentMs: MonotonicMillis,
  receivedAtMs: MonotonicMillis,
  leaseMs: number,
): MonotonicMillis {
  return asMonotonicMillis(Math.max(currentMs, receivedAtMs + leaseMs));
}

/**
 * L5, R20: from when on a new leader acts: every promise to another (leader, incarnation) is over, and so is the wait
 * after a boot.
 */
export function mayActAt(
  promises: Iterable<Promised>,
  self: { readonly node: NodeId; readonly incarnation: Incarnation },
  bootWaitUntilMs: MonotonicMillis,
): MonotonicMillis {
  let atMs: number = bootWaitUntilMs;
  for (const promise of promises) {
    if (promise.leader === self.node && promise.incarnation === self.incarnation) continue;
    atMs = Math.max(atMs, promise.untilMs);
  }
  return asMonotonicMillis(atMs);
}

/** L5: advance the high watermark, answer reads, propose, release: all barred before. */
export function mayAct(mayActAtMs: MonotonicMillis, nowMs: MonotonicMillis): boolean {
  return nowMs >= mayActAtMs;
}

/** R20: the wait after a boot: only if a promise was ever persisted. */
export function bootWaitUntil(bootAtMs: MonotonicMillis, promiseMsMax: number): MonotonicMillis {
  return asMonotonicMillis(promiseMsMax === 0 ? Number.NEGATIVE_INFINITY : bootAtMs + promiseMsMax);
}

export interface LeaseRules {
  leaseSet(view: LeaderView, rules: LeaseRules): readonly NodeId[];
  maximalIsr(view: Pick<LeaderView, 'state' | 'pending'>): readonly NodeId[];
  mayAct(mayActAtMs: MonotonicMillis, nowMs: MonotonicMillis): boolean;
  clockJumped(gapAtStampMs: number, gapNowMs: number): boolean;
  servesReads(view: LeaderView, nowMs: MonotonicMillis, rules: LeaseRules): boolean;
}

/**
 * 4.3-11, L5, R10: reads are answered only when everything inherited is committed, and not by a leader whose ISR was
 *   never large enough, or of whose epoch too few know: it may have been begun again, with the same version (R17).
 */
export function servesReads(view: LeaderView, nowMs: MonotonicMillis, rules: LeaseRules): boolean {
  return (
    rules.mayAct(view.mayActAtMs, nowMs) &&
    view.highWatermark >= view.epochStartOffset &&
    view.hasHadMinInsync &&
    view.isEpochKnown
  );
}

/** L4 at the instant `nowMs`: everybody of the lease set but the leader is bound by a promise; below min.insync never (R10). */
export function leaseValid(
  view: LeaderView,
  nowMs: MonotonicMillis,
  wallMs: number,
  rules: LeaseRules,
): boolean {
  if (!rules.servesReads(view, nowMs, rules) || view.state.isr.length < view.minInsync) return false;
  return rules.leaseSet(view, rules).every((node) => {
    if (node === view.self) return true;
    const progress = view.followers.get(node);
    if (progress === undefined || nowMs >= progress.leaseUntilMs) return false;
    return !rules.clockJumped(progress.leaseClockGapMs, wallMs - nowMs);
  });
}

/**
 * 4.2-2: everybody of the lease set but the leader echoed a stamp that was sent after the read arrived: one of this
 * sequence or a later one.
 */
export function readIndexConfirmed(
  view: LeaderView,
  sequence: number,
  nowMs: MonotonicMillis,
  rules: LeaseRules,
): boolean {
  if (!rules.servesReads(view, nowMs, rules) || view.state.isr.length < view.minInsync) return false;
  return rules
    .leaseSet(view, rules)
    .every((node) => node === view.self || (view.followers.get(node)?.echoedSequence ?? -1) >= sequence);
}

/** R9, R10: the third path: the znode still had this version after the reads arrived. Also below min.insync. */
export function versionCheckConfirms(
  view: LeaderView,
  checkedVersion: number,
  nowMs: MonotonicMillis,
  rules: LeaseRules,
): boolean {
  return checkedVersion === view.state.version && rules.servesReads(view, nowMs, rules);
}
