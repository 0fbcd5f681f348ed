import { expect } from 'chai';
import { asNodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { FakeReplica } from './fake-replica.ts';
import { Findings } from './findings.ts';
import { FloorWatch } from './floor-watch.ts';

class Scene {
  readonly findings = new Findings(() => 0);
  readonly replica = new FakeReplica(1);
  /** By node. */
  readonly disks = [0, 10, 10, 10];
  assigned = [1, 2, 3];
  readonly #watch = new FloorWatch(() => [this.replica.probe], this.findings, {
    stateOf: () => ({ replicas: this.assigned.map(asNodeId) }) as unknown as PartitionState,
    mostOnDisk: (_partition, node) => this.disks[node] ?? -1,
  });

  look(): this {
    this.#watch.look();
    return this;
  }

  get checkers(): readonly string[] {
    return this.findings.list.map(({ checker }) => checker);
  }
}

describe('floor watch', () => {
  it('R16: tombstones go when everybody assigned has had them on disk', () => {
    const scene = new Scene().look();
    scene.replica.removedFloor = 9;
    expect(scene.look().checkers).to.deep.equal([]);
    scene.replica.removedFloor = 10;
    expect(scene.look().checkers).to.deep.equal(['tombstones kept', 'tombstones kept', 'tombstones kept']);
  });

  it('one replica that never had it is enough', () => {
    const scene = new Scene().look();
    scene.disks[3] = 5;
    scene.replica.removedFloor = 5;
    expect(scene.look().checkers).to.deep.equal(['tombstones kept']);
  });

  it('a log that was built anew takes over the floor of its leader', () => {
    const scene = new Scene().look();
    scene.replica.directoryId = 'd2';
    scene.replica.removedFloor = 20;
    expect(scene.look().checkers).to.deep.equal([]);
  });

  it('who was not assigned all the time is not asked', () => {
    const scene = new Scene().look();
    scene.assigned = [1, 2, 4];
    scene.look();
    scene.assigned = [1, 2, 3];
    scene.disks[3] = 0;
    scene.replica.removedFloor = 5;
    expect(scene.look().checkers).to.deep.equal([]);
  });
});
