import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { type Asked, ClusterScript } from './cluster-script.ts';

/** Where a controlled shutdown says that it was one. */
const CLEAN_MARKER = '/data/CLEAN';
const LAGGARD = { lossShare: 0, doubledShare: 0, reorderedShare: 0, slownessMs: 60 } as const;

/** It believes that it leads, and takes a write that nobody else will ever have. Returns once that is on its disk. */
async function writeAlone(script: ClusterScript, leader: NodeId, key: string, value: string): Promise<Asked> {
  script.isolate(leader);
  script.cutCoordinator(leader);
  const end = script.store(leader).durableOffset;
  const asked = script.begin({ kind: 'set', key, value, dueMs: 0 }, leader);
  await script.until('it is on its disk', () => script.store(leader).durableOffset > end);
  return asked;
}

function letBack(script: ClusterScript, id: NodeId): void {
  script.rejoin(id);
  script.cutCoordinator(id, false);
}

describe('logs agree after changes of the leader (PROTOCOL 2.6, 2.8)', () => {
  it('KAFKA-1211, KIP-101: a follower that knows an old high watermark keeps what was committed, and is elected', () =>
    ClusterScript.play({ seed: 501 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      const [first, second] = script.pair;
      await script.mustSet('K', 'new');
      // Committed, and the followers have not been told.
      script.kill(leader, 'loseAll');
      script.node(first).restart();
      script.node(second).restart();
      const next = await script.untilLedAnew(leader);
      const { reply } = await script.untilDone({ kind: 'get', key: 'K' });
      expect(reply).to.equal('=new');
      expect([first, second]).to.include(next);
      script.start(leader);
      await script.untilStable();
    }));

  it('KAFKA-6361, KIP-279: fast double failover: tails of two leaders that nobody else has are both cut', () =>
    ClusterScript.play({ seed: 502 }, async (script) => {
      await script.mustSet('K', 'committed');
      const one = script.leader;
      const first = await writeAlone(script, one, 'A', 'of the first');
      const two = await script.untilLedAnew(one);
      // The second leader is cut off as soon as it may write: somebody follows it (R17).
      const other = script.others(one).find((node) => node !== two) ?? one;
      await script.until(
        'it has a follower',
        () => script.replica(other).follower?.leaderEpoch === script.state.leaderEpoch,
      );
      await script.run(100);
      const second = await writeAlone(script, two, 'B', 'of the second');
      letBack(script, one);
      const three = await script.untilLedAnew(two);
      letBack(script, two);
      await script.untilStable();
      expect(await script.answer(first)).to.match(/^unknown/);
      expect(await script.answer(second)).to.match(/^unknown/);
      await script.mustSet('K', 'later');
      for (const node of [one, two, three]) {
        await script.lead(node);
        expect(await script.get('A')).to.equal('nil');
        expect(await script.get('B')).to.equal('nil');
        expect(await script.get('K')).to.equal('=later');
      }
    }));

  it('KAFKA-7128: a follower with everything below the old high watermark, but not the tail that its leader inherited, does not join', () =>
    ClusterScript.play({ seed: 503 }, async (script) => {
      const { leader } = script;
      const [slow, fast] = script.pairByReign;
      script.cut(leader, slow);
      await script.untilInSync([leader, fast], 5_000);
      // More than one fetch brings; the last part is committed at the leader, and the fast one has not heard of it.
      const asked = Array.from({ length: 40 }, (_, index) =>
        script.begin({ kind: 'set', key: `K${index}`, value: 'x'.repeat(2_000), dueMs: 0 }),
      );
      const leaderStore = script.store(leader);
      await script.until(
        'all is committed',
        () => leaderStore.logEndOffset === 40 && leaderStore.committedOffset === leaderStore.logEndOffset,
      );
      expect(script.store(fast).committedOffset).to.be.lessThan(leaderStore.logEndOffset);
      // What is under way is lost with it.
      script.isolate(leader);
      script.kill(leader);
      script.world.network.setMood(slow, LAGGARD);
      await script.until('the fast one leads', () => script.isServedBy(fast));
      await script.until('the slow one joins', () => script.state.isr.includes(slow));
      const { latest } = script.store(fast).epochs;
      expect(latest?.epoch).to.equal(script.state.leaderEpoch);
      expect(script.store(slow).durableOffset).to.be.at.least(latest?.startOffset ?? Number.NaN);
      script.kill(fast);
      script.world.network.setMood(slow, null);
      script.rejoin(leader);
      script.mend(leader, slow);
      script.start(leader);
      for (const each of asked) await script.answer(each);
      const { reply } = await script.untilDone({ kind: 'get', key: 'K39' });
      expect(reply).to.equal(`=${'x'.repeat(2_000)}`);
    }));

  it('KAFKA-7164, KAFKA-7415: epochs without records are remembered, and every one is agreed on', () =>
    ClusterScript.play({ seed: 504 }, async (script) => {
      await script.mustSet('K', 'first');
      const home = script.leader;
      const [first, second] = script.pair;
      for (const node of [first, home, second, home]) await script.lead(node);
      await script.mustSet('K', 'second');
      await script.untilLevel();
      for (const { id } of script.world.nodes) {
        expect(script.store(id).lastEpoch).to.equal(script.state.leaderEpoch);
        expect(script.store(id).latestEpoch).to.equal(script.state.leaderEpoch);
      }
    }));

  it('KAFKA-10706: epochs that began at the end of a log and were never followed go: fetching goes on', () =>
    ClusterScript.play({ seed: 2_505 }, async (script) => {
      await script.mustSet('K', 'first');
      const old = script.leader;
      script.node(old).restart();
      await script.untilStable();
      // Until who follows has asked in this epoch: before that nothing of it is written (R17).
      await script.run(100);
      const asked = await writeAlone(script, script.leader, 'A', 'never');
      const zombie = script.leader;
      await script.untilLedAnew(zombie);
      letBack(script, zombie);
      await script.untilStable();
      await script.answer(asked);
      await script.mustSet('K', 'second');
      await script.untilLevel();
      expect(script.store(zombie).latestEpoch).to.equal(script.state.leaderEpoch);
    }));

  it('a restarted leader never goes on in its epoch, though it lost its tail and nobody else was elected (4.3-17)', () =>
    ClusterScript.play({ seed: 506 }, async (script) => {
      await script.mustSet('K', 'old');
      await script.untilLevel();
      const { leader } = script;
      const { leaderEpoch } = script.state;
      const elected = new Set<NodeId | null>();
      script.world.observe(() => elected.add(script.state.leader));
      const { logEndOffset } = script.store(leader);
      // Nobody fetches what it appends, and it dies before its disk has it.
      script.isolate(leader);
      const asked = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      await script.until('it is appended', () => script.store(leader).logEndOffset > logEndOffset);
      expect(script.store(leader).durableOffset).to.equal(logEndOffset);
      script.kill(leader, 'loseAll');
      script.start(leader);
      // Nobody is refused meanwhile, which would tell of a death.
      await script.untilRuns(leader);
      script.rejoin(leader);
      expect(script.store(leader).logEndOffset, 'the tail is lost').to.equal(logEndOffset);
      await script.until('it leads again', () => script.isServedBy(leader));
      expect([...elected], 'nobody else was elected').to.deep.equal([leader]);
      expect(script.state.leaderEpoch).to.be.greaterThan(leaderEpoch);
      expect(script.store(leader).epochs.latest).to.include({
        epoch: script.state.leaderEpoch,
        startOffset: logEndOffset,
      });
      expect(await script.answer(asked)).to.match(/^unknown/);
      expect((await script.untilDone({ kind: 'get', key: 'K' })).reply).to.equal('=old');
    }));

  it('KAFKA-2334, KIP-207: a new leader shows nothing before everything it inherited is committed', () =>
    ClusterScript.play({ seed: 507 }, async (script) => {
      await script.mustSet('K', 'old');
      await script.untilLevel();
      const { leader } = script;
      const [first, second] = script.pair;
      const { committedOffset } = script.store(leader);
      const written = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      await script.until('it is committed', () => script.store(leader).committedOffset > committedOffset);
      // The client is told, the followers are not.
      script.isolate(leader);
      await script.until('it is acknowledged', () => written.text === 'OK');
      expect(script.store(first).committedOffset).to.equal(committedOffset);
      script.kill(leader);
      await script.until('another is elected', () => ![leader, null].includes(script.state.leader));
      const next = script.leader;
      // It cannot reach its high watermark: nobody fetches.
      script.cut(first, second);
      await script.untilRuns(next);
      const asked = script.begin({ kind: 'get', key: 'K' }, next);
      await script.run(500);
      expect(asked.text).to.not.equal('=old');
      script.mend(first, second);
      script.rejoin(leader);
      const { reply } = await script.untilDone({ kind: 'get', key: 'K' });
      expect(reply).to.equal('=new');
      await script.answer(asked);
    }));

  it('(i) an epoch whose records were all merged away still says where it ended: a tail of it is cut', () =>
    ClusterScript.play({ seed: 508 }, async (script) => {
      await script.mustSet('K', 'first');
      const home = script.leader;
      const zombie = script.pair[0];
      await script.lead(zombie);
      await script.mustSet('K', 'second');
      const asked = await writeAlone(script, zombie, 'A', 'never');
      await script.untilLedAnew(zombie);
      await script.untilDone({ kind: 'set', key: 'K', value: 'third', dueMs: 0 });
      const others = script.others(zombie);
      await script.until('both have it', () =>
        others.every(
          (id) => script.store(id).committedOffset === script.store(script.leader).committedOffset,
        ),
      );
      for (const id of others) {
        await script.roll(id);
        await script.merge(id);
        expect(script.store(id).log.segments.length).to.be.at.most(2);
      }
      for (const id of others) script.node(id).restart();
      letBack(script, zombie);
      await script.untilStable();
      await script.answer(asked);
      await script.lead(zombie);
      expect(await script.get('A')).to.equal('nil');
      expect(await script.get('K')).to.equal('=third');
      await script.lead(home);
      expect(await script.get('K')).to.equal('=third');
    }));

  // Under another mode than `always`, where the marker is the only proof that nothing is missing (R6).
  it('KAFKA-10471: a process that dies while it opens its logs did not close them', () =>
    ClusterScript.play({ seed: 509, flushMode: 'os' }, async (script) => {
      await script.mustSet('K', 'value');
      const [victim] = script.pair;
      const { disk } = script.node(victim).machine;
      const shutDown = async (): Promise<void> => {
        script.node(victim).shutDown();
        await script.until('it has ended', () => !script.node(victim).isUp);
        expect(disk.faulty.contentOf(CLEAN_MARKER)).to.not.equal(null);
        script.start(victim);
      };
      const verdict = (): string | undefined => script.live(victim).cluster.replicas.reports([])[0]?.verdict;
      await shutDown();
      await script.untilRuns(victim);
      expect(verdict(), 'closed').to.equal('whole');
      await script.untilStable();
      await shutDown();
      await script.until('the marker is gone', () => disk.faulty.contentOf(CLEAN_MARKER) === null);
      // What it reads next, of its logs, never comes.
      disk.faulty.slow({ readMs: 60_000 });
      await script.run(100);
      expect(script.node(victim).isUp).to.equal(true);
      expect(script.node(victim).live).to.equal(null);
      script.kill(victim, 'loseAll');
      disk.heal();
      script.start(victim);
      await script.untilRuns(victim);
      expect(verdict(), 'not closed').to.equal('lossy');
      await script.untilStable();
      await script.lead(victim);
      expect(await script.get('K')).to.equal('=value');
    }));

  it('a value larger than any fetch reaches everybody, and so does what comes behind it', () =>
    ClusterScript.play({ seed: 510 }, async (script) => {
      const large = 'x'.repeat(200_000);
      await script.mustSet('K', large);
      await script.mustSet('L', 'behind it');
      const [first] = script.pair;
      script.node(first).restart({ wipe: true });
      await script.untilRuns(first);
      await script.lead(first);
      expect(await script.get('K')).to.equal(`=${large}`);
      expect(await script.get('L')).to.equal('=behind it');
    }));
});
