import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import type { ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';
import { rotTail, tell } from './tell.ts';

const { lagMsMax } = WORLD_TIMING;
/** Longer than a process takes to start and to ask for the second time. */
const REPEATED_MS = 280;

/** Neither of the two reigns. */
async function reignOf(script: ClusterScript): Promise<NodeId> {
  const { controller } = script.world;
  if (controller === null) throw new Error('nobody reigns');
  if (controller === script.leader) await script.lead(script.pair[0]);
  return controller;
}

describe('a rule that is missed', () => {
  tell(
    { seed: 801, mutation: 'proposals of any version are taken', checker: 'candidate completeness' },
    async (script) => {
      const controller = await reignOf(script);
      const { leader } = script;
      const member = script.pairByReign[0];
      script.cut(leader, member);
      await script.untilInSync([leader, controller]);
      script.mend(leader, member);
      script.world.network.repeat(leader, controller, 'control', lagMsMax + 300);
      await script.until('it is back', () => script.state.isr.includes(member));
      script.world.network.repeat(leader, controller, 'control', null);
      script.cut(leader, member);
      await script.untilInSync([leader, controller]);
      await script.mustSet('K', 'without it');
      await script.run(500);
      script.mend(leader, member);
    },
  );

  tell(
    {
      seed: 802,
      mutation: 'a controller writes without a look at its epoch',
      checker: 'one controller per epoch',
    },
    async (script) => {
      const controller = await reignOf(script);
      const [member] = script.pairByReign;
      script.node(controller).machine.link.slownessMs = 60;
      script.kill(member);
      await script.run(10);
      script.kill(controller);
      script.node(controller).machine.link.slownessMs = 0;
      await script.until('another reigns', () => ![controller, null].includes(script.world.controller));
      await script.run(100);
      script.start(controller);
      script.start(member);
      await script.untilStable();
    },
  );

  tell(
    {
      seed: 803,
      mutation: 'who was asked to hand over says that it has, and leads on',
      checker: 'two leaders answer',
      // Nothing is committed without the old leader until it has left the ISR.
      leaseMsMax: 2 * lagMsMax,
    },
    async (script) => {
      const controller = await reignOf(script);
      const { leader } = script;
      const [other] = script.followers;
      script.world.admin({ kind: 'reassign', partition: P0, replicas: [...script.followers, leader] });
      await script.until('another is preferred', () => script.state.replicas[0] === other);
      await script.untilStable();
      await script.mustSet('K', 'value');
      script.world.admin({ kind: 'electPreferred', partition: P0 });
      await script.until('another is elected', () => script.state.leader !== leader);
      script.cutCoordinator(leader);
      script.cut(controller, leader);
      await script.run(2 * lagMsMax);
      script.cutCoordinator(leader, false);
      script.mend(controller, leader);
      await script.untilStable();
    },
  );

  tell(
    {
      seed: 804,
      mutation: 'a leader keeps the min.insync that its epoch began with',
      checker: 'candidate completeness',
    },
    async (script) => {
      await reignOf(script);
      const [member] = script.pairByReign;
      script.world.admin({ kind: 'setMinInsync', minInsync: 3 });
      await script.until('all are needed', () => script.state.minInsync === 3);
      await script.run(50);
      for (const id of script.others(member)) script.cut(member, id);
      await script.until('it is eligible', () => script.state.elr.includes(member));
      await script.set('K', 'without it');
      for (const id of script.others(member)) script.mend(member, id);
      await script.untilStable();
    },
  );

  tell(
    { seed: 805, mutation: 'a lower min.insync leaves the ELR', checker: 'candidate completeness' },
    async (script) => {
      await reignOf(script);
      const [member] = script.pairByReign;
      script.world.admin({ kind: 'setMinInsync', minInsync: 3 });
      await script.until('all are needed', () => script.state.minInsync === 3);
      for (const id of script.others(member)) script.cut(member, id);
      await script.until('it is eligible', () => script.state.elr.includes(member));
      script.world.admin({ kind: 'setMinInsync', minInsync: 2 });
      await script.until('two are enough', () => script.state.minInsync === 2);
      await script.untilDone({ kind: 'set', key: 'K', value: 'without it', dueMs: 0 });
      for (const id of script.others(member)) script.mend(member, id);
      await script.untilStable();
    },
  );

  tell(
    {
      seed: 806,
      mutation: 'a version counts before it was echoed',
      checker: 'candidate completeness',
    },
    async (script) => {
      const { leader } = script;
      const [stale, lossy] = script.pairByReign;
      for (const id of script.others(stale)) script.cut(stale, id);
      const { durableOffset, directory } = script.store(lossy);
      const asked = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      await script.until('two have it', () => script.store(lossy).durableOffset > durableOffset);
      // What it is told of versions now takes long to be on its disk.
      script.node(lossy).machine.disk.isSlow = true;
      await script.untilInSync([leader, lossy]);
      await script.until('it is acknowledged', () => asked.text !== null);
      expect(asked.text).to.equal('OK');
      for (let count = 0; count < 50 && !script.state.isr.includes(stale); count += 1) script.loseWrites(1);
      expect(script.state.isr).to.include(stale);
      script.kill(leader);
      script.kill(lossy);
      await rotTail(script, lossy, directory);
      for (const id of script.others(stale)) script.mend(stale, id);
      script.start(lossy);
      await script.run(3 * WORLD_TIMING.sessionMs);
      script.start(leader);
      await script.untilDone({ kind: 'get', key: 'K' });
    },
  );

  tell(
    { seed: 12_807, mutation: 'a reply to an earlier life is taken', checker: 'replicas equal' },
    async (script) => {
      const controller = await reignOf(script);
      const { leader } = script;
      const [member] = script.pairByReign;
      const { network } = script.world;
      script.node(member).restart();
      // So much that it asks for more before it is on disk.
      script.begin({ kind: 'set', key: 'K', value: 'first'.repeat(16_000), dueMs: 0 });
      await script.untilRuns(member);
      await script.until('it follows', () => script.replica(member).follower !== null);
      script.node(member).machine.disk.isSlow = true;
      network.repeat(leader, member, 'tail', REPEATED_MS);
      await script.run(4);
      script.begin({ kind: 'set', key: 'L', value: 'second', dueMs: 0 });
      await script.run(6);
      network.repeat(leader, member, 'tail', null);
      // What it has not synced is lost. Nobody elects, and its first question is not answered.
      script.kill(member, 'loseAll');
      script.node(member).machine.disk.isSlow = false;
      script.cutCoordinator(controller);
      network.cut(leader, member);
      script.start(member);
      await script.run(REPEATED_MS - 30);
      network.mend(leader, member);
      await script.run(100);
      script.cutCoordinator(controller, false);
      await script.untilStable();
    },
  );

  tell(
    { seed: 8_828, mutation: 'who is dropped as lossy stays eligible', checker: 'candidate completeness' },
    async (script) => {
      const { controller } = script.world;
      if (controller !== null && controller !== script.leader) await script.lead(controller);
      const { leader } = script;
      const [first, second] = script.pair;
      script.kill(first);
      await script.untilInSync([leader, second]);
      await script.mustSet('K', 'new');
      const { directory } = script.store(second);
      script.kill(second);
      await rotTail(script, second, directory);
      await script.untilInSync([leader]);
      script.start(second);
      // It is asked what it holds before it holds again what it has lost.
      await script.until('it runs', () => script.node(second).live !== null);
      const { disk } = script.node(second).machine;
      disk.isSlow = true;
      await script.run(500);
      disk.isSlow = false;
      script.start(first);
      await script.untilStable();
    },
  );

  tell(
    {
      seed: 809,
      mutation: 'a proposal is forgotten when it is not wanted any more',
      checker: 'candidate completeness',
    },
    async (script) => {
      const controller = await reignOf(script);
      const { leader } = script;
      const [member] = script.pairByReign;
      script.cut(leader, member);
      await script.untilInSync([leader, controller]);
      script.mend(leader, member);
      await script.until('it is back', () => script.state.isr.includes(member));
      // Nobody learns of it.
      for (const id of [leader, controller]) script.cutCoordinator(id);
      script.cut(leader, member);
      script.begin({ kind: 'set', key: 'K', value: 'without it', dueMs: 0 });
      await script.run(2 * lagMsMax);
      for (const id of [leader, controller]) script.cutCoordinator(id, false);
      script.mend(leader, member);
      await script.untilStable();
    },
  );

  tell(
    {
      seed: 810,
      mutation: 'a reassignment is done before its new replicas are in sync',
      checker: 'partition state',
      nodeCount: 5,
    },
    async (script) => {
      await script.mustSet('K', 'value');
      const spare = script.world.nodes
        .map(({ id }) => id)
        .filter((id) => !script.state.replicas.includes(id));
      script.world.admin({ kind: 'reassign', partition: P0, replicas: [script.leader, ...spare] });
      await script.until('it is moved', () => spare.every((id) => script.state.isr.includes(id)));
      await script.untilStable();
    },
  );

  tell(
    {
      seed: 812,
      mutation: 'written in an epoch of which nobody else knows',
      checker: 'one leader per epoch',
    },
    async (script) => {
      if (script.world.controller === script.leader) await script.lead(script.pair[0]);
      const { leader } = script;
      const [third, next] = script.pairByReign;
      expect(script.world.controller).to.equal(next);
      await script.mustSet('K', 'old');
      await script.untilLevel();
      const { leaderEpoch } = script.state;
      script.cut(next, third);
      script.kill(leader);
      await script.until(
        'it leads',
        () => script.state.leader === next && script.replica(next).leader !== null,
      );
      const asked = script.begin({ kind: 'set', key: 'K', value: 'doubt', dueMs: 0 }, next);
      await script.run(100);
      while (script.state.leaderEpoch > leaderEpoch) script.loseWrites(1);
      script.kill(next);
      script.mend(next, third);
      script.start(leader);
      await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      script.start(next);
      expect(await script.answer(asked)).to.match(/^unknown/);
      await script.untilStable();
      await script.lead(next);
      await script.get('K');
    },
  );

  tell(
    {
      seed: 813,
      mutation: 'a version of an earlier reign is learned from the leader',
      checker: 'candidate completeness',
      nodeCount: 4,
    },
    async (script) => {
      const spare = await script.reignOfSpare();
      const { leader } = script;
      const [told, stale] = script.pair;
      await script.mustSet('K', 'old');
      await script.untilLevel();
      const { version } = script.state;
      for (const node of [told, stale]) script.cut(spare, node);
      script.cut(leader, stale);
      await script.until('it is out', () => !script.state.isr.includes(stale));
      script.cut(leader, told);
      await script.until('the leader knows', () => (script.replica(leader).state?.version ?? 0) > version);
      await script.run(5);
      while (!script.state.isr.includes(stale)) script.loseWrites(1);
      for (const node of [leader, told]) script.cutCoordinator(node);
      script.kill(spare);
      script.expireSession(spare);
      await script.until('the stale one reigns', () => script.world.controller === stale);
      for (const node of [leader, told]) script.cutCoordinator(node, false);
      await script.run(200);
      script.cut(told, stale);
      script.mend(leader, told);
      await script.run(50);
      const asked = script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 }, leader);
      await script.answer(asked);
      script.kill(leader);
      await script.run(5_000);
      script.mend(told, stale);
      script.mend(leader, stale);
      for (const node of [told, stale]) script.mend(spare, node);
      await script.run(500);
      script.start(leader);
      script.start(spare);
      await script.untilDone({ kind: 'get', key: 'K' });
    },
  );
});
