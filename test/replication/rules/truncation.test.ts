import { expect } from 'chai';
import { asLeaderEpoch } from '../../../src/model/numbers.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { EPOCH, epochEndIn, fetchOf, logOf, offset, viewOf } from './views.ts';

/** A log as the epochs of its records, by offset; and its epoch cache, with epochs that wrote nothing. */
interface SmallLog {
  readonly records: readonly number[];
  readonly epochs: readonly (readonly [epoch: number, start: number])[];
}

const logWith = (records: readonly number[]): SmallLog => {
  const epochs: [number, number][] = [];
  for (const [at, epoch] of records.entries()) if (epochs.at(-1)?.[0] !== epoch) epochs.push([epoch, at]);
  return { records, epochs };
};

const cut = (log: SmallLog, at: number): SmallLog => ({
  records: log.records.slice(0, at),
  // KAFKA-10706: entries at or above the cut go, though no record of theirs was left.
  epochs: log.epochs.filter(([, start]) => start < at),
});

interface Rounds {
  readonly log: SmallLog;
  readonly rounds: number;
  readonly lowest: number;
}

/** Fetches until the leader accepts, as a follower does. */
function reconcile(leader: SmallLog, follower: SmallLog, highWatermark = 0): Rounds {
  let log = follower;
  let lowest = follower.records.length;
  for (let rounds = 0; rounds < 20; rounds += 1) {
    const lastEpoch = log.records.at(-1) ?? 0;
    const fetch = fetchOf(2, { offset: log.records.length, lastEpoch });
    const seen = logOf({ end: leader.records.length, epochs: leader.epochs });
    const refusal = RULES.checkFetch(viewOf(), fetch, seen, { progress: undefined, rebuild: undefined });
    if (refusal === null) return { log, rounds, lowest };
    const { outcome } = refusal;
    if (outcome.result !== 'diverging') throw new Error(outcome.result);
    const own = epochEndIn(log.epochs, outcome.epoch, log.records.length);
    const point = RULES.truncationPoint({
      endOffset: outcome.endOffset,
      ownEndOffset: own.endOffset,
      logEndOffset: offset(log.records.length),
      highWatermark: offset(highWatermark),
    });
    expect(point.kind).to.equal('truncate');
    log = cut(log, point.offset);
    lowest = Math.min(lowest, point.offset);
  }
  throw new Error('it never ends');
}

function commonLength(left: readonly number[], right: readonly number[]): number {
  const parts = left.findIndex((epoch, at) => right[at] !== epoch);
  return parts < 0 ? left.length : parts;
}

/** One epoch has one leader: it begins at one offset, after one and the same log. */
function canCoexist(left: SmallLog, right: SmallLog): boolean {
  return left.epochs.every(([epoch, start]) => {
    const other = right.epochs.find(([known]) => known === epoch);
    return other === undefined || (other[1] === start && commonLength(left.records, right.records) >= start);
  });
}

/** Every log of up to `lengthMax` records with epochs that do not go down. */
function* logs(
  lengthMax: number,
  epochMax: number,
  soFar: readonly number[] = [],
): Generator<readonly number[]> {
  yield soFar;
  if (soFar.length === lengthMax) return;
  for (let epoch = soFar.at(-1) ?? 1; epoch <= epochMax; epoch += 1)
    yield* logs(lengthMax, epochMax, [...soFar, epoch]);
}

describe('the truncation point (2.6, KIP-101, KIP-279)', () => {
  it('KAFKA-1211, KAFKA-6361: over all pairs of small logs it ends at a prefix of the leader’s, and cuts nothing that both have', () => {
    const small = [...logs(5, 4)].map(logWith);
    let pairs = 0;
    let roundsMax = 0;
    for (const leader of small) {
      // The leader has begun its own epoch, without a record so far (KAFKA-7415).
      const leading = { ...leader, epochs: [...leader.epochs, [EPOCH, leader.records.length] as const] };
      for (const follower of small) {
        if (!canCoexist(leader, follower)) continue;
        const { log, rounds, lowest } = reconcile(leading, follower);
        const text = JSON.stringify([leader.records, follower.records]);
        expect(commonLength(log.records, leader.records), text).to.equal(log.records.length);
        expect(lowest, text).to.equal(commonLength(follower.records, leader.records));
        roundsMax = Math.max(roundsMax, rounds);
        pairs += 1;
      }
    }
    expect(pairs).to.be.greaterThan(1000);
    expect(roundsMax, 'KIP-279: one look-up would not do').to.be.greaterThan(1);
  });

  it('I3: a cut below the high watermark is an alarm', () => {
    const point = (end: number, own: number, highWatermark: number) =>
      RULES.truncationPoint({
        endOffset: offset(end),
        ownEndOffset: offset(own),
        logEndOffset: offset(9),
        highWatermark: offset(highWatermark),
      });
    expect(point(4, 6, 4)).to.deep.equal({ kind: 'truncate', offset: 4 });
    expect(point(4, 3, 4)).to.deep.equal({ kind: 'belowHighWatermark', offset: 3 });
    expect(point(12, 11, 4), 'never above the log').to.deep.equal({ kind: 'truncate', offset: 9 });
  });
});

describe('what a step-down leaves (R22)', () => {
  it('what was sealed and not committed is in doubt, what was not sealed is refused', () => {
    const left = (highWatermark: number, sealed: number) =>
      RULES.stepDownOutcome({ highWatermark: offset(highWatermark), sealedOffset: offset(sealed) });
    expect(left(4, 7)).to.deep.equal({ inDoubtFrom: 4, refusedFrom: 7 });
    expect(left(7, 7), 'nothing is in doubt').to.deep.equal({ inDoubtFrom: 7, refusedFrom: 7 });
  });
});

describe('the epochs that a node follows (L6)', () => {
  it('4.3-5: none below the highest it knows durably', () => {
    const follows = (epoch: number, max: number) =>
      RULES.mayFollowEpoch(asLeaderEpoch(epoch), asLeaderEpoch(max));
    expect([follows(4, 5), follows(5, 5), follows(6, 5)]).to.deep.equal([false, true, true]);
  });
});
