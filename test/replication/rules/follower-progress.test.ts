import { expect } from 'chai';
import fc from 'fast-check';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { FollowerProgress } from '../../../src/replication/rules/types.ts';
import { at, fetchOf, LAG_MS, life, node, offset, viewOf, wordOf } from './views.ts';

const fresh = (): FollowerProgress => RULES.newProgress(node(2), life(2), 'd2', at(0));
const fetched = (from: FollowerProgress, fetch: object, logEnd: number, nowMs: number): FollowerProgress =>
  RULES.noteFetch(from, fetchOf(2, fetch), offset(logEnd), at(nowMs));
const told = (from: FollowerProgress, durable: number, logEnd: number, nowMs: number): FollowerProgress =>
  RULES.noteFetch(from, { ...wordOf(2, durable), fetchOffset: offset(-1) }, offset(logEnd), at(nowMs));

describe('what a leader notes of a follower (2.4, R8)', () => {
  it('caught up now, if it has on disk what the log holds now', () => {
    expect(fetched(fresh(), { offset: 10 }, 10, 50).lastCaughtUpAtMs).to.equal(50);
    expect(fetched(fresh(), { offset: 10, durable: 9 }, 10, 50).lastCaughtUpAtMs).to.equal(
      Number.NEGATIVE_INFINITY,
    );
  });

  it('caught up when the mark was set, once it has on disk what the log held then', () => {
    const first = fetched(fresh(), { offset: 5 }, 10, 50);
    expect([first.lagMarkOffset, first.lagMarkAtMs]).to.deep.equal([10, 50]);
    const second = fetched(first, { offset: 10, durable: 8 }, 20, 60);
    expect([second.lagMarkOffset, second.lagMarkAtMs], 'it stands').to.deep.equal([10, 50]);
    const third = told(second, 10, 30, 70);
    expect(third.lastCaughtUpAtMs).to.equal(50);
    expect([third.lagMarkOffset, third.lagMarkAtMs]).to.deep.equal([30, 70]);
    expect(third.lastFetchAtMs, 'word of progress is no fetch').to.equal(60);
  });

  it('a follower that keeps pace under steady writes stays caught up, though always a batch behind', () => {
    let progress = fresh();
    for (let round = 1; round <= 500; round += 1) {
      const nowMs = round * 10;
      const logEnd = round * 10;
      progress = fetched(
        progress,
        { fetchId: round, offset: logEnd - 10, durable: Math.max(0, logEnd - 20) },
        logEnd,
        nowMs,
      );
      progress = told(progress, logEnd - 10, logEnd, nowMs + 5);
      const view = viewOf({ logEnd: logEnd + 10 });
      expect(progress.durableOffset).to.be.lessThan(view.logEndOffset);
      if (round > 1) expect(RULES.isCaughtUp(view, progress, at(nowMs + 5))).to.equal(true);
    }
    expect(progress.lastCaughtUpAtMs).to.be.greaterThan(4900);
  });

  it('a follower that is slower than the writes falls behind after lagMsMax', () => {
    let progress = fresh();
    const caughtUp: boolean[] = [];
    for (let round = 1; round <= 500; round += 1) {
      const [nowMs, logEnd] = [round * 10, round * 10];
      progress = fetched(progress, { fetchId: round, offset: logEnd / 2 }, logEnd, nowMs);
      caughtUp.push(RULES.isCaughtUp(viewOf({ logEnd }), progress, at(nowMs)));
    }
    expect(caughtUp.at(-1)).to.equal(false);
    expect(caughtUp.lastIndexOf(true) * 10).to.be.greaterThan(LAG_MS - 20);
  });

  it('nothing beyond the accepted fetch offset counts as durable, and a newer fetch from below takes it back', () => {
    const ahead = fetched(fresh(), { offset: 10, durable: 99 }, 20, 50);
    expect(ahead.durableOffset).to.equal(10);
    expect(told(ahead, 15, 20, 60).durableOffset).to.equal(10);
    expect(fetched(ahead, { fetchId: 2, offset: 4 }, 20, 70).durableOffset).to.equal(4);
  });

  it('over all sequences of fetches and words: durable is at most fetched, and what is acknowledged never goes back', () => {
    const step = fc.record({
      isFetch: fc.boolean(),
      at: fc.nat(20),
      durable: fc.nat(25),
      version: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let progress = fresh();
        for (const [index, { isFetch, at: fetchOffset, durable, version }] of steps.entries()) {
          const before = progress;
          const options = { offset: fetchOffset, durable, version };
          progress = isFetch
            ? fetched(progress, options, 20, index)
            : RULES.noteFetch(
                progress,
                { ...wordOf(2, durable, options), fetchOffset: offset(-1) },
                offset(20),
                at(index),
              );
          expect(progress.durableOffset).to.be.at.most(progress.fetchOffset);
          expect(progress.ackedVersion).to.be.at.least(before.ackedVersion);
          expect(progress.lastCaughtUpAtMs).to.be.at.least(before.lastCaughtUpAtMs);
        }
      }),
    );
  });

  it('silence counts from the last fetch, from the first watch, and from when the leader listens', () => {
    const view = viewOf({ listeningSinceMs: 0 });
    const progress = fetched(fresh(), { offset: 10 }, 10, 500);
    expect(RULES.isSilent(view, progress, at(500 + LAG_MS))).to.equal(false);
    expect(RULES.isSilent(view, progress, at(501 + LAG_MS))).to.equal(true);
    expect(RULES.isSilent(viewOf({ listeningSinceMs: 600 }), progress, at(501 + LAG_MS))).to.equal(false);
  });

  it('KAFKA-8733: a timer that comes much too late says that the leader itself stood still', () => {
    expect(RULES.hasOverslept(at(1000), at(1000 + LAG_MS / 10), LAG_MS)).to.equal(false);
    expect(RULES.hasOverslept(at(1000), at(1001 + LAG_MS / 10), LAG_MS)).to.equal(true);
    expect(RULES.hasOverslept(at(Number.POSITIVE_INFINITY), at(1e9), LAG_MS)).to.equal(false);
  });

  it('an echo that comes late never shortens a lease', () => {
    const echo = (sequence: number, untilMs: number) => ({
      sequence,
      leaseUntilMs: at(untilMs),
      clockGapMs: sequence,
    });
    const second = RULES.noteEcho(RULES.noteEcho(fresh(), echo(2, 200)), echo(1, 100));
    expect(second).to.include({ echoedSequence: 2, leaseUntilMs: 200, leaseClockGapMs: 2 });
    expect(RULES.withoutLease(second)).to.include({
      echoedSequence: -1,
      leaseUntilMs: Number.NEGATIVE_INFINITY,
    });
  });
});
