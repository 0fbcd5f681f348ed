import { expect } from 'chai';
import { assignReplicas } from '../../../src/controller/rules/assign-replicas.ts';
import { classifyMember } from '../../../src/controller/rules/classify-member.ts';
import { electLeader, nextLeaderEpoch } from '../../../src/controller/rules/elect-leader.ts';
import { nextIsrElr } from '../../../src/controller/rules/next-isr-elr.ts';
import { DEAD_MEMBER, type MemberView } from '../../../src/controller/rules/partition-world.ts';
import { asIncarnation, asLeaderEpoch, asOffset } from '../../../src/model/numbers.ts';
import { lifeOf, node, nodes, partitionState } from '../../support/partition-states.ts';
import { alive, bounced, reported } from './world.ts';

describe('classifyMember', () => {
  const cases: Record<string, [MemberView, string]> = {
    'a node without a registration is dead': [DEAD_MEMBER, 'dead'],
    'the life that counts, silent: current': [alive(2), 'current'],
    'the life that counts, with its report: current': [reported(2), 'current'],
    'R6: the life that counts, having found a loss: lossy': [reported(2, { verdict: 'lossy' }), 'lossy'],
    'R5: the life that counts, in another directory: foreign': [reported(2, { directoryId: 'x' }), 'foreign'],
    'KAFKA-14139: a new life that said nothing is not trusted': [bounced(2, null), 'unknown'],
    'R6: a new life, whole, in the same directory: returned': [bounced(2, {}), 'returned'],
    'R6: a new life that lost something: lossy': [bounced(2, { verdict: 'lossy' }), 'lossy'],
    'R5: a new life with an emptied disk: foreign': [bounced(2, 'absent'), 'foreign'],
    'R5: a new life in another directory: foreign': [bounced(2, { directoryId: 'x' }), 'foreign'],
    'R5: another partition of the same number: foreign': [bounced(2, { uuid: 'f'.repeat(32) }), 'foreign'],
    'a directory brought back from an old copy: foreign': [
      { ...reported(2), incarnation: asIncarnation(lifeOf(2) - 1) },
      'foreign',
    ],
  };
  for (const [name, [view, expected]] of Object.entries(cases)) {
    it(name, () => {
      expect(classifyMember(partitionState(), node(2), view)).to.equal(expected);
    });
  }

  it('R6: a member once disowned stays foreign, though it looks whole later', () => {
    const state = partitionState();
    const { 2: _disowned, ...directoryIds } = state.directoryIds;
    expect(classifyMember({ ...state, directoryIds }, node(2), bounced(2, {}))).to.equal('foreign');
  });
});

describe('nextIsrElr', () => {
  const cases: [
    name: string,
    isr: number[],
    elr: number[],
    next: number[],
    dropped: number[],
    elrAfter: number[],
  ][] = [
    ['R1: who leaves while min stay is not eligible', [1, 2, 3], [], [1, 2], [], []],
    ['KIP-966: who leaves below min is eligible', [1, 2], [], [1], [], [2]],
    ['KIP-966: all who leave at once below min are eligible', [1, 2, 3], [], [1], [], [2, 3]],
    ['KIP-966: who is eligible stays so below min', [2], [1, 3], [2], [], [1, 3]],
    ['R1: min reached clears the ELR in the same write', [1], [2], [1, 3], [], []],
    ['R6: who is lossy leaves without a trace', [1, 2], [3], [1], [2, 3], []],
    ['who comes back into the ISR leaves the ELR', [1], [2], [2], [], [1]],
  ];
  for (const [name, isr, elr, next, dropped, elrAfter] of cases) {
    it(name, () => {
      const result = nextIsrElr(
        { isr: nodes(...isr), elr: nodes(...elr) },
        nodes(...next),
        2,
        new Set(nodes(...dropped)),
      );
      expect([...result.elr].sort((a, b) => a - b)).to.deep.equal(elrAfter);
      expect(result.isr).to.deep.equal(next);
    });
  }
});

describe('electLeader', () => {
  const candidate = (id: number, lastEpoch?: number, logEndOffset = 0) => ({
    node: node(id),
    position:
      lastEpoch === undefined
        ? null
        : { lastEpoch: asLeaderEpoch(lastEpoch), logEndOffset: asOffset(logEndOffset) },
  });

  it('4.3-16: takes the greatest last epoch, then the greatest log end', () => {
    expect(electLeader([candidate(1, 4, 900), candidate(2, 5, 10), candidate(3, 5, 11)])).to.equal(3);
  });

  it('takes the preferred one among equals', () => {
    expect(electLeader([candidate(2, 5, 10), candidate(1, 5, 10)])).to.equal(2);
  });

  it('takes one who reported before one who did not, and the first if nobody did', () => {
    expect(electLeader([candidate(1), candidate(2, 1, 1)])).to.equal(2);
    expect(electLeader([candidate(3), candidate(2)])).to.equal(3);
  });

  it('takes nobody from nobody', () => {
    expect(electLeader([])).to.equal(null);
  });

  it('I1, R17: the next epoch is above what the coordinator and all nodes know', () => {
    expect(nextLeaderEpoch(asLeaderEpoch(5), asLeaderEpoch(3))).to.equal(6);
    expect(nextLeaderEpoch(asLeaderEpoch(5), asLeaderEpoch(9))).to.equal(10);
  });
});

describe('assignReplicas', () => {
  const ring = (racks: readonly string[]) => racks.map((rack, index) => ({ nodeId: node(index + 1), rack }));
  const countLeaders = (assignment: readonly (readonly number[])[]): number[] => {
    const counts = new Map<number, number>();
    for (const [leader] of assignment) counts.set(leader ?? 0, (counts.get(leader ?? 0) ?? 0) + 1);
    return [...counts.values()];
  };

  it('gives every node the same number of leaders, and every partition distinct replicas', () => {
    for (const [count, partitions, factor] of [
      [3, 6, 3],
      [5, 10, 3],
      [4, 16, 2],
      [1, 4, 1],
    ] as const) {
      const assignment = assignReplicas(ring(Array.from({ length: count }, () => '')), partitions, factor);
      expect(assignment).to.have.length(partitions);
      for (const replicas of assignment) expect(new Set(replicas).size).to.equal(factor);
      expect(new Set(countLeaders(assignment)).size).to.equal(1);
    }
  });

  it('spreads the followers of one leader over all others', () => {
    const assignment = assignReplicas(ring(['', '', '', '']), 12, 2);
    const ofFirst = assignment.filter(([leader]) => leader === 1).map(([, follower]) => follower);
    expect(new Set(ofFirst).size).to.equal(3);
  });

  it('puts replicas into different racks as far as there are racks', () => {
    const racks = ['a', 'a', 'b', 'b', 'c', 'c'];
    for (const replicas of assignReplicas(ring(racks), 12, 3))
      expect(new Set(replicas.map((id) => racks[id - 1])).size).to.equal(3);
    for (const replicas of assignReplicas(ring(['a', 'a', 'a', 'b']), 8, 3))
      expect(new Set(replicas).size).to.equal(3);
  });
});
