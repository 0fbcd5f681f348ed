import { expect } from 'chai';
import { checkProposal, type ProposalVerdict } from '../../../src/controller/rules/check-proposal.ts';
import { LEAF_RULES } from '../../../src/controller/rules/leaf-rules.ts';
import type { MemberView } from '../../../src/controller/rules/partition-world.ts';
import type { IsrProposal, ProposedMember } from '../../../src/model/control-messages.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asPartitionId,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { directoryOf, lifeOf, node, partitionState, UUID } from '../../support/partition-states.ts';
import { alive, bounced } from './world.ts';

const member = (id: number, change: Partial<ProposedMember> = {}): ProposedMember => ({
  node: node(id),
  incarnation: lifeOf(id),
  directoryId: directoryOf(id),
  ...change,
});

const proposal = (isr: readonly ProposedMember[], change: Partial<IsrProposal> = {}): IsrProposal => ({
  kind: 'isrProposal',
  proposalId: 1,
  partition: asPartitionId(0),
  uuid: UUID,
  leader: node(1),
  leaderIncarnation: lifeOf(1),
  leaderEpoch: asLeaderEpoch(5),
  version: asPartitionVersion(7),
  isr,
  ...change,
});

interface Choice {
  readonly state?: PartitionState;
  readonly members?: Readonly<Record<number, MemberView>>;
  readonly isIdle?: boolean;
  readonly heard?: readonly number[];
}

function check(
  asked: IsrProposal,
  { state = partitionState({ isr: [1, 2] }), members = {}, isIdle, heard = [1, 2, 3] }: Choice = {},
) {
  return checkProposal(LEAF_RULES, asked, {
    controllerEpoch: isIdle ? null : asControllerEpoch(3),
    minInsync: 2,
    state,
    heard: new Set(heard.map(node)),
    member: (id) => members[id] ?? alive(id),
  });
}

const resultOf = (verdict: ProposalVerdict): string =>
  verdict.kind === 'write' && verdict.result === 'ok' ? 'write' : verdict.result;

describe('checkProposal', () => {
  const grow = [member(1), member(2), member(3)];
  const staleVersion = asPartitionVersion(6);
  const newerVersion = asPartitionVersion(8);
  const cases: [name: string, asked: IsrProposal, choice: Choice, result: string][] = [
    ['writes what is allowed', proposal(grow), {}, 'write'],
    [
      '1 does not reign: before anything else',
      proposal(grow, { uuid: 'x' }),
      { isIdle: true },
      'notController',
    ],
    [
      'another partition of the same number',
      proposal(grow, { uuid: 'f'.repeat(32) }),
      {},
      'unknownPartition',
    ],
    [
      '2 KIP-380: the sender is an earlier life',
      proposal(grow, { leaderEpoch: asLeaderEpoch(9) }),
      { members: { 1: bounced(1, null) } },
      'fencedEpoch',
    ],
    [
      '2 the sender is a later life than we know',
      proposal(grow, { leaderIncarnation: asIncarnation(lifeOf(1) + 1) }),
      {},
      'notController',
    ],
    [
      '3 a newer leader epoch: we are stale',
      proposal(grow, { leaderEpoch: asLeaderEpoch(6) }),
      {},
      'notController',
    ],
    ['3 a newer version: we are stale', proposal(grow, { version: newerVersion }), {}, 'notController'],
    ['4 an older leader epoch', proposal(grow, { leaderEpoch: asLeaderEpoch(4) }), {}, 'fencedEpoch'],
    [
      '4 KAFKA-2729: not the leader of this epoch',
      proposal(grow, { leader: node(2), leaderIncarnation: lifeOf(2) }),
      {},
      'fencedEpoch',
    ],
    [
      '4 4.3-17: the leader in another life than the one elected',
      proposal([member(1, { incarnation: asIncarnation(101) }), member(2)], {
        leaderIncarnation: asIncarnation(101),
      }),
      { members: { 1: bounced(1, null) } },
      'fencedEpoch',
    ],
    [
      '5 KAFKA-14144: already so, though the version is old',
      proposal([member(2), member(1)], { version: staleVersion }),
      {},
      'ok',
    ],
    ['6 an older version', proposal(grow, { version: staleVersion }), {}, 'invalidVersion'],
    [
      '7 KAFKA-13916: a joining member is dead',
      proposal(grow),
      { members: { 3: { ...alive(3), incarnation: null } } },
      'ineligible',
    ],
    [
      '7 KAFKA-14139: a joining member fetched in an earlier life',
      proposal(grow),
      { members: { 3: bounced(3, null) } },
      'ineligible',
    ],
    [
      '7 KAFKA-14140: a joining member shuts down',
      proposal(grow),
      { members: { 3: alive(3, { isShuttingDown: true }) } },
      'ineligible',
    ],
    [
      '7 KAFKA-7837: a joining member has trouble',
      proposal(grow),
      { members: { 3: alive(3, { isTroubled: true }) } },
      'ineligible',
    ],
    [
      '7 KAFKA-7837: a joining member has trouble in the directory that is proposed, which the state does not name',
      proposal(grow),
      { members: { 3: alive(3, { troubledDirectoryId: directoryOf(3) }) } },
      'ineligible',
    ],
    [
      '7 C6: a joining member had trouble in the directory before',
      proposal(grow),
      { members: { 3: alive(3, { isTroubled: true, troubledDirectoryId: 'rotten' }) } },
      'write',
    ],
    ['I7: a joining member is not assigned', proposal([...grow, member(4)]), {}, 'ineligible'],
    ['I7: the leader leaves itself out', proposal([member(2), member(3)]), {}, 'ineligible'],
    ['I7: a member is named twice', proposal([member(1), member(2), member(2)]), {}, 'ineligible'],
    [
      'a member that stays may be dead: nothing changes for it',
      proposal(grow),
      { members: { 2: { ...alive(2), incarnation: null } } },
      'write',
    ],
  ];
  for (const [name, asked, choice, result] of cases) {
    it(name, () => {
      expect(resultOf(check(asked, choice))).to.equal(result);
    });
  }

  it('ineligible is the same state under a newer version: no double can be accepted later (ADR 6)', () => {
    const verdict = check(proposal([...grow, member(4)]));
    if (verdict.kind !== 'write') throw new Error('no write');
    const { controllerEpoch: _of, ...rest } = verdict.next;
    const { controllerEpoch: _before, ...before } = partitionState({ isr: [1, 2] });
    expect(rest).to.deep.equal(before);
  });

  it('R1, KIP-966: a shrink below min makes who leaves eligible, with life and directory', () => {
    const verdict = check(proposal([member(1)]));
    if (verdict.kind !== 'write') throw new Error('no write');
    expect(verdict.next).to.deep.include({ isr: [1], elr: [2], leaderEpoch: 5, controllerEpoch: 3 });
    expect(verdict.next.incarnations).to.deep.equal({ 1: 100, 2: 200 });
    expect(verdict.next.directoryIds).to.deep.equal({ 1: 'directory-1', 2: 'directory-2' });
  });

  it('R5, KIP-903: who joins counts under the life and directory that the proposal names', () => {
    const joined = member(3, { incarnation: asIncarnation(301), directoryId: 'rebuilt' });
    const verdict = check(proposal([member(1), joined]), {
      state: partitionState({ isr: [1], elr: [2] }),
      members: { 3: bounced(3, null) },
    });
    if (verdict.kind !== 'write') throw new Error('no write');
    expect(verdict.next).to.deep.include({ isr: [1, 3], elr: [] });
    expect(verdict.next.incarnations).to.deep.equal({ 1: 100, 3: 301 });
    expect(verdict.next.directoryIds[3]).to.equal('rebuilt');
  });
});
