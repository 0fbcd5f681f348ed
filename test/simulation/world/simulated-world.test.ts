import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import { runProgram } from '../../support/run-program.ts';
import { openWorld } from './open-world.ts';
import type { World } from './world.ts';
import { digestOfWorld } from './world-digest.ts';
import { P0, written, writtenAtLast } from './world-writes.ts';

const endsOf = (world: World): number[] =>
  world.nodes.map(({ live }) => live?.cluster.replicas.replica(P0)?.store?.committedOffset ?? -1);

/** Until the node leads partition 0. */
async function leadBy(world: World, node: NodeId): Promise<void> {
  const others = world.nodes.map(({ id }) => id).filter((id) => id !== node);
  world.admin({ kind: 'reassign', partition: P0, replicas: [node, ...others] });
  await world.run(200);
  await world.runUntil(
    () => {
      if (world.leader(P0) === node) return true;
      world.admin({ kind: 'electPreferred', partition: P0 });
      return false;
    },
    10_000,
    500,
  );
  expect(world.leader(P0)).to.equal(node);
}

describe('a simulated cluster', () => {
  it('is created, elects, and replicates a write to all', async () => {
    const world = openWorld({ seed: 11 });
    await world.start();
    await world.run(1000);
    expect(await written(world, 'a')).to.equal('done');
    await world.run(1000);
    const ends = endsOf(world);
    expect(Math.min(...ends)).to.be.greaterThan(0);
    expect(new Set(ends).size).to.equal(1);
    expect(world.defects).to.deep.equal([]);
    world.end();
  });

  it('elects another leader when a process dies, long before its session ends', async () => {
    const world = openWorld({ seed: 12 });
    await world.start();
    await writtenAtLast(world, 'a', 3000);
    const old = world.leader(P0) ?? asNodeId(1);
    const beganMs = world.nowMs;
    world.node(old).kill('keepAll');
    expect(await world.runUntil(() => ![old, null].includes(world.leader(P0)), 1500)).to.equal(true);
    expect(await writtenAtLast(world, 'b', 1500)).to.equal(true);
    expect(world.nowMs - beganMs).to.be.lessThan(2000);
    expect(world.defects).to.deep.equal([]);
    world.end();
  });

  it('costs about a second to lose a process that was leader and controller (R7), and a session to lose a silent machine', async () => {
    const timing = { sessionMs: 6000, leaseMsMax: 600, lagMsMax: 1500, pollMsMax: 150, writeTimeoutMs: 4000 };
    for (const [how, msMin, msMax] of [
      ['dead', 0, 1500],
      ['silent', 3000, 9000],
    ] as const) {
      const world = openWorld({ seed: 15, timing });
      await world.start();
      await writtenAtLast(world, 'a', 3000);
      const victim = world.controller ?? asNodeId(1);
      await leadBy(world, victim);
      const beganMs = world.nowMs;
      if (how === 'dead') world.node(victim).kill('keepAll');
      else world.node(victim).kill('loseAll');
      await world.runUntil(() => ![victim, null].includes(world.leader(P0)), 20_000);
      expect(await writtenAtLast(world, 'b', 2000)).to.equal(true);
      expect(world.nowMs - beganMs, how).to.be.within(msMin, msMax);
      expect(world.controller, how).not.to.equal(victim);
      expect(world.defects).to.deep.equal([]);
      world.end();
    }
  });

  it('does the same for the same seed, in this process and in another', async () => {
    const digest = await digestOfWorld(13);
    expect(await digestOfWorld(13)).to.equal(digest);
    expect(await digestOfWorld(14)).not.to.equal(digest);
    const script = fileURLToPath(new URL('./print-world.js', import.meta.url));
    const { stdout } = await runProgram([process.execPath, script, '13']);
    expect(stdout.trim()).to.equal(digest);
  });
});
