import { expect } from 'chai';
import { asDatabaseId, asNodeId, asPartitionId, NO_EXPIRY, type NodeId } from '../../../src/model/numbers.ts';
import { KeyView, type LeaderPartition } from '../../../src/replication/leader-partition.ts';
import { openWorld } from './open-world.ts';
import type { World } from './world.ts';

const P0 = asPartitionId(0);
const DATABASE = asDatabaseId(0);

function keyOf(partition: LeaderPartition, name: string): KeyView {
  const key = new KeyView();
  key.bytes = Buffer.from(name);
  key.start = 0;
  key.end = key.bytes.length;
  key.hash = partition.hash(key.bytes, key.start, key.end);
  return key;
}

/** What a client gets that sets a key on a node: committed, in doubt, or why not. */
function put(world: World, to: NodeId, name: string, told: (outcome: string) => void): void {
  world.request<string>({
    to,
    work: ({ cluster }, respond) => {
      const partition = cluster.replicas.leading(P0);
      const refusal = partition?.writeRefusal();
      if (partition === null || refusal !== null) {
        respond(refusal?.code ?? 'notLeader');
        return;
      }
      const value = Buffer.from(`value of ${name}`);
      partition.put(DATABASE, keyOf(partition, name), value, 0, value.length, NO_EXPIRY);
      partition.listen({
        committed: () => respond('done'),
        inDoubt: (_partition, _offset, error) => respond(error.code),
      });
    },
    answered: told,
    failed: told,
  });
}

const endsOf = (world: World): number[] =>
  world.nodes.map(({ live }) => live?.cluster.replicas.replica(P0)?.store?.committedOffset ?? -1);

async function written(world: World, name: string): Promise<string> {
  let outcome = '';
  put(world, world.leader(P0) ?? asNodeId(1), name, (told) => {
    outcome = told;
  });
  await world.runUntil(() => outcome !== '', 5000, 1);
  return outcome;
}

/** Writes again until it is done: refusals and doubts are what clients live with. */
async function writtenAtLast(world: World, name: string, msMax: number): Promise<boolean> {
  const untilMs = world.nowMs + msMax;
  while (world.nowMs < untilMs) {
    if ((await written(world, name)) === 'done') return true;
    await world.run(50);
  }
  return false;
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

  it('does the same for the same seed', async () => {
    const digests: string[] = [];
    for (let run = 0; run < 2; run += 1) {
      const world = openWorld({ seed: 13 });
      await world.start();
      world.startFaults({ everyMs: 500 });
      await world.run(5000);
      await world.quiesce(20_000);
      digests.push(world.digest);
      world.end();
    }
    expect(digests[0]).to.equal(digests[1]);
  });
});
