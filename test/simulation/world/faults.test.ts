import { expect } from 'chai';
import { asNodeId } from '../../../src/model/numbers.ts';
import { FAULT_KINDS, type FaultRole } from './fault.ts';
import { openWorld } from './open-world.ts';
import type { World } from './world.ts';
import { P0, writtenAtLast } from './world-writes.ts';

const HEAL_MS_MAX = 20_000;

function targetOf(world: World, role: FaultRole): number {
  const leader = world.leader(P0);
  if (role === 'leader') return leader ?? 1;
  if (role === 'controller') return world.controller ?? 1;
  return world.partitionState(P0)?.replicas.find((node) => node !== leader) ?? 1;
}

describe('a cluster heals from each fault alone:', () => {
  for (const [index, kind] of FAULT_KINDS.entries()) {
    for (const role of ['leader', 'follower', 'controller'] as const) {
      it(`${kind} at the ${role}`, async () => {
        const world = openWorld({ seed: 100 + index });
        await world.start();
        expect(await writtenAtLast(world, 'before', 5000)).to.equal(true);
        await world.runUntil(() => world.isStable(), 5000);
        expect(world.fire(kind, asNodeId(targetOf(world, role)))).to.equal(true);
        for (let key = 0; key < 5; key += 1) await writtenAtLast(world, `during ${key}`, 1000);
        await world.run(2000);
        expect(await world.quiesce(HEAL_MS_MAX), world.describe()).to.equal(true);
        expect(await writtenAtLast(world, 'after', 5000)).to.equal(true);
        expect(world.faults[0]?.roles).to.include(role);
        expect(world.defects).to.deep.equal([]);
        world.end();
      });
    }
  }
});
