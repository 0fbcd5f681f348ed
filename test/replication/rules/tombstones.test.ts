import { expect } from 'chai';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { Rebuild } from '../../../src/replication/rules/types.ts';
import { at, node, progressOf, stateOf, type ViewOptions, viewOf } from './views.ts';

const RETENTION_MS = 10_000;
const removable = (options: ViewOptions, nowMs = 100): number =>
  RULES.tombstoneRemoveOffset(viewOf({ highWatermark: 10, ...options }), at(nowMs), RETENTION_MS);

describe('tombstones that may be removed (R16, C4)', () => {
  it('over all small sets lie below what everybody assigned has on disk, and below the high watermark', () => {
    for (const second of [-1, 0, 3, 9]) {
      for (const third of [-1, 0, 3, 9]) {
        for (const own of [2, 9]) {
          for (const highWatermark of [0, 1, 9]) {
            const followers = [progressOf(2, { durable: second }), progressOf(3, { durable: third })];
            const expected = Math.max(0, Math.min(second, third, own, highWatermark));
            // In the ISR or not: assigned is what counts.
            const state = stateOf({ isr: [1] });
            expect(removable({ state, followers, durable: own, highWatermark })).to.equal(expected);
          }
        }
      }
    }
  });

  it('count replicas that are being added', () => {
    const state = stateOf({ replicas: [1, 2], adding: [4], isr: [1, 2] });
    expect(removable({ state, followers: [progressOf(2), progressOf(4, { durable: 2 })] })).to.equal(2);
    expect(removable({ state, followers: [progressOf(2)] }), 'nothing known of it').to.equal(0);
  });

  it('are held back by a silent replica until the retention is over, and no longer', () => {
    const followers = [progressOf(2, { fetchedAtMs: RETENTION_MS }), progressOf(3, { durable: 4 })];
    expect(removable({ followers }, RETENTION_MS)).to.equal(4);
    expect(removable({ followers }, RETENTION_MS + 1)).to.equal(10);
  });

  it('count nobody’s silence from before this epoch', () => {
    const followers = [progressOf(2, { fetched: -1, durable: -1, fetchedAtMs: Number.NEGATIVE_INFINITY })];
    const state = stateOf({ replicas: [1, 2], isr: [1, 2] });
    expect(removable({ state, followers }, RETENTION_MS)).to.equal(0);
    expect(removable({ state, followers }, RETENTION_MS + 1)).to.equal(10);
  });
});

describe('a rebuild pins the floor (C5)', () => {
  const limits = { idleMsMax: 100, rebuildMsMax: 1000 };
  const rebuild = (startedAtMs: number, lastFetchAtMs: number): Rebuild => ({
    node: node(2),
    rebuildId: 1,
    removalCount: 3,
    startedAtMs: at(startedAtMs),
    lastFetchAtMs: at(lastFetchAtMs),
  });
  const pinned = (nowMs: number, ...rebuilds: readonly Rebuild[]) =>
    RULES.floorPinned(rebuilds, at(nowMs), limits);

  it('while it is heard of, for a bounded time', () => {
    expect(pinned(100)).to.equal(false);
    expect(pinned(100, rebuild(0, 0))).to.equal(true);
    expect(pinned(101, rebuild(0, 0)), 'not heard of').to.equal(false);
    expect(pinned(1000, rebuild(0, 950))).to.equal(true);
    expect(pinned(1001, rebuild(0, 950)), 'takes too long').to.equal(false);
    expect(pinned(1001, rebuild(0, 950), rebuild(900, 1000)), 'another').to.equal(true);
  });
});
