import { expect } from 'chai';
import { classifyMember, type MemberClass } from '../../../src/controller/rules/classify-member.ts';
import {
  DEAD_MEMBER,
  type Decision,
  type MemberView,
} from '../../../src/controller/rules/partition-world.ts';
import { asLeaderEpoch, asOffset } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { node, partitionState } from '../../support/partition-states.ts';
import { alive, bounced, decide, reported, worldOf } from './world.ts';

const IDS = [1, 2, 3];
const MIN_INSYNC = 2;

/** Everything that one node can be to a partition. */
const VIEWS: readonly ((id: number) => MemberView)[] = [
  () => DEAD_MEMBER,
  (id) => alive(id),
  (id) => reported(id, { logEndOffset: asOffset(100 + id) }),
  (id) => reported(id, { lastEpoch: asLeaderEpoch(4) }),
  (id) => reported(id, {}, { isShuttingDown: true }),
  (id) => reported(id, {}, { isTroubled: true }),
  (id) => reported(id, {}, { isTroubled: true, staysMember: true }),
  (id) => reported(id, { verdict: 'lossy' }),
  (id) => bounced(id, null),
  (id) => bounced(id, { logEndOffset: asOffset(90) }),
  (id) => bounced(id, { verdict: 'lossy' }),
  (id) => bounced(id, { directoryId: 'another' }),
  (id) => bounced(id, 'absent'),
];

const subsets = (ids: readonly number[]): number[][] =>
  Array.from({ length: 2 ** ids.length }, (_, bits) => ids.filter((_id, index) => (bits >> index) & 1));

/** Every state that keeps R1: an ELR only below min.insync, apart from the ISR, the leader in the ISR. */
function* states(): Generator<PartitionState> {
  for (const isr of subsets(IDS).filter((set) => set.length > 0)) {
    const outside = IDS.filter((id) => !isr.includes(id));
    for (const elr of isr.length < MIN_INSYNC ? subsets(outside) : [[]]) {
      for (const leader of [null, ...isr]) yield partitionState({ isr, elr, leader });
    }
  }
}

function* memberViews(): Generator<Record<number, MemberView>> {
  for (const first of VIEWS)
    for (const second of VIEWS) for (const third of VIEWS) yield { 1: first(1), 2: second(2), 3: third(3) };
}

const isSound = (kind: MemberClass | undefined): boolean => kind === 'current' || kind === 'returned';
const isLost = (kind: MemberClass | undefined): boolean => kind === 'lossy' || kind === 'foreign';

/** What every written state must keep, whatever the world. Returns the broken rule. */
function brokenRule(
  state: PartitionState,
  views: Record<number, MemberView>,
  decision: Extract<Decision, { kind: 'write' }>,
): string | null {
  const { next } = decision;
  const members = [...state.isr, ...state.elr];
  const hasNewLife = (id: number): boolean => views[id]?.incarnation !== state.incarnations[id];
  const classOf = (id: number): MemberClass => classifyMember(state, node(id), views[id] ?? DEAD_MEMBER);
  if (next.isr.length === 0) return 'the ISR is never emptied (2.7)';
  if (next.leader !== null && !next.isr.includes(next.leader))
    return 'the leader is in the ISR (LeaderInIsr)';
  if (next.isr.some((id) => !members.includes(id))) return 'only a leader proposes to add a member';
  if (next.elr.some((id) => !members.includes(id))) return 'nobody enters the ELR from outside (KIP-966)';
  if (next.elr.some((id) => next.isr.includes(id))) return 'ISR and ELR are apart';
  if (next.isr.length >= MIN_INSYNC && next.elr.length > 0) return 'R1: min reached clears the ELR';
  if (next.elr.some((id) => isLost(classOf(id)) && (hasNewLife(id) || next.leader !== null)))
    return 'R6: lossy and foreign leave the ELR';
  // A leader that is out of order in the life that counts leads on while nobody else can.
  const isOutOfOrder = (id: number): boolean => id === state.leader && id === next.leader && !hasNewLife(id);
  if (next.leader !== null && next.isr.some((id) => isLost(classOf(id)) && !isOutOfOrder(id)))
    return 'R6: lossy and foreign leave the ISR';
  if (next.leader !== null && !isSound(classOf(next.leader)) && !isOutOfOrder(next.leader))
    return 'only a sound member leads (R5, R6)';
  const isLeaderChange = next.leader !== state.leader;
  if (isLeaderChange && next.leader !== null && views[next.leader]?.isShuttingDown) return 'KAFKA-13916';
  if (isLeaderChange && next.leader !== null && views[next.leader]?.isTroubled) return 'KAFKA-7837';
  const isLifeChange = next.isr.some((id) => state.incarnations[id] !== next.incarnations[id]);
  const hasNewEpoch = next.leaderEpoch > state.leaderEpoch;
  if (next.leaderEpoch < state.leaderEpoch) return 'I1';
  if ((isLeaderChange || isLifeChange) && !hasNewEpoch) return '4.3-17: a new epoch for a new leader or life';
  if (next.leader !== null && next.incarnations[next.leader] !== views[next.leader]?.incarnation)
    return 'the leader leads under the life that is alive';
  if (
    next.leader === null &&
    members.some((id) => isSound(classOf(id)) && !views[id]?.isShuttingDown && !views[id]?.isTroubled)
  )
    return 'somebody could have led';
  const keys = Object.keys(next.incarnations)
    .map(Number)
    .sort((a, b) => a - b);
  if (keys.join() !== [...next.isr, ...next.elr].sort((a, b) => a - b).join())
    return 'lives of members, and of nobody else';
  if (
    decision.reason === 'leaderDead' &&
    state.leader !== null &&
    next.isr.includes(state.leader) &&
    next.leader !== null
  )
    return 'R7: the electing write removes the dead leader';
  return null;
}

describe('decide, over every world of three nodes', () => {
  it('keeps the rules of 2.7, R1, R5, R6 and R7 in everything it writes', () => {
    let writes = 0;
    for (const state of states()) {
      for (const views of memberViews()) {
        for (const waitedMs of [0, 10_000]) {
          const decision = decide(state, worldOf(views, { waitedMs }));
          if (decision.kind !== 'write') continue;
          writes += 1;
          const broken = brokenRule(state, views, decision);
          if (broken !== null)
            expect.fail(`${broken}\n${JSON.stringify({ state, views, decision }, null, 1)}`);
        }
      }
    }
    expect(writes).to.be.greaterThan(10_000);
  }).timeout(60_000);

  it('comes to rest: what it wrote asks for at most three more writes', () => {
    for (const state of states()) {
      for (const views of memberViews()) {
        let now = state;
        let count = 0;
        for (;;) {
          const decision = decide(now, worldOf(views, { waitedMs: 10_000, isPreferredDue: true }));
          if (decision.kind !== 'write') break;
          now = decision.next;
          count += 1;
          if (count > 4) expect.fail(`no rest\n${JSON.stringify({ state, views, decision }, null, 1)}`);
        }
      }
    }
  }).timeout(60_000);

  it('R17: writes nothing, and asks for no hand-over, before it is known that the coordinator forgot nothing', () => {
    for (const state of states()) {
      for (const views of memberViews()) {
        const decision = decide(
          state,
          worldOf(views, { waitedMs: 10_000, isPreferredDue: true, heard: [1] }),
        );
        expect(decision.kind).to.be.oneOf(['nothing', 'wait']);
      }
    }
  }).timeout(60_000);

  it('waits for a bounded time only, as long as somebody sound is there', () => {
    for (const state of states()) {
      for (const views of memberViews()) {
        const decision = decide(state, worldOf(views, { waitedMs: 300 }));
        if (decision.kind === 'wait') expect(decision.forMs).to.equal(null);
        const isLed = state.leader !== null && views[state.leader] !== undefined;
        const members = [...state.isr, ...state.elr];
        const able = members.filter((id) => {
          const view = views[id] ?? DEAD_MEMBER;
          return isSound(classifyMember(state, id, view)) && !view.isShuttingDown && !view.isTroubled;
        });
        if (!isLed && able.length > 0) expect(decision.kind).to.equal('write');
      }
    }
  }).timeout(60_000);
});
