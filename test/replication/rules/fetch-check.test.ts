import { expect } from 'chai';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { FollowerProgress, Rebuild } from '../../../src/replication/rules/types.ts';
import {
  at,
  EPOCH,
  fetchOf,
  type LogOptions,
  life,
  logOf,
  node,
  progressOf,
  stateOf,
  viewOf,
} from './views.ts';

interface Known {
  readonly progress?: FollowerProgress;
  readonly rebuild?: Rebuild;
}

const check = (fetch: object = {}, log: LogOptions = {}, known: Known = {}, view: object = {}) =>
  RULES.checkFetch(viewOf(view), fetchOf(2, fetch), logOf(log), {
    progress: known.progress,
    rebuild: known.rebuild,
  });
const outcome = (...of: Parameters<typeof check>) => check(...of)?.outcome ?? null;
const result = (...of: Parameters<typeof check>) => outcome(...of)?.result ?? 'accepted';

describe('the checks of a fetch (2.6)', () => {
  it('accepts one whose log is a prefix of the leader’s', () => {
    for (let at = 0; at <= 10; at += 1) expect(result({ offset: at })).to.equal('accepted');
    expect(result({ offset: 0, lastEpoch: 0 }), 'an empty log').to.equal('accepted');
  });

  it('4.3-7: another uuid is another partition, whose epochs say nothing', () => {
    expect(check({ uuid: 'another', leaderEpoch: EPOCH + 3 })).to.deep.equal({
      outcome: { result: 'unknownEpoch' },
      suspectsSelf: false,
    });
  });

  it('KAFKA-6880: step 1: an older epoch is fenced', () => {
    expect(result({ leaderEpoch: EPOCH - 1 })).to.equal('fenced');
  });

  it('4.3-5: step 1: a newer epoch, or a record of one, makes the leader suspect itself', () => {
    for (const fetch of [{ leaderEpoch: EPOCH + 1 }, { lastEpoch: EPOCH + 1 }]) {
      expect(check(fetch)).to.deep.equal({ outcome: { result: 'unknownEpoch' }, suspectsSelf: true });
    }
  });

  it('step 1: one that is not assigned is to ask again', () => {
    const view = { state: stateOf({ replicas: [1, 3], isr: [1, 3] }) };
    expect(check({}, {}, {}, view)).to.deep.equal({
      outcome: { result: 'unknownEpoch' },
      suspectsSelf: false,
    });
  });

  it('KAFKA-7235: a life older than the one that is alive, or than the one that fetched, is fenced', () => {
    expect(result({ incarnation: life(1) })).to.equal('fenced');
    const progress = progressOf(2, { incarnation: life(3) });
    expect(result({}, {}, { progress })).to.equal('fenced');
    expect(result({ incarnation: life(3) }), 'the leader hears of it later').to.equal('accepted');
  });

  it('KAFKA-12996: step 3 comes before step 4: below the log’s start', () => {
    expect(result({ offset: 2, lastEpoch: 1 }, { start: 3, epochs: [[2, 0]] })).to.equal('outOfRange');
  });

  it('KAFKA-2134: a follower ahead of the leader parts from it, it is not out of range', () => {
    expect(outcome({ offset: 11 })).to.deep.equal({ result: 'diverging', epoch: EPOCH, endOffset: 10 });
  });

  it('KIP-279: step 4: tells the largest epoch it knows, and where that ends', () => {
    const epochs = [
      [1, 0],
      [3, 4],
      [EPOCH, 8],
    ] as const;
    expect(outcome({ offset: 6, lastEpoch: 2 }, { epochs })).to.deep.equal({
      result: 'diverging',
      epoch: 1,
      endOffset: 4,
    });
    expect(outcome({ offset: 6, lastEpoch: 1 }, { epochs })).to.deep.equal({
      result: 'diverging',
      epoch: 1,
      endOffset: 4,
    });
    expect(outcome({ offset: 9, lastEpoch: 3 }, { epochs })).to.deep.equal({
      result: 'diverging',
      epoch: 3,
      endOffset: 8,
    });
    expect(result({ offset: 8, lastEpoch: 3 }, { epochs })).to.equal('accepted');
    expect(result({ offset: 4, lastEpoch: 1 }, { epochs })).to.equal('accepted');
  });

  it('3.4-i: an epoch of which a merge left nothing is answered as before', () => {
    const epochs = [
      [1, 0],
      [2, 4],
      [EPOCH, 8],
    ] as const;
    expect(result({ offset: 8, lastEpoch: 2 }, { epochs })).to.equal('accepted');
    expect(outcome({ offset: 9, lastEpoch: 2 }, { epochs })).to.deep.equal({
      result: 'diverging',
      epoch: 2,
      endOffset: 8,
    });
  });
});

describe('resync (C5)', () => {
  const rebuild = (removalCount: number, rebuildId = 8): Rebuild => ({
    node: node(2),
    rebuildId,
    removalCount,
    startedAtMs: at(0),
    lastFetchAtMs: at(0),
  });

  it('one that may have missed a removed tombstone is sent to rebuild', () => {
    expect(result({ offset: 4 }, { floor: 4 })).to.equal('resync');
    expect(result({ offset: 5 }, { floor: 4 })).to.equal('accepted');
    expect(result({ offset: 0, lastEpoch: 0 }, { floor: 4 }), 'also with an empty log').to.equal('resync');
    expect(result({ offset: 0, lastEpoch: 0 })).to.equal('accepted');
  });

  it('divergence is settled first', () => {
    expect(
      result(
        { offset: 4, lastEpoch: 1 },
        {
          floor: 6,
          epochs: [
            [1, 0],
            [EPOCH, 2],
          ],
        },
      ),
    ).to.equal('diverging');
  });

  it('a rebuild declared on this leader may go on below the floor', () => {
    expect(result({ rebuildId: 8, offset: 0, lastEpoch: 0 }, { floor: 4 })).to.equal('accepted');
    expect(result({ rebuildId: 8, offset: 3 }, { floor: 4, removals: 2 }, { rebuild: rebuild(2) })).to.equal(
      'accepted',
    );
  });

  it('3.4-c: not one that began elsewhere, or before tombstones went, be it below the floor', () => {
    expect(result({ rebuildId: 8, offset: 3 }, { floor: 4 })).to.equal('resync');
    expect(
      result({ rebuildId: 8, offset: 3 }, { floor: 4, removals: 2 }, { rebuild: rebuild(2, 7) }),
    ).to.equal('resync');
    expect(result({ rebuildId: 8, offset: 3 }, { floor: 4, removals: 2 }, { rebuild: rebuild(1) })).to.equal(
      'resync',
    );
  });

  it('a rebuild is known by its number from its first fetch to the last', () => {
    const first = RULES.noteRebuild(
      undefined,
      fetchOf(2, { rebuildId: 8, offset: 0, lastEpoch: 0 }),
      4,
      at(10),
    );
    expect(first).to.deep.equal({
      node: 2,
      rebuildId: 8,
      removalCount: 4,
      startedAtMs: 10,
      lastFetchAtMs: 10,
    });
    const second = RULES.noteRebuild(first, fetchOf(2, { rebuildId: 8, offset: 3 }), 5, at(20));
    expect(second).to.deep.equal({ ...first, lastFetchAtMs: 20 });
    const anew = RULES.noteRebuild(second, fetchOf(2, { rebuildId: 9, offset: 0, lastEpoch: 0 }), 5, at(30));
    expect(anew).to.include({ rebuildId: 9, removalCount: 5, startedAtMs: 30 });
    expect(RULES.noteRebuild(anew, fetchOf(2), 5, at(40))).to.equal(undefined);
  });
});
