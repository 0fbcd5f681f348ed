import { expect } from 'chai';
import fc from 'fast-check';
import type { LeaderEffect } from '../../../src/replication/leader/leader-events.ts';
import { EPOCH, LAG_MS, life, stateOf } from '../rules/views.ts';
import { LeaderHarness } from './leader-harness.ts';

/** What may happen, in any order; numbers are taken modulo what makes sense. */
const happening = fc.record({
  what: fc.constantFrom(
    'fetch',
    'fetch',
    'fetch',
    'told',
    'append',
    'append',
    'pass',
    'pass',
    'echo',
    'commit',
    'refuse',
    'shrink',
    'stray',
  ),
  from: fc.constantFrom(2, 3, 4),
  at: fc.nat(40),
  ms: fc.nat(400),
});

type Happening = typeof happening extends fc.Arbitrary<infer Kind> ? Kind : never;

/** The controller's side of the game: what the leader proposed last becomes the state, now or later. */
class Game {
  readonly leader = new LeaderHarness({
    state: stateOf({ replicas: [1, 2, 3, 4] }),
    logEnd: 0,
    epochStart: 0,
  });
  #version = 7;

  play({ what, from, at, ms }: Happening): void {
    const { leader } = this;
    const version = this.#version - (ms % 10 === 0 ? 1 : 0);
    const offset = Math.max(0, leader.logEnd - (at % 4));
    switch (what) {
      case 'fetch':
        leader.fetch(from, { offset, durable: offset - (ms % 3), version, log: { end: leader.logEnd } });
        break;
      case 'told':
        leader.told(from, leader.logEnd - (at % 4), { version });
        break;
      case 'append':
        leader.append(leader.logEnd + (at % 4), leader.logEnd);
        break;
      case 'pass':
        leader.advance(ms, ms % 3 === 0 ? [from] : []);
        break;
      case 'echo':
        leader.echo(from, at, leader.nowMs - ms);
        break;
      case 'commit':
        this.#commitProposal();
        break;
      case 'refuse':
        leader.reply(ms % 2 === 0 ? 'notController' : 'invalidVersion');
        break;
      case 'shrink':
        this.#apply(ms % 2 === 0 ? [1, from] : [1]);
        break;
      case 'stray':
        leader.fetch(from, {
          leaderEpoch: EPOCH + (ms % 3) - 1,
          incarnation: life(from - (at % 2)),
          lastEpoch: at % 7,
        });
        break;
    }
  }

  #commitProposal(): void {
    const { pending } = this.leader.core.view;
    if (pending !== null) this.#apply(pending.members.map(({ node }) => node));
  }

  #apply(isr: readonly number[]): void {
    this.#version += 1;
    this.leader.apply(stateOf({ replicas: [1, 2, 3, 4], isr, version: this.#version }));
  }
}

const isOf =
  (kind: LeaderEffect['kind']) =>
  (effect: LeaderEffect): boolean =>
    effect.kind === kind;

describe('a leader under any events', () => {
  it('keeps I3, I5 and I7, commits upwards, proposes one change at a time and never wakes in the past', () => {
    let commits = 0;
    let proposals = 0;
    fc.assert(
      fc.property(fc.array(happening, { minLength: 40, maxLength: 120 }), (happenings) => {
        const game = new Game();
        const { leader } = game;
        let highWatermark = 0;
        for (const next of happenings) {
          leader.forget();
          const wasPending = leader.core.view.pending;
          const beganMs = leader.nowMs;
          game.play(next);
          expect(leader.core.highWatermark).to.be.at.least(highWatermark);
          highWatermark = leader.core.highWatermark;
          for (const { atMs } of leader.of('wakeAt')) expect(atMs).to.be.greaterThan(beganMs);
          for (const { proposal } of leader.of('propose')) {
            const isOther = proposal.proposalId !== wasPending?.proposalId;
            const hasMoved = next.what === 'commit' || next.what === 'shrink';
            expect(!isOther || wasPending === null || hasMoved, 'one in flight').to.equal(true);
          }
          commits += leader.effects.filter(isOf('commit')).length;
          proposals += leader.effects.filter(isOf('propose')).length;
        }
      }),
      { numRuns: 300 },
    );
    expect(commits, 'it is no game without commits').to.be.greaterThan(100);
    expect(proposals).to.be.greaterThan(100);
  });

  it('left alone it shrinks to itself, and then asks for no more than retries', () => {
    const leader = new LeaderHarness();
    leader.advance(LAG_MS * 2);
    expect(leader.proposed[0]).to.deep.equal([1]);
    leader.apply(stateOf({ isr: [1], elr: [2, 3], version: 8 }));
    leader.forget().advance(LAG_MS * 20);
    expect(leader.effects).to.deep.equal([]);
  });
});
