import { expect } from 'chai';
import { asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import { ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';

const { leaseMsMax, sessionMs } = WORLD_TIMING;
/** Of four nodes the one that holds nothing at first. */
const SPARE = asNodeId(4);
const EVERY_MS = 5;
/** Longer than it takes to remove a replica and to assign it again. */
const LATE_MS = 5_000;

interface Gap {
  /** Between two writes that were done, one after the other, in ms. */
  readonly longestMs: number;
  /** Writes that may or may not have happened. */
  readonly doubts: readonly string[];
}

/** A client that writes all the time, each time to whoever leads, while something is done to the cluster. */
async function whileWriting(
  script: ClusterScript,
  work: () => Promise<void>,
  everyMs = EVERY_MS,
): Promise<Gap> {
  let isOver = false;
  let lastMs = script.world.nowMs;
  let longestMs = 0;
  const doubts: string[] = [];
  let count = 0;
  const next = (): void => {
    if (isOver) return;
    count += 1;
    const { leader } = script.state;
    const again = (): void => script.world.after(everyMs, next);
    if (leader === null) {
      again();
      return;
    }
    script.begin({ kind: 'set', key: 'busy', value: String(count), dueMs: 0 }, leader, (text) => {
      if (text === 'OK') {
        longestMs = Math.max(longestMs, script.world.nowMs - lastMs);
        lastMs = script.world.nowMs;
      } else if (text.startsWith('unknown')) doubts.push(text);
      again();
    });
  };
  next();
  await work();
  isOver = true;
  return { longestMs, doubts };
}

async function reassign(script: ClusterScript, replicas: readonly NodeId[]): Promise<void> {
  script.world.admin({ kind: 'reassign', partition: P0, replicas });
  await script.until('it is begun', () => script.state.adding.length + script.state.removing.length > 0);
}

const untilReassigned = (script: ClusterScript, replicas: readonly NodeId[]): Promise<void> =>
  script.until('it is completed', () => {
    const { state } = script;
    return (
      state.replicas.join() === replicas.join() &&
      state.adding.length + state.removing.length === 0 &&
      replicas.every((node) => state.isr.includes(node))
    );
  });

describe('operators change the cluster while it serves (PROTOCOL 2.7)', () => {
  it('a controlled transfer costs no lease: the old leader releases the new one, and no write is in doubt (L9, R20)', () =>
    ClusterScript.play({ seed: 701 }, async (script) => {
      await script.run(2 * leaseMsMax);
      const [target] = script.pair;
      const { longestMs, doubts } = await whileWriting(script, () => script.lead(target));
      expect(longestMs).to.be.lessThan(leaseMsMax / 2);
      expect(doubts).to.deep.equal([]);
    }));

  it('KAFKA-13916, KIP-841: who shuts down leads no more, leaves the ISR before it ends, and is not taken back meanwhile', () =>
    ClusterScript.play({ seed: 702 }, async (script) => {
      await script.mustSet('K', 'value');
      const { leader } = script;
      let hasLeft = false;
      let cameBack = false;
      script.world.observe(() => {
        const isIn = script.state.isr.includes(leader);
        if (!isIn) hasLeft = true;
        else if (hasLeft && script.node(leader).isUp) cameBack = true;
      });
      const { longestMs } = await whileWriting(script, async () => {
        script.node(leader).shutDown();
        await script.until('it has ended', () => !script.node(leader).isUp);
      });
      expect(hasLeft).to.equal(true);
      expect(cameBack).to.equal(false);
      expect(longestMs).to.be.lessThan(leaseMsMax);
      expect(script.leader).to.not.equal(leader);
      expect(await script.get('K')).to.equal('=value');
    }));

  for (const path of ['EPOCHS', 'STATE']) {
    it(`R24: who is elected and finds no room for ${path} gives way to another, and leads when there is room again`, () =>
      ClusterScript.play({ seed: 708 }, async (script) => {
        await script.mustSet('K', 'value');
        const [target] = script.pair;
        const { faulty } = script.node(target).machine.disk;
        const replicas = [target, ...script.state.replicas.filter((node) => node !== target)];
        script.world.admin({ kind: 'reassign', partition: P0, replicas });
        await script.until('it is preferred', () => script.state.replicas[0] === target);
        await script.untilStable();
        faulty.arm({ operation: 'write', path, errno: 'ENOSPC', times: Number.POSITIVE_INFINITY });
        const { longestMs } = await whileWriting(
          script,
          async () => {
            script.world.admin({ kind: 'electPreferred', partition: P0 });
            await script.until('it is elected', () => script.state.leader === target);
            const { leaderEpoch } = script.state;
            await script.untilLedAnew(target, 5_000);
            expect(script.state.leaderEpoch).to.equal(leaderEpoch + 1);
            await script.run(60_000);
            expect(script.state.leader).to.not.equal(target);
          },
          50,
        );
        expect(longestMs).to.be.lessThan(6_000);
        faulty.clearFaults();
        await script.lead(target);
        expect(await script.get('K')).to.equal('=value');
      }));
  }

  it('R24: a node that loses its session while its disk is full goes on in another life when there is room again, and can be stopped', () =>
    ClusterScript.play({ seed: 709 }, async (script) => {
      const { leader } = script;
      const { faulty } = script.node(leader).machine.disk;
      const fill = (): void =>
        faulty.arm({ operation: 'write', path: 'STATE', errno: 'ENOSPC', times: Number.POSITIVE_INFINITY });
      fill();
      script.expireSession(leader);
      await script.untilLedAnew(leader);
      await script.run(20_000);
      expect(script.node(leader).isUp).to.equal(true);
      faulty.clearFaults();
      await script.untilStable();
      fill();
      script.expireSession(leader);
      await script.run(3_000);
      expect(script.node(leader).isUp).to.equal(true);
      script.node(leader).shutDown();
      await script.until('it has ended', () => !script.node(leader).isUp);
      faulty.clearFaults();
      script.start(leader);
      await script.untilStable();
    }));

  it('a rolling restart refuses no write for longer than an election takes, and leaves none in doubt', () =>
    ClusterScript.play({ seed: 703 }, async (script) => {
      const { longestMs, doubts } = await whileWriting(script, async () => {
        for (const { id } of script.world.nodes) {
          script.node(id).shutDown();
          await script.until('it has ended', () => !script.node(id).isUp);
          script.start(id);
          await script.untilStable();
        }
      });
      expect(longestMs).to.be.lessThan(1_000);
      expect(doubts).to.deep.equal([]);
    }));

  it('KAFKA-15665, KAFKA-9672: a reassignment grows, waits until everybody new is in sync, and then shrinks', () =>
    ClusterScript.play({ seed: 704, nodeCount: 4 }, async (script) => {
      for (let index = 0; index < 10; index += 1) await script.mustSet(`K${index}`, `value ${index}`);
      const [one, two, three] = script.state.replicas as readonly [NodeId, NodeId, NodeId];
      const { longestMs } = await whileWriting(script, async () => {
        await reassign(script, [SPARE, two, three]);
        expect(script.state.replicas).to.include.members([one, two, three, SPARE]);
        await untilReassigned(script, [SPARE, two, three]);
      });
      expect(longestMs).to.be.lessThan(1_000);
      script.kill(two);
      script.kill(three);
      script.start(three);
      await script.untilDone({ kind: 'get', key: 'K9' });
      await script.until('the new one or an old one leads', () => script.state.leader !== one);
      expect((await script.untilDone({ kind: 'get', key: 'K0' })).reply).to.equal('=value 0');
    }));

  it('a reassignment whose new node dies is not completed until it is back', () =>
    ClusterScript.play({ seed: 705, nodeCount: 4 }, async (script) => {
      await script.mustSet('K', 'value');
      const [, two, three] = script.state.replicas as readonly [NodeId, NodeId, NodeId];
      script.world.network.setMood(SPARE, {
        lossShare: 0,
        doubledShare: 0,
        reorderedShare: 0,
        slownessMs: 40,
      });
      await reassign(script, [SPARE, two, three]);
      script.kill(SPARE, 'loseAll');
      script.world.network.setMood(SPARE, null);
      await script.run(2 * sessionMs);
      expect(script.state.adding).to.deep.equal([SPARE]);
      await script.untilDone({ kind: 'set', key: 'K', value: 'newer', dueMs: 0 });
      script.start(SPARE);
      await untilReassigned(script, [SPARE, two, three]);
      await script.lead(SPARE);
      expect(await script.get('K')).to.equal('=newer');
    }));

  it('KAFKA-9539, KIP-570: a replica that was removed comes back with another directory, not with what it held, and a late order does not remove that one', () =>
    ClusterScript.play({ seed: 706, nodeCount: 4 }, async (script) => {
      await script.mustSet('K', 'old');
      const { network, controller } = script.world;
      if (controller === null) throw new Error('nobody reigns');
      // The controller tells itself nothing over the network.
      const one = script.state.replicas.find((node) => node !== controller) as NodeId;
      const rest = script.state.replicas.filter((node) => node !== one);
      const before = script.store(one).directoryId;
      const sinceMs = script.world.nowMs;
      // Every order of this time comes once more, when what it says is long over.
      network.repeat(controller, one, 'control', LATE_MS);
      await reassign(script, [...rest, SPARE]);
      await untilReassigned(script, [...rest, SPARE]);
      await script.until('it is removed', () => script.live(one).cluster.replicas.replica(P0) === null);
      network.repeat(controller, one, 'control', null);
      const { reply } = await script.untilDone({ kind: 'delete', key: 'K' });
      expect(reply).to.equal(':1');
      await script.mustSet('L', 'new');
      await reassign(script, [one, ...rest]);
      await untilReassigned(script, [one, ...rest]);
      const { directoryId } = script.store(one);
      expect(directoryId).to.not.equal(before);
      expect(script.state.directoryIds[one]).to.equal(directoryId);
      expect(script.world.nowMs - sinceMs, 'all late orders are still under way').to.be.lessThan(LATE_MS);
      await script.run(LATE_MS);
      expect(script.store(one).directoryId).to.equal(directoryId);
      expect(script.state.directoryIds[one]).to.equal(directoryId);
      await script.lead(one);
      expect(await script.get('K')).to.equal('nil');
      expect(await script.get('L')).to.equal('=new');
    }));

  it('an unclean election happens by command alone, marks the epoch, and everybody agrees afterwards', () =>
    ClusterScript.play({ seed: 707, isClean: false }, async (script) => {
      await script.mustSet('K', 'old');
      const { leader } = script;
      const [behind, other] = script.pair;
      script.kill(behind);
      await script.untilInSync([leader, other]);
      await script.mustSet('K', 'new');
      script.kill(leader, 'loseAll');
      script.kill(other, 'loseAll');
      script.start(behind);
      await script.run(3 * sessionMs);
      expect(script.state.leader).to.not.equal(behind);
      script.world.admin({ kind: 'electUnclean', partition: P0, node: behind });
      await script.until('it leads', () => script.state.leader === behind);
      expect(script.state.recovery).to.equal('unclean');
      await script.until('it is said aloud', () =>
        script.world.events.lines().some((line) => line.includes('writes may be lost')),
      );
      script.start(leader);
      script.start(other);
      await script.untilStable();
      expect(await script.get('K')).to.equal('=old');
      for (const node of [leader, other]) {
        await script.lead(node);
        expect(await script.get('K')).to.equal('=old');
      }
    }));

  it('R2: a lower min.insync clears the ELR in the same version: who may commit alone is the only one who can be elected', () =>
    ClusterScript.play({ seed: 709 }, async (script) => {
      const leader = script.world.controller ?? script.leader;
      await script.lead(leader);
      const others = script.others(leader);
      for (const id of others) script.isolate(id);
      await script.until('it is alone', () => script.state.isr.join() === String(leader));
      expect(script.state.elr).to.have.members([...others]);
      await script.run(100);
      expect(await script.set('K', 'refused')).to.match(/^refused /);
      script.world.admin({ kind: 'setMinInsync', minInsync: 1 });
      await script.until('it has the new value', () => script.state.minInsync === 1);
      expect(script.state.elr).to.deep.equal([]);
      await script.run(100);
      await script.mustSet('K', 'alone');
      script.isolate(leader);
      script.cutCoordinator(leader);
      for (const id of others) script.rejoin(id);
      await script.until('nobody leads', () => script.state.leader === null);
      await script.run(5_000);
      expect(script.state.leader, 'nobody else has it').to.equal(null);
      script.rejoin(leader);
      script.cutCoordinator(leader, false);
      await script.untilStable();
      expect(await script.get('K')).to.equal('=alone');
    }));
});
