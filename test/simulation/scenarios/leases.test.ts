import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { CLOCK_RATE_SPREAD } from '../world/machine.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import { type Asked, ClusterScript } from './cluster-script.ts';

const { leaseMsMax, lagMsMax, sessionMs } = WORLD_TIMING;

/** Nothing of a node reaches anybody, nor the other way. It goes on as if it led. */
function vanish(script: ClusterScript, id: NodeId): void {
  script.isolate(id);
  script.cutCoordinator(id);
}

function reappear(script: ClusterScript, id: NodeId): void {
  script.rejoin(id);
  script.cutCoordinator(id, false);
}

/** Reads from a node, one every `everyMs`, for so long. */
async function readAllTheTime(
  script: ClusterScript,
  from: NodeId,
  forMs: number,
  everyMs = 5,
): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (let atMs = 0; atMs < forMs; atMs += everyMs) {
    asked.push(script.begin({ kind: 'get', key: 'K' }, from));
    await script.run(everyMs);
  }
  return asked;
}

interface KeptBack {
  /** What is kept back so far; called, it goes on its way. */
  take(): readonly (() => void)[];
  /** From now on nothing is. */
  end(): void;
}

/** Keeps back the echoes of a node to its leader. Neither may be the controller, whose messages go the same way. */
function keepEchoes(script: ClusterScript, follower: NodeId, leader: NodeId): KeptBack {
  const { network } = script.world;
  const send = network.send.bind(network);
  let kept: (() => void)[] = [];
  network.send = (shipment, ...rest) => {
    const { from, to, channel } = shipment;
    if (from === follower && to === leader && channel === 'control') kept.push(() => send(shipment, ...rest));
    else send(shipment, ...rest);
  };
  const take = (): readonly (() => void)[] => {
    const taken = kept;
    kept = [];
    return taken;
  };
  return {
    take,
    end: () => {
      network.send = send;
      for (const goOn of take()) goOn();
    },
  };
}

const isNotOld = (text: string): boolean => text === '=new' || /^(refused|unknown)/.test(text);

describe('no read is stale, whatever happens to the leader (PROTOCOL 4.6)', () => {
  for (const seed of [401, 402, 403, 404]) {
    it(`a leader stopped for longer than the session, with fetches and reads in its queue, answers nothing old: seed ${seed}`, () =>
      ClusterScript.play({ seed }, async (script) => {
        await script.mustSet('K', 'old');
        const { leader } = script;
        await script.run(50);
        script.node(leader).stall(60_000);
        const early = script.begin({ kind: 'get', key: 'K' }, leader);
        await script.untilLedAnew(leader);
        await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
        const late = script.begin({ kind: 'get', key: 'K' }, leader);
        await script.run(1);
        script.node(leader).machine.wake();
        expect(await script.answer(late)).to.satisfy(isNotOld);
        await script.answer(early);
      }));
  }

  it('a leader cut from the coordinator alone is replaced; neither it nor its successor shows anything old', () =>
    ClusterScript.play({ seed: 405 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      script.cutCoordinator(leader);
      await script.run(sessionMs / 2);
      expect(await script.get('K', leader)).to.equal('=old');
      const next = await script.untilLedAnew(leader);
      const { reply } = await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      expect(reply).to.equal('OK');
      expect(await script.get('K', leader)).to.satisfy(isNotOld);
      expect(await script.get('K', next)).to.equal('=new');
    }));

  it('a leader cut from its followers alone confirms reads by the coordinator, and commits nothing (KAFKA-15489)', () =>
    ClusterScript.play({ seed: 406 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      script.isolate(leader);
      await script.run(leaseMsMax);
      expect(await script.get('K', leader)).to.equal('=old');
      expect(script.readPaths(leader).byVersionCheck).to.be.greaterThan(0);
      const set = await script.set('K', 'new', leader);
      expect(set).to.match(/^(unknown|refused)/);
      expect(await script.get('K', leader)).to.equal('=old');
      script.rejoin(leader);
      await script.untilStable();
      await script.untilDone({ kind: 'set', key: 'K', value: 'newer', dueMs: 0 });
    }));

  it('a leader cut from one member of the ISR reads by the coordinator until the ISR shrinks, and then writes', () =>
    ClusterScript.play({ seed: 407 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      const [silent, other] = script.pairByReign;
      script.cut(leader, silent);
      const cutMs = script.world.nowMs;
      await script.run(leaseMsMax);
      expect(await script.get('K')).to.equal('=old');
      expect(script.state.isr).to.include(silent);
      expect(script.readPaths(leader).byVersionCheck).to.be.greaterThan(0);
      await script.untilInSync([leader, other], 3 * lagMsMax);
      expect(script.world.nowMs - cutMs).to.be.lessThan(2 * lagMsMax);
      expect(await script.set('K', 'new')).to.equal('OK');
      await script.run(leaseMsMax);
      const { byLease } = script.readPaths(leader);
      expect(await script.get('K')).to.equal('=new');
      expect(script.readPaths(leader).byLease).to.equal(byLease + 1);
    }));

  it('a follower that restarts within a lease and is elected at once waits for the longest promise it ever made (4.3-4)', () =>
    ClusterScript.play({ seed: 408 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      const [next] = script.pair;
      await script.run(2 * leaseMsMax);
      script.kill(next);
      script.start(next);
      const bootMs = script.world.nowMs;
      vanish(script, leader);
      script.expireSession(leader);
      const reads = await readAllTheTime(script, leader, leaseMsMax / 2);
      expect(await script.answer(reads[0] as Asked)).to.equal('=old');
      expect(await script.untilLedAnew(leader)).to.equal(next);
      expect(script.world.nowMs - bootMs).to.be.at.least(leaseMsMax / (1 + CLOCK_RATE_SPREAD));
      await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      const late = script.begin({ kind: 'get', key: 'K' }, leader);
      reappear(script, leader);
      expect(await script.answer(late)).to.satisfy(isNotOld);
    }));

  it('the next leader waits for the promises to the old one, which answers as long as they run (L5)', () =>
    ClusterScript.play({ seed: 409 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      await script.run(2 * leaseMsMax);
      vanish(script, leader);
      script.expireSession(leader);
      const reads = await readAllTheTime(script, leader, 2 * leaseMsMax);
      await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      const answered = reads.filter(({ text }) => text === '=old').length;
      expect(answered).to.be.greaterThan(10);
      expect(answered).to.be.lessThan(reads.length);
      reappear(script, leader);
    }));

  it('clocks as far apart as they may be: the lease of the slow leader ends before the promises of fast followers', () =>
    ClusterScript.play({ seed: 410 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      for (const { id, machine } of script.world.nodes) {
        machine.clock?.setRate(id === leader ? 0.97 : 0.97 * (1 + CLOCK_RATE_SPREAD));
      }
      await script.run(2 * leaseMsMax);
      vanish(script, leader);
      script.expireSession(leader);
      let written: Asked | null = null;
      const reads: Asked[] = [];
      for (let step = 0; step < 200; step += 1) {
        reads.push(script.begin({ kind: 'get', key: 'K' }, leader));
        const next = script.state.leader;
        if (written === null && next !== null && next !== leader && script.isServedBy(next)) {
          written = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 }, next);
        }
        await script.run(4);
      }
      if (written === null) throw new Error('nobody took over');
      expect(await script.answer(written)).to.equal('OK');
      expect(reads.some(({ text }) => text === '=old')).to.equal(true);
      reappear(script, leader);
      for (const read of reads) await script.answer(read);
    }));

  it('a jump of the wall clock ends all leases: reads ask the followers (4.3-9)', () =>
    ClusterScript.play({ seed: 411 }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      await script.run(leaseMsMax);
      expect(await script.get('K')).to.equal('=old');
      const before = script.readPaths(leader);
      expect(before.byLease).to.be.greaterThan(0);
      script.node(leader).machine.wall.offsetMs += 500;
      expect(await script.get('K')).to.equal('=old');
      expect(script.readPaths(leader).byLease).to.equal(before.byLease);
      expect(script.readPaths(leader).byReadIndex).to.be.greaterThan(before.byReadIndex);
      script.node(leader).machine.wall.offsetMs -= 500;
    }));
});

describe('no read is stale while leaders change', () => {
  for (const how of ['dies', 'goes on alone'] as const) {
    it(`the leader ${how} while its expansion of the ISR is under way (4.3-8)`, () =>
      ClusterScript.play({ seed: 420 }, async (script) => {
        await script.mustSet('K', 'old');
        const { leader } = script;
        const [other, joining] = script.pair;
        script.kill(joining);
        await script.untilInSync([leader, other]);
        await script.mustSet('K', 'older');
        script.start(joining);
        await script.until('an expansion is proposed', () => {
          const leaseSet = script.replica(leader).leader?.leaseSet ?? [];
          return leaseSet.includes(joining) && !script.state.isr.includes(joining);
        });
        if (how === 'dies') script.kill(leader);
        else {
          vanish(script, leader);
          script.expireSession(leader);
        }
        const next = await script.untilLedAnew(leader);
        await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
        if (how === 'goes on alone') expect(await script.get('K', leader)).to.satisfy(isNotOld);
        expect(await script.get('K', next)).to.equal('=new');
        reappear(script, leader);
      }));
  }

  it('an eligible replica is elected while the last member of the ISR is dead, and has everything (KIP-966)', () =>
    ClusterScript.play({ seed: 422 }, async (script) => {
      const { leader } = script;
      const [first, second] = script.pair;
      script.kill(first);
      await script.untilInSync([leader, second]);
      await script.mustSet('K', 'new');
      script.kill(second);
      await script.untilInSync([leader]);
      expect(script.state.elr).to.deep.equal([second]);
      script.kill(leader);
      script.start(second);
      await script.run(3 * sessionMs);
      // Alone it might be what is left of a state that the coordinator forgot (R17).
      expect(script.state.leader).to.not.equal(second);
      script.start(first);
      await script.until('the eligible one leads', () => script.state.leader === second);
      const { reply } = await script.untilDone({ kind: 'get', key: 'K' });
      expect(reply).to.equal('=new');
      expect(script.node(leader).live).to.equal(null);
    }));

  for (const seed of [423, 424]) {
    it(`the new leader is stopped before it may act, and wakes when another leads: seed ${seed}`, () =>
      ClusterScript.play({ seed }, async (script) => {
        await script.mustSet('K', 'old');
        const { leader } = script;
        vanish(script, leader);
        script.expireSession(leader);
        await script.until(
          'somebody else is elected',
          () => script.state.leader !== leader && script.state.leader !== null,
        );
        const next = script.leader;
        await script.run(20);
        // It leads, and the promises to the old one still run.
        expect(script.replica(next).leader?.leaderEpoch).to.equal(script.state.leaderEpoch);
        expect(script.isServedBy(next)).to.equal(false);
        script.node(next).stall(60_000);
        await script.run(sessionMs / 2);
        reappear(script, leader);
        await script.until('a third leads', () => ![next, null].includes(script.state.leader), 3 * sessionMs);
        await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
        const late = script.begin({ kind: 'get', key: 'K' }, next);
        await script.run(1);
        script.node(next).machine.wake();
        expect(await script.answer(late)).to.satisfy(isNotOld);
      }));
  }

  it('a leader of another life has no lease of the old one: it reads by asking until stamps of its own are echoed (4.3-12)', () =>
    ClusterScript.play({ seed: 425 }, async (script) => {
      if (script.world.controller === script.leader) await script.lead(script.pair[0]);
      await script.mustSet('K', 'old');
      const { leader } = script;
      const [follower] = script.pairByReign;
      await script.run(leaseMsMax);
      const { byLease } = script.readPaths(leader);
      expect(await script.get('K')).to.equal('=old');
      expect(script.readPaths(leader).byLease).to.equal(byLease + 1);
      // Echoes that are under way now arrive in the next life, and long before those of its own stamps.
      const echoes = keepEchoes(script, follower, leader);
      await script.run(leaseMsMax / 2);
      const old = echoes.take();
      expect(old).to.not.deep.equal([]);
      script.node(leader).restart();
      await script.until('it leads in its new life', () => script.isServedBy(leader));
      for (const goOn of old) goOn();
      await script.run(5);
      expect(await script.get('K', leader)).to.equal('=old');
      expect(script.readPaths(leader)).to.include({ byLease: 0, byReadIndex: 0, byVersionCheck: 1 });
      echoes.end();
      await script.run(leaseMsMax / 2);
      expect(await script.get('K', leader)).to.equal('=old');
      expect(script.readPaths(leader).byLease).to.equal(1);
      expect(script.leader).to.equal(leader);
    }));
});
