import { expect } from 'chai';
import { asLeaderEpoch, asOffset, asPartitionVersion } from '../../../src/model/numbers.ts';
import { dataTo, diverging, Follower, MANY_BYTES, ModelLog, NO_BYTES } from './followed-log.ts';

describe('follower core: reconciliation (2.6)', () => {
  it('begins with what its log holds: next wanted, what is on disk, epoch of the last record', () => {
    const fetch = new Follower(
      new ModelLog(10, [
        [3, 0],
        [4, 6],
      ]),
    ).start();
    expect(fetch).to.include({ fetchOffset: 10, durableOffset: 10, lastFetchedEpoch: 4, rebuildId: 0 });
  });

  it('truncates to the end of the epoch that both know, and asks again', () => {
    const follower = new Follower(
      new ModelLog(10, [
        [3, 0],
        [4, 6],
      ]),
    );
    follower.start();
    follower.reply(diverging(3, 8));
    expect(follower.last('truncate').offset, 'own epoch 3 ends at 6').to.equal(6);
    follower.truncated();
    expect(follower.fetch()).to.include({ fetchOffset: 6, lastFetchedEpoch: 3 });
  });

  it('truncates twice after a fast double failover (KIP-279)', () => {
    const follower = new Follower(
      new ModelLog(12, [
        [1, 0],
        [2, 4],
        [4, 8],
      ]),
    );
    follower.start();
    follower.reply(diverging(3, 10));
    expect(follower.last('truncate').offset).to.equal(8);
    follower.truncated();
    expect(follower.fetch()).to.include({ fetchOffset: 8, lastFetchedEpoch: 2 });
    follower.reply(diverging(1, 5));
    expect(follower.last('truncate').offset).to.equal(4);
    follower.truncated();
    expect(follower.fetch()).to.include({ fetchOffset: 4, lastFetchedEpoch: 1 });
    follower.data(9, 0);
    expect(follower.last('append').nextOffset).to.equal(9);
  });

  it('trims empty epochs at the end of the log too, and does not ask in a circle (KAFKA-10706)', () => {
    const log = new ModelLog(6, [
      [2, 0],
      [3, 6],
      [4, 6],
    ]);
    const follower = new Follower(log);
    expect(follower.start().lastFetchedEpoch, 'epochs without a record are not told').to.equal(2);
    follower.reply(diverging(2, 6));
    expect(follower.last('truncate').offset).to.equal(6);
    follower.truncated();
    expect(log.epochs).to.deep.equal([[2, 0]]);
  });

  it('takes no high watermark from a diverging reply (KAFKA-14704)', () => {
    const follower = new Follower(
      new ModelLog(
        10,
        [
          [3, 0],
          [4, 6],
        ],
        2,
      ),
    );
    follower.start();
    follower.reply({ ...diverging(3, 8), highWatermark: asOffset(10) } as ReturnType<typeof diverging>);
    follower.truncated();
    expect(follower.all('commit')).to.deep.equal([]);
  });

  it('keeps the last epoch when a reply brings no data (KAFKA-15510)', () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]]));
    follower.start();
    follower.nothing(4);
    expect(follower.fetch()).to.include({ fetchOffset: 10, lastFetchedEpoch: 3 });
  });

  it('tells the epoch that began in a gap it was led over', () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]]));
    follower.start();
    const epochs = [{ epoch: asLeaderEpoch(4), startOffset: asOffset(11) }];
    follower.reply({ ...dataTo(15, 4, epochs), ...NO_BYTES });
    expect(follower.last('append').epochs).to.deep.equal(epochs);
    follower.step({ kind: 'written' });
    expect(follower.fetch()).to.include({ fetchOffset: 15, lastFetchedEpoch: 4 });
  });

  it('ahead of its leader it goes back to where they agree, never to the beginning (KAFKA-2134)', () => {
    const follower = new Follower(new ModelLog(100, [[3, 0]], 40));
    follower.start();
    follower.reply(diverging(3, 60));
    expect(follower.last('truncate').offset).to.equal(60);
    expect(follower.all('openRebuild')).to.deep.equal([]);
  });

  it('never truncates below its high watermark: an alarm, and a rebuild', () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]], 8));
    follower.start();
    follower.reply(diverging(3, 5));
    expect(follower.all('truncate')).to.deep.equal([]);
    expect(follower.last('trouble').trouble).to.equal('corrupt');
    expect(follower.all('openRebuild')).to.have.length(1);
  });

  it('after an unclean election it rebuilds without an alarm', () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]], 8), { isUnclean: true });
    follower.start();
    follower.reply(diverging(3, 5));
    expect(follower.all('trouble')).to.deep.equal([]);
    expect(follower.all('openRebuild')).to.have.length(1);
  });

  it('hears only the leader of its own epoch', () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]]));
    follower.start();
    expect(follower.reply(diverging(3, 5), { epoch: 4 }).map(({ kind }) => kind)).to.deep.equal(['setTimer']);
    follower.step({ kind: 'timer' });
    const newer = follower.reply(dataTo(20, 20), { epoch: 6 }).map(({ kind }) => kind);
    expect(newer, 'a push was lost').to.deep.equal(['suspectSelf', 'setTimer']);
  });

  it('asks later when it is refused', () => {
    for (const result of ['fenced', 'unknownEpoch', 'notLeader'] as const) {
      const follower = new Follower(new ModelLog(10, [[3, 0]]));
      const first = follower.start();
      expect(follower.reply({ result }).map(({ kind }) => kind)).to.deep.equal(['setTimer']);
      follower.step({ kind: 'timer' });
      expect(follower.fetch()).to.include({ fetchOffset: 10, fetchId: first.fetchId + 1 });
    }
  });
});

describe('follower core: data', () => {
  it('says what is on disk and asks for more in one message', () => {
    const follower = new Follower(new ModelLog(10, [[5, 0]]));
    follower.start();
    follower.data(20, 5);
    expect(follower.all('fetch'), 'before the sync').to.have.length(1);
    follower.written();
    expect(follower.fetch()).to.include({ fetchOffset: 20, durableOffset: 20, lastFetchedEpoch: 5 });
    expect(follower.all('progress')).to.deep.equal([]);
  });

  it('asks again while it writes for longer than a reply takes, and tells then what is on disk apart', () => {
    const follower = new Follower(new ModelLog(10, [[5, 0]]));
    follower.start();
    follower.data(20, 5);
    follower.step({ kind: 'timer' });
    expect(follower.fetch()).to.include({ fetchOffset: 20, durableOffset: 10 });
    follower.written();
    expect(follower.all('fetch')).to.have.length(2);
    expect(follower.last('progress')).to.include({ durableOffset: 20 });
  });

  it('asks for more at once where much came, and tells what is on disk when it is (R8)', () => {
    const follower = new Follower(new ModelLog(10, [[5, 0]]));
    follower.start();
    follower.muchData(20, 5);
    expect(follower.fetch(), 'before the sync').to.include({
      fetchOffset: 20,
      durableOffset: 10,
      lastFetchedEpoch: 5,
    });
    expect(follower.all('progress')).to.deep.equal([]);
    follower.written();
    expect(follower.last('progress')).to.include({ durableOffset: 20, partitionVersion: 3 });
  });

  it('holds one piece while it writes another, and asks for no third', () => {
    const follower = new Follower(new ModelLog(0));
    follower.start();
    follower.muchData(10, 0);
    follower.data(20, 0);
    expect(follower.all('append')).to.have.length(1);
    expect(follower.all('fetch')).to.have.length(2);
    follower.written();
    expect(follower.last('append').nextOffset).to.equal(20);
    expect(follower.fetch()).to.include({ fetchOffset: 20, durableOffset: 10 });
  });

  it('commits what the leader has committed and this log holds on disk, never more', () => {
    const follower = new Follower(new ModelLog(10, [[5, 0]]));
    follower.start();
    follower.data(20, 30);
    expect(follower.all('commit'), 'not while it is being written').to.deep.equal([]);
    follower.written();
    expect(follower.last('commit').highWatermark).to.equal(20);
    follower.committed();
    follower.nothing(15);
    expect(follower.all('commit'), 'it never goes back').to.have.length(1);
  });

  it('ignores replies of old fetches: doubled, late, out of order', () => {
    const follower = new Follower(new ModelLog(0));
    const first = follower.start();
    follower.step({ kind: 'timer' });
    expect(follower.data(10, 0, { fetchId: first.fetchId }), 'late').to.deep.equal([]);
    const second = follower.fetch();
    follower.data(10, 0);
    expect(follower.data(10, 0, { fetchId: second.fetchId }), 'doubled').to.deep.equal([]);
    expect(follower.all('append')).to.have.length(1);
  });

  it('asks again when a reply is lost, under a new number, also while it writes', () => {
    const follower = new Follower(new ModelLog(0));
    follower.start();
    expect(follower.last('setTimer').delayMs).to.equal(150 + 60);
    follower.muchData(10, 0);
    const lost = follower.fetch();
    follower.step({ kind: 'timer' });
    expect(follower.fetch()).to.include({ fetchId: lost.fetchId + 1, fetchOffset: 10, durableOffset: 0 });
  });

  it('drops what does not check and fetches it again from the end of its log', () => {
    const follower = new Follower(new ModelLog(5, [[4, 0]]));
    follower.start();
    follower.muchData(10, 0);
    const pipelined = follower.fetch();
    expect(follower.step({ kind: 'replyCorrupt' }).map(({ kind }) => kind)).to.deep.equal([
      'dropped',
      'setTimer',
    ]);
    expect(follower.data(20, 0, { fetchId: pipelined.fetchId })).to.deep.equal([]);
    follower.step({ kind: 'timer' });
    expect(follower.fetch()).to.include({ fetchOffset: 5, lastFetchedEpoch: 4 });
  });

  it('drops bytes whose batches cannot be told apart', () => {
    const follower = new Follower(new ModelLog(5, [[4, 0]]));
    follower.start();
    expect(follower.reply(dataTo(10, 0)).map(({ kind }) => kind)).to.deep.equal(['dropped', 'setTimer']);
    expect(follower.all('append')).to.deep.equal([]);
  });

  it('stops fetching when its disk fails, and says so (KAFKA-7837)', () => {
    const follower = new Follower(new ModelLog(0));
    follower.start();
    follower.data(10, 0);
    follower.step({ kind: 'diskFailed' });
    expect(follower.last('trouble').trouble).to.equal('disk');
    expect(follower.step({ kind: 'timer' })).to.deep.equal([]);
    expect(follower.data(20, 0)).to.deep.equal([]);
  });
});

describe('follower core: versions (R17)', () => {
  it('acknowledges a version only after it is durable', () => {
    const follower = new Follower(new ModelLog(10, [[5, 0]]));
    follower.start();
    follower.reply({ ...dataTo(10, 0), ...NO_BYTES, partitionVersion: asPartitionVersion(4) });
    expect(follower.last('persistVersion').version).to.equal(4);
    expect(follower.fetch().partitionVersion).to.equal(3);
    follower.step({ kind: 'versionDurable', version: asPartitionVersion(4) });
    expect(follower.last('progress')).to.include({ partitionVersion: 4, durableOffset: 10 });
    follower.nothing(0);
    expect(follower.fetch().partitionVersion).to.equal(4);
  });

  it("tells nothing of its disk before the leader of this epoch has accepted a fetch: its tail may be another's", () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]]));
    follower.start();
    follower.step({ kind: 'versionDurable', version: asPartitionVersion(4) });
    follower.reply(diverging(3, 6));
    follower.step({ kind: 'versionDurable', version: asPartitionVersion(5) });
    expect(follower.all('progress')).to.deep.equal([]);
    follower.truncated();
    expect(follower.fetch()).to.include({ fetchOffset: 6, durableOffset: 6, partitionVersion: 5 });
  });

  it('asks for each version once', () => {
    const follower = new Follower(new ModelLog(10, [[5, 0]]));
    follower.start();
    const newer = { ...dataTo(10, 0), ...NO_BYTES, partitionVersion: asPartitionVersion(4) };
    follower.reply(newer);
    follower.reply(newer);
    expect(follower.all('persistVersion')).to.have.length(1);
  });
});

describe('follower core: rebuild (C5, C6)', () => {
  function rebuilding(): Follower {
    const follower = new Follower(new ModelLog(10, [[3, 0]], 10));
    follower.start();
    follower.reply({ result: 'resync' });
    follower.rebuildOpened();
    return follower;
  }

  it('fetches from nothing, under a number of its own, and claims nothing on disk', () => {
    const fetch = rebuilding().fetch();
    expect(fetch).to.include({ fetchOffset: 0, durableOffset: 0, lastFetchedEpoch: 0 });
    expect(fetch.rebuildId).to.be.above(0);
  });

  it('resets the log and what is committed together (KAFKA-9491)', () => {
    const follower = rebuilding();
    follower.data(4, 3);
    follower.written();
    expect(follower.last('commit').highWatermark).to.equal(3);
  });

  it('puts off its syncs, and sends no progress before the end', () => {
    const follower = rebuilding();
    follower.data(4, 20);
    expect(follower.last('append').deferSync).to.equal(true);
    follower.written();
    expect(follower.all('progress')).to.deep.equal([]);
    expect(follower.fetch()).to.include({ fetchOffset: 4, durableOffset: 0 });
    expect(follower.all('finishRebuild')).to.deep.equal([]);
  });

  it('is finished once everything committed is there, and only then counts', () => {
    const follower = rebuilding();
    follower.data(20, 20);
    follower.written();
    expect(follower.all('finishRebuild')).to.have.length(1);
    follower.log.durable = 20;
    follower.step({ kind: 'rebuilt' });
    expect(follower.fetch()).to.include({ fetchOffset: 20, durableOffset: 20, rebuildId: 0 });
  });

  it('is not finished by the high watermark of a leader that may not know yet what is committed (L4)', () => {
    const follower = rebuilding();
    follower.reply({ ...dataTo(20, 4), isCurrent: false }, { lastEpoch: 5 });
    follower.written();
    expect(
      follower.all('finishRebuild'),
      'a part of what an earlier leader may have committed',
    ).to.deep.equal([]);
    expect(follower.fetch()).to.include({ fetchOffset: 20, durableOffset: 0 });
    follower.reply({ ...dataTo(30, 4), isCurrent: false }, { lastEpoch: 5 });
    follower.written();
    expect(follower.all('finishRebuild')).to.deep.equal([]);
    follower.reply({ ...dataTo(30, 4), ...NO_BYTES, isCurrent: false });
    expect(follower.all('finishRebuild'), 'everything is here').to.have.length(1);
  });

  it('is finished by a leader that knows what is committed, though more is appended all the time', () => {
    const follower = rebuilding();
    follower.reply({ ...dataTo(20, 4), ...MANY_BYTES, isCurrent: false }, { lastEpoch: 5 });
    follower.reply(dataTo(30, 20), { lastEpoch: 5 });
    follower.written();
    expect(follower.all('finishRebuild'), 'a piece waits').to.deep.equal([]);
    follower.written();
    expect(follower.all('finishRebuild')).to.have.length(1);
  });

  it('finishes at an empty leader', () => {
    const follower = rebuilding();
    follower.nothing(0);
    expect(follower.all('finishRebuild')).to.have.length(1);
  });

  it('begins again, under another number, when the leader has removed more meanwhile', () => {
    const follower = rebuilding();
    const before = follower.fetch().rebuildId;
    follower.data(4, 20);
    follower.written();
    follower.reply({ result: 'resync' });
    follower.rebuildOpened();
    expect(follower.fetch()).to.include({ fetchOffset: 0 });
    expect(follower.fetch().rebuildId).to.be.above(before);
  });

  it('begins at once where nothing usable is', () => {
    const follower = new Follower(new ModelLog(), { mustRebuild: true });
    follower.step({ kind: 'started' });
    expect(follower.all('openRebuild')).to.have.length(1);
    expect(follower.all('fetch')).to.deep.equal([]);
  });

  it("below the start of the leader's log it rebuilds", () => {
    const follower = new Follower(new ModelLog(3, [[1, 0]]));
    follower.start();
    follower.reply({ result: 'outOfRange' });
    expect(follower.all('openRebuild')).to.have.length(1);
  });
});
