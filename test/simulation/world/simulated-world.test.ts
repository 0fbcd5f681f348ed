import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { asNodeId } from '../../../src/model/numbers.ts';
import { runProgram } from '../../support/run-program.ts';
import { openWorld } from './open-world.ts';
import type { World } from './world.ts';
import { digestOfWorld } from './world-digest.ts';
import { P0, written, writtenAtLast } from './world-writes.ts';

const endsOf = (world: World): number[] =>
  world.nodes.map(({ live }) => live?.cluster.replicas.replica(P0)?.store?.committedOffset ?? -1);

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

  it('does the same for the same seed, in this process and in another', async () => {
    const digest = await digestOfWorld(13);
    expect(await digestOfWorld(13)).to.equal(digest);
    expect(await digestOfWorld(14)).not.to.equal(digest);
    const script = fileURLToPath(new URL('./print-world.js', import.meta.url));
    const { stdout } = await runProgram([process.execPath, script, '13']);
    expect(stdout.trim()).to.equal(digest);
  });
});
