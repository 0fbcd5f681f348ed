import { expect } from 'chai';
import { asNodeId } from '../../../src/model/numbers.ts';
import { openWorld } from './open-world.ts';
import type { World } from './world.ts';

const [one, other] = [asNodeId(1), asNodeId(2)];
const HEAL_MS_MAX = 20_000;

async function inWorld(seed: number, story: (world: World) => Promise<void>): Promise<void> {
  const world = openWorld({ seed });
  try {
    await world.start();
    await world.runUntil(() => world.isStable(), HEAL_MS_MAX, 20);
    await story(world);
  } finally {
    world.end();
  }
}

const untilWhole = async (world: World): Promise<void> => {
  expect(await world.runUntil(() => world.isStable(), HEAL_MS_MAX, 20)).to.equal(true);
};

describe('faults that destroy', () => {
  it('wait until all copies are whole', () =>
    inWorld(1, async (world) => {
      expect(world.fire('crash', other)).to.equal(true);
      expect(world.fire('wipe', one)).to.equal(false);
      expect(world.fire('documentDamage', one)).to.equal(false);
      await untilWhole(world);
      expect(world.fire('wipe', one)).to.equal(true);
    }));

  it('strike the same copy again at once, and another one only after the first was made anew', () =>
    inWorld(2, async (world) => {
      expect(world.fire('bitRot', one)).to.equal(true);
      expect(world.fire('wipe', other)).to.equal(false);
      expect(world.fire('wipe', one)).to.equal(true);
      await untilWhole(world);
      expect(world.fire('wipe', other)).to.equal(false);
      await world.run(6_000);
      await untilWhole(world);
      expect(world.fire('wipe', other)).to.equal(true);
    }));

  it('wait for a disk that fails elsewhere: that replica is no spare copy; nor does one fail beside what was destroyed', () =>
    inWorld(4, async (world) => {
      expect(world.fire('syncError', one)).to.equal(true);
      expect(world.fire('wipe', other)).to.equal(false);
      await world.run(20_000);
      await untilWhole(world);
      expect(world.fire('wipe', other)).to.equal(true);
      expect(world.fire('diskError', one)).to.equal(false);
      expect(world.fire('diskError', other)).to.equal(true);
    }));

  it('wait after the coordinator forgot, wherever', () =>
    inWorld(3, async (world) => {
      expect(world.fire('coordinatorLosesWrites', one)).to.equal(true);
      for (const node of [one, other]) expect(world.fire('wipe', node)).to.equal(false);
      await world.run(6_000);
      await untilWhole(world);
      expect(world.fire('wipe', other)).to.equal(true);
      expect(world.fire('coordinatorLosesWrites', other)).to.equal(false);
    }));
});
