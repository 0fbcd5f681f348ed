import { expect } from 'chai';
import { asIncarnation, asOffset } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { partitionState, type StateChoice } from '../../support/partition-states.ts';
import { CandidateWatch } from './candidate-watch.ts';
import { FakeReplica } from './fake-replica.ts';
import { Findings } from './findings.ts';

class Scene {
  readonly findings = new Findings(() => 0);
  readonly replicas = [new FakeReplica(1), new FakeReplica(2), new FakeReplica(3)] as const;
  committed = 2;
  state: PartitionState = this.named({});
  readonly #watch = new CandidateWatch(() => this.replicas.map(({ probe }) => probe), this.findings, {
    partitions: [0],
    stateOf: () => this.state,
    committedOf: () => this.committed,
  });

  constructor() {
    for (const replica of this.replicas) replica.append(1, ['a', '1'], ['b', '1']);
    this.look();
  }

  /** Every member in its first life and directory, unless `lives` says otherwise. */
  named(choice: StateChoice, lives: Readonly<Record<number, number>> = {}): PartitionState {
    const state = partitionState(choice);
    const members = [...state.isr, ...state.elr];
    return {
      ...state,
      incarnations: Object.fromEntries(members.map((node) => [node, asIncarnation(lives[node] ?? 1)])),
      directoryIds: Object.fromEntries(members.map((node) => [node, 'd1'])),
    };
  }

  look(): readonly string[] {
    this.#watch.look();
    return this.findings.list.map(({ checker }) => checker);
  }
}

const FOUND = ['candidate completeness'];

describe('candidate watch', () => {
  it('is content while every member has everything on disk, and looks at nobody else', () => {
    const scene = new Scene();
    scene.state = scene.named({ version: 8, isr: [1, 2] });
    scene.replicas[2].durableOffset = asOffset(0);
    expect(scene.look()).to.deep.equal([]);
  });

  it('I5: finds what is committed and not on the disk of a member', () => {
    const scene = new Scene();
    scene.replicas[0].append(1, ['c', '1']);
    scene.replicas[1].append(1, ['c', '1']);
    scene.committed = 3;
    expect(scene.look()).to.deep.equal(FOUND);
  });

  it('KAFKA-7128: finds who joins without everything', () => {
    const scene = new Scene();
    scene.replicas[2].durableOffset = asOffset(1);
    scene.state = scene.named({ version: 8, isr: [1, 2] });
    scene.look();
    scene.state = scene.named({ version: 9 });
    expect(scene.look()).to.deep.equal(FOUND);
  });

  it('R1: finds a member of the ELR that fell behind', () => {
    const scene = new Scene();
    scene.state = scene.named({ version: 8, isr: [1], elr: [2] });
    scene.replicas[0].append(1, ['c', '1']);
    scene.committed = 3;
    expect(scene.look()).to.deep.equal(FOUND);
  });

  it('KIP-101: finds a member that cuts off what it had', () => {
    const scene = new Scene();
    scene.replicas[1].durableOffset = asOffset(1);
    expect(scene.look()).to.deep.equal(FOUND);
  });

  it('R5, KIP-903: what a life holds that is not named does not count', () => {
    const scene = new Scene();
    scene.replicas[2].life = 2;
    scene.look();
    for (const replica of scene.replicas) replica.append(1, ['c', '1']);
    scene.committed = 3;
    expect(scene.look()).to.deep.equal(FOUND);
  });

  it('finds a state that names a life nobody had', () => {
    const scene = new Scene();
    scene.state = scene.named({ version: 8 }, { 2: 9 });
    expect(scene.look()).to.deep.equal(FOUND);
  });

  it('R17: believes a coordinator that forgot from the next epoch on', () => {
    const scene = new Scene();
    scene.replicas[2].durableOffset = asOffset(1);
    scene.state = scene.named({ version: 8, isr: [1, 2] });
    scene.look();
    scene.state = scene.named({ version: 7 });
    expect(scene.look()).to.deep.equal([]);
    scene.state = scene.named({ version: 8, leaderEpoch: 6 });
    expect(scene.look()).to.deep.equal(FOUND);
  });
});
