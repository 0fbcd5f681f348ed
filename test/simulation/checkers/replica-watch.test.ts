import { expect } from 'chai';
import { asLeaderEpoch, asOffset } from '../../../src/model/numbers.ts';
import { FakeReplica } from './fake-replica.ts';
import { Findings } from './findings.ts';
import { compareDigests, compareReplica } from './replica-comparison.ts';
import { ReplicaWatch } from './replica-watch.ts';

class Scene {
  readonly findings = new Findings(() => 0);
  readonly replicas = [new FakeReplica(1), new FakeReplica(2), new FakeReplica(3)] as const;
  readonly watch = new ReplicaWatch(() => this.replicas.map(({ probe }) => probe), this.findings, {
    minInsync: 2,
    nowMs: () => 7,
  });

  /** Node 1 leads; `a` and `b` are committed everywhere. */
  begin(): this {
    for (const replica of this.replicas) replica.append(1, ['a', '1'], ['b', '1']);
    this.replicas[0].leads(1).commit(2);
    this.watch.look();
    for (const replica of this.replicas) replica.commit(2);
    return this.look();
  }

  look(): this {
    this.watch.look();
    return this;
  }

  async compare(node: 0 | 1 | 2): Promise<void> {
    await compareReplica(this.replicas[node], this.watch.reference(0), this.findings, () => 9);
  }

  get checkers(): readonly string[] {
    return this.findings.list.map(({ checker }) => checker);
  }
}

describe('replica watch', () => {
  it('finds nothing wrong with replicas that agree', async () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas) replica.append(1, ['a', null]);
    scene.replicas[0].commit(3);
    scene.look();
    for (const node of [0, 1, 2] as const) await scene.compare(node);
    expect(scene.findings.list).to.deep.equal([]);
    expect(scene.watch.reference(0).valuesOf('a')).to.deep.equal([
      { sinceMs: 7, offset: 0, value: '1' },
      { sinceMs: 7, offset: 2, value: null },
    ]);
  });

  it('a merge in the midst of a comparison says nothing: it is read again', async () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas) replica.append(1, ['c', '1']).append(1, ['c', null]).commit(4);
    scene.look();
    const [replica] = scene.replicas;
    const batches = replica.remove.bind(replica);
    let isMerged = false;
    replica.segments = [{}];
    replica.batchesPerRead = 1;
    replica.reading = (offset) => {
      if (isMerged || offset < 3) return;
      isMerged = true;
      replica.segments = [{}];
      replica.removedFloor = 3;
      batches(2);
      batches(3);
    };
    await scene.compare(0);
    expect([isMerged, scene.findings.list]).to.deep.equal([true, []]);
  });

  it('what was not committed of a log that was built anew is no part of the new one', () => {
    const scene = new Scene().begin();
    scene.replicas[2].append(1, ['c', 'never committed']);
    scene.look();
    for (const replica of [scene.replicas[0], scene.replicas[1]]) replica.append(1, ['c', '1']);
    scene.replicas[0].commit(3);
    scene.look();
    scene.replicas[2].begunAnew('d2').append(1, ['a', '1'], ['b', '1']).append(1, ['c', '1']).commit(2);
    scene.look();
    scene.replicas[2].commit(3);
    scene.look();
    expect(scene.checkers).to.deep.equal([]);
  });

  it('KIP-101: what is committed is cut off nowhere, and what is not may be', () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas) replica.append(1, ['c', '1']);
    scene.replicas[2].append(1, ['d', '1']);
    scene.replicas[0].commit(3);
    scene.look();
    scene.replicas[2].remove(3);
    scene.replicas[2].durableOffset = asOffset(3);
    expect(scene.look().checkers).to.deep.equal([]);
    scene.replicas[2].remove(2);
    scene.replicas[2].durableOffset = asOffset(2);
    expect(scene.look().checkers).to.deep.equal(['committed']);
  });

  it('who follows a leader of an earlier epoch than that of the commit may be told to cut off what is committed, and nobody else', () => {
    const scene = new Scene().begin();
    const [old, next, follower] = scene.replicas;
    for (const replica of scene.replicas) replica.append(1, ['c', '1']);
    old.isLeader = false;
    next.leads(2).commit(3);
    expect(scene.look().checkers).to.deep.equal([]);
    for (const [replica, leaderEpoch] of [[follower, 1] as const, [old, 2] as const]) {
      replica.leaderEpoch = asLeaderEpoch(leaderEpoch);
      replica.remove(2);
      replica.durableOffset = asOffset(2);
      expect(scene.look().checkers).to.deep.equal(leaderEpoch === 1 ? [] : ['committed']);
    }
  });

  it('I3: a high watermark never goes back, and never above the log end', () => {
    const scene = new Scene().begin();
    scene.replicas[1].commit(1);
    scene.replicas[2].commit(5);
    scene.look();
    expect(scene.checkers).to.include.members(['I3', 'I5']);
  });

  it('I5: a leader commits only what min.insync disks hold', () => {
    const scene = new Scene().begin();
    scene.replicas[0].append(1, ['c', '1']).commit(3);
    scene.look();
    expect(scene.checkers).to.deep.equal(['I5']);
  });

  it('what a leader has begun to commit may be committed when its role is over, and no more', () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas) replica.append(1, ['c', '1'], ['d', '1']);
    scene.replicas[0].decidedOffset = 3;
    scene.look();
    scene.replicas[0].isLeader = false;
    scene.look();
    scene.replicas[0].commit(3);
    scene.look();
    expect(scene.checkers).to.deep.equal([]);
    scene.replicas[0].commit(4);
    scene.look();
    expect(scene.checkers).to.deep.equal(['I5']);
  });

  it('a follower is never ahead of what a leader committed', () => {
    const scene = new Scene().begin();
    scene.replicas[1].append(1, ['c', '1']).commit(3);
    scene.look();
    expect(scene.checkers).to.deep.equal(['I5']);
  });

  it('one leader per epoch, also over a restart', () => {
    const scene = new Scene().begin();
    scene.replicas[1].leads(1);
    scene.look();
    expect(scene.checkers).to.deep.equal(['one leader per epoch', 'two leaders answer']);

    const restarted = new Scene().begin();
    restarted.replicas[0].life = 2;
    restarted.look();
    expect(restarted.checkers).to.deep.equal(['one leader per epoch']);
  });

  it('two leaders of different epochs may be there at once, but only one may hold a lease', () => {
    const scene = new Scene().begin();
    scene.replicas[1].leads(2).lease = false;
    scene.look();
    expect(scene.checkers).to.deep.equal([]);
    scene.replicas[1].lease = true;
    scene.look();
    expect(scene.checkers).to.deep.equal(['two leaders answer']);
  });

  it('leader completeness: a new leader has everything that was committed', () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas.slice(0, 2)) replica.append(1, ['c', '1']);
    scene.replicas[0].commit(3);
    scene.look();
    scene.replicas[2].leads(2);
    scene.look();
    expect(scene.checkers).to.include('leader completeness');
  });

  it('what is committed does not change', () => {
    const scene = new Scene().begin();
    scene.replicas[0].append(1, ['c', '1']);
    scene.replicas[1].append(1, ['c', '1']);
    scene.replicas[0].commit(3);
    scene.look();
    scene.replicas[2].append(2, ['c', '2']);
    scene.replicas[2].commit(3);
    scene.look();
    expect(scene.checkers).to.deep.equal(['committed']);
  });

  it('I1: a replica does not follow an older leader than before', () => {
    const scene = new Scene().begin();
    scene.replicas[2].leaderEpoch = asLeaderEpoch(2);
    scene.look();
    scene.replicas[2].leaderEpoch = asLeaderEpoch(0);
    scene.look();
    expect(scene.checkers, 'no role').to.deep.equal([]);
    scene.replicas[2].leaderEpoch = asLeaderEpoch(1);
    scene.look();
    expect(scene.checkers).to.deep.equal(['I1']);
  });
});

describe('comparison of whole replicas', () => {
  it('a merge may remove what was superseded, and tombstones up to the removed floor', async () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas) replica.append(1, ['a', '2']).append(1, ['b', null]);
    scene.replicas[0].commit(4);
    scene.look();
    for (const replica of scene.replicas) replica.commit(4);
    scene.look();
    scene.replicas[1].remove(0);
    await scene.compare(1);
    expect(scene.findings.list).to.deep.equal([]);
    scene.replicas[1].remove(3);
    await scene.compare(1);
    expect(scene.checkers).to.deep.equal(['committed']);
    scene.replicas[1].removedFloor = 3;
    await scene.compare(1);
    expect(scene.findings.count).to.equal(1);
  });

  it('a tombstone removed before the value it buries: the key comes back', async () => {
    const scene = new Scene().begin();
    for (const replica of scene.replicas) replica.append(1, ['a', null]);
    scene.replicas[0].commit(3);
    scene.look();
    scene.replicas[2].removedFloor = 2;
    scene.replicas[2].remove(2).commit(3);
    await scene.compare(2);
    expect(scene.checkers).to.include('replicas equal');
  });

  it('two indexes at one offset have one digest', async () => {
    const scene = new Scene();
    const digestOf = (offset: number, digest: string) => ({ offset: asOffset(offset), digest, keys: 2 });
    scene.replicas[0].stateDigest = digestOf(5, 'aa');
    scene.replicas[1].stateDigest = digestOf(4, 'bb');
    await compareDigests(scene.replicas, scene.findings);
    expect(scene.checkers).to.deep.equal([]);
    scene.replicas[2].stateDigest = digestOf(5, 'ab');
    await compareDigests(scene.replicas, scene.findings);
    expect(scene.checkers).to.deep.equal(['replicas equal']);
  });

  it('a live record that is gone is a loss', async () => {
    const scene = new Scene().begin();
    scene.replicas[2].remove(0);
    await scene.compare(2);
    expect(scene.checkers).to.include.members(['committed', 'replicas equal']);
  });
});
