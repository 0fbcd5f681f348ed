import { expect } from 'chai';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { Coverage } from './coverage.ts';
import { doubtsMax, unexplained } from './disturbance.ts';
import { Findings } from './findings.ts';
import type { Operation } from './history.ts';
import { PartitionStateWatch } from './partition-state-watch.ts';
import { checkStaleReads } from './stale-reads.ts';

const VALUES = [
  { sinceMs: 100, offset: asOffset(0), value: 'v1' },
  { sinceMs: 200, offset: asOffset(1), value: 'v2' },
  { sinceMs: 300, offset: asOffset(2), value: null },
];

function staleRead(reply: string, invokedAtMs: number): Operation {
  return {
    id: 1,
    client: 1,
    partition: 0,
    action: { kind: 'get', key: 'k' },
    consistency: 'follower',
    invoked: 1,
    returned: 2,
    invokedAtMs,
    returnedAtMs: invokedAtMs + 1,
    outcome: { kind: 'done', reply },
  };
}

function state(changes: Partial<PartitionState>): PartitionState {
  const nodes = [1, 2, 3].map(asNodeId);
  return {
    id: asPartitionId(0),
    uuid: 'u',
    version: asPartitionVersion(1),
    replicas: nodes,
    adding: [],
    removing: [],
    leader: asNodeId(1),
    leaderEpoch: asLeaderEpoch(1),
    isr: nodes,
    elr: [],
    incarnations: { 1: asIncarnation(1), 2: asIncarnation(1), 3: asIncarnation(1) },
    directoryIds: { 1: 'a', 2: 'b', 3: 'c' },
    controllerEpoch: asControllerEpoch(1),
    recovery: 'clean',
    ...changes,
  };
}

function found(...states: readonly PartitionState[]): readonly string[] {
  const findings = new Findings(() => 0);
  const watch = new PartitionStateWatch(findings, 2);
  for (const next of states) watch.look(next, 0);
  return findings.list.map(({ checker }) => checker);
}

describe('stale reads', () => {
  const check = (reply: string, invokedAtMs: number) =>
    checkStaleReads([staleRead(reply, invokedAtMs)], { stalenessMsMax: 50, valuesOf: () => VALUES });

  it('may show what was committed within the bound', () => {
    expect(check('=v1', 150)).to.deep.equal([]);
    expect(check('=v1', 240)).to.deep.equal([]);
    expect(check('=v2', 240)).to.deep.equal([]);
    expect(check('nil', 310)).to.deep.equal([]);
    expect(check('nil', 90)).to.deep.equal([]);
  });

  it('may not show what is older, not committed yet, or was never there', () => {
    expect(check('=v1', 260)).to.have.length(1);
    expect(check('=v2', 150)).to.have.length(1);
    expect(check('=v9', 150)).to.have.length(1);
    expect(check('nil', 200)).to.have.length(1);
  });
});

describe('partition states', () => {
  it('may follow each other by shrink, election among the ISR and ELR, and expansion', () => {
    const shrunk = state({ version: asPartitionVersion(2), isr: [asNodeId(1)], elr: [asNodeId(2)] });
    const elected = state({
      version: asPartitionVersion(3),
      leader: asNodeId(2),
      leaderEpoch: asLeaderEpoch(2),
      isr: [asNodeId(2)],
      elr: [asNodeId(1)],
    });
    expect(found(state({}), shrunk, elected)).to.deep.equal([]);
  });

  it('R1: an ISR of min.insync has no ELR beside it', () => {
    expect(found(state({ isr: [asNodeId(1), asNodeId(2)], elr: [asNodeId(3)] }))).to.deep.equal([
      'partition state',
    ]);
  });

  it('a clean election takes a member of ISR or ELR, under a new epoch', () => {
    const small = state({ isr: [asNodeId(1)] });
    const elected = { version: asPartitionVersion(2), leader: asNodeId(3), isr: [asNodeId(3)] };
    expect(found(small, state({ ...elected, leaderEpoch: asLeaderEpoch(2) }))).to.deep.equal([
      'clean election',
    ]);
    expect(found(state({}), state(elected))).to.deep.equal(['partition state']);
  });

  it('epochs and versions do not go back', () => {
    const later = state({ version: asPartitionVersion(5), leaderEpoch: asLeaderEpoch(4) });
    expect(found(later, state({}))).to.deep.equal(['partition state']);
  });
});

describe('disturbances', () => {
  const faults = [{ atMs: 1_000, untilMs: 2_000 }];
  const bounds = { recoveryMs: 500, startMs: 100 };

  it('explain refusals until the recovery bound is over; redirections need no explanation', () => {
    const trouble = (atMs: number, reason = 'notEnoughReplicas: 1 of 2') => ({ atMs, partition: 0, reason });
    const troubles = [
      trouble(50),
      trouble(1_500),
      trouble(2_400),
      trouble(2_600),
      trouble(3_000, 'notLeader: x'),
    ];
    expect(unexplained(troubles, faults, bounds).map(({ atMs }) => atMs)).to.deep.equal([2_600]);
  });

  it('bound what may be in doubt', () => {
    expect(doubtsMax(faults, 8, 500, 500)).to.equal(8 * 4);
    expect(doubtsMax([], 8, 500, 500)).to.equal(0);
  });
});

describe('coverage', () => {
  it('tells what a suite never met', () => {
    const coverage = new Coverage();
    coverage.hit('resync');
    coverage.add({ 'crash of leader': 2 });
    expect(coverage.missing(['resync', 'crash of leader', 'merge'])).to.deep.equal(['merge']);
    expect(coverage.toRecord()).to.deep.equal({ 'crash of leader': 2, resync: 1 });
  });
});
