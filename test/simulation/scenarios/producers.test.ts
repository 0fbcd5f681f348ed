import { expect } from 'chai';
import { asIncarnation, asNodeId, asProducerSequence } from '../../../src/model/numbers.ts';
import type { Producer } from '../../../src/model/producer.ts';
import type { NumberedCommand } from '../../../src/replication/leader-partition.ts';
import type { Action } from '../checkers/history.ts';
import { ClusterScript } from './cluster-script.ts';

const CLIENT: Producer = { kind: 'client', id: 'a client' };
const FORWARDER: Producer = { kind: 'node', node: asNodeId(9), incarnation: asIncarnation(1) };
const INCREMENT: Action = { kind: 'increment', key: 'counter' };

const first = (sequence: number, producer: Producer = CLIENT): NumberedCommand => ({
  producer,
  sequence: asProducerSequence(sequence),
  isRetry: false,
});
const again = (sequence: number, producer: Producer = CLIENT): NumberedCommand => ({
  ...first(sequence, producer),
  isRetry: true,
});

/** Two commands, of which the first has another answer by the time that it is sent again. */
async function countTwice(script: ClusterScript): Promise<void> {
  expect(await script.askNumbered(first(1), INCREMENT)).to.equal(':1');
  expect(await script.askNumbered(first(2), INCREMENT)).to.equal(':2');
}

async function expectCountedTwice(script: ClusterScript): Promise<void> {
  expect(await script.askNumbered(again(1), INCREMENT)).to.equal(':1');
  expect(await script.askNumbered(again(2), INCREMENT)).to.equal(':2');
  expect(await script.get('counter')).to.equal('=2');
}

/** Nothing of the commands is left in the log but what a merge keeps of them. */
async function mergeAway(script: ClusterScript): Promise<void> {
  await script.mustDelete('counter');
  await script.mustSet('counter', '2');
  await script.rollAll();
}

describe('a numbered command that is sent again (R13, R14)', () => {
  it('is answered as before by the next leader, and by the one after it', () =>
    ClusterScript.play({ seed: 601 }, async (script) => {
      await countTwice(script);
      const { leader } = script;
      script.kill(leader, 'loseAll');
      await script.untilLedAnew(leader);
      await script.untilDone({ kind: 'get', key: 'counter' });
      await expectCountedTwice(script);
      script.start(leader);
      await script.lead(leader);
      await expectCountedTwice(script);
    }));

  it('is not answered while it is not committed: it waits for the first', () =>
    ClusterScript.play({ seed: 602 }, async (script) => {
      const { leader } = script;
      const [one, other] = script.pair;
      script.cut(leader, one);
      script.cut(leader, other);
      const asked = script.beginNumbered(first(1), INCREMENT, leader);
      await script.run(50);
      const retry = script.beginNumbered(again(1), INCREMENT, leader);
      await script.run(100);
      expect([asked.text, retry.text]).to.deep.equal([null, null]);
      script.mend(leader, one);
      script.mend(leader, other);
      expect(await script.answer(asked)).to.equal(':1');
      expect(await script.answer(retry)).to.equal(':1');
      expect(await script.get('counter')).to.equal('=1');
    }));

  it('is executed by the next leader where the first execution was truncated, and only there', () =>
    ClusterScript.play({ seed: 603 }, async (script) => {
      await script.askNumbered(first(1), INCREMENT);
      const { leader } = script;
      script.isolate(leader);
      script.cutCoordinator(leader);
      const lost = script.beginNumbered(first(2), INCREMENT, leader);
      const next = await script.untilLedAnew(leader);
      expect(await script.answer(lost)).to.match(/^unknown/);
      await script.untilDone({ kind: 'get', key: 'counter' });
      expect(await script.askNumbered(first(3), INCREMENT, next), 'what nobody committed').to.equal(':2');
      expect(await script.askNumbered(again(2), INCREMENT, next)).to.equal(':3');
      script.rejoin(leader);
      script.cutCoordinator(leader, false);
      await script.lead(leader);
      expect(await script.askNumbered(again(2), INCREMENT)).to.equal(':3');
      expect(await script.askNumbered(again(3), INCREMENT)).to.equal(':2');
      expect(await script.get('counter')).to.equal('=3');
    }));

  it('is answered as before after merges and restarts of everybody', () =>
    ClusterScript.play({ seed: 604 }, async (script) => {
      await countTwice(script);
      await mergeAway(script);
      for (const { id } of script.world.nodes) await script.merge(id);
      for (const { id } of script.world.nodes) script.node(id).restart();
      await script.untilStable();
      await expectCountedTwice(script);
    }));

  it('is answered as before by a replica that was built anew from a merged log', () =>
    ClusterScript.play({ seed: 605 }, async (script) => {
      await countTwice(script);
      await mergeAway(script);
      for (const { id } of script.world.nodes) await script.merge(id);
      const [victim] = script.pair;
      script.node(victim).restart({ wipe: true });
      await script.untilStable();
      await script.lead(victim);
      await expectCountedTwice(script);
    }));

  it('is answered as before by a replica that was away while the others merged, and had only a part of it', () =>
    ClusterScript.play({ seed: 606 }, async (script) => {
      const { leader } = script;
      const [other, late] = script.pair;
      expect(await script.askNumbered(first(1), INCREMENT)).to.equal(':1');
      await script.untilLevel();
      script.kill(late);
      await script.untilInSync([leader, other]);
      expect(await script.askNumbered(first(2), INCREMENT)).to.equal(':2');
      await script.mustSet('counter', '2');
      await script.untilLevel();
      for (const id of [leader, other]) {
        await script.roll(id);
        await script.merge(id);
      }
      script.start(late);
      await script.lead(late);
      await expectCountedTwice(script);
    }));

  it('as a forwarder sent it is refused while one before it is missing', () =>
    ClusterScript.play({ seed: 607 }, async (script) => {
      expect(await script.askNumbered(first(2, FORWARDER), INCREMENT)).to.match(/^refused .*tryAgain/);
      expect(await script.askNumbered(first(1, FORWARDER), INCREMENT)).to.equal(':1');
      expect(await script.askNumbered(again(2, FORWARDER), INCREMENT)).to.equal(':2');
    }));

  it('below the window is in doubt, and not executed', () =>
    ClusterScript.play({ seed: 608 }, async (script) => {
      await script.askNumbered(first(1), INCREMENT);
      await script.askNumbered(first(100), INCREMENT);
      expect(await script.askNumbered(again(1), INCREMENT)).to.match(
        /^unknown .*older than what is remembered/,
      );
      expect(await script.get('counter')).to.equal('=2');
    }));
});
