import { join } from 'node:path';
import { expect } from 'chai';
import type { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import type { FileSystem } from '../../src/env/file-system.ts';
import type { NodeId } from '../../src/model/numbers.ts';
import { openWorld } from '../simulation/world/open-world.ts';
import type { World } from '../simulation/world/world.ts';
import { P0, writtenAtLast } from '../simulation/world/world-writes.ts';

type Copy = ReadonlyMap<string, Uint8Array>;

async function filesUnder(fileSystem: FileSystem, directory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const name of await fileSystem.list(directory)) {
    const path = join(directory, name);
    const isDirectory = name === 'partitions' || name === 'journal' || /^\/data\/partitions$/.test(directory);
    if (isDirectory) paths.push(...(await filesUnder(fileSystem, path)));
    else paths.push(path);
  }
  return paths;
}

async function copyOf(disk: FaultyFileSystem): Promise<Copy> {
  const copy = new Map<string, Uint8Array>();
  for (const path of await filesUnder(disk.fileSystem, '/data')) {
    const bytes = disk.contentOf(path);
    if (bytes !== null) copy.set(path, bytes);
  }
  return copy;
}

async function bringBack(disk: FaultyFileSystem, copy: Copy): Promise<void> {
  for (const path of await filesUnder(disk.fileSystem, '/data')) if (!copy.has(path)) disk.lose(path);
  for (const [path, bytes] of copy) disk.restore(path, bytes);
}

/**
 * A life that was overtaken began another one above the highest: meant for a new disk whose clock is behind. An older copy of
 * a directory came back that way, too, and passed for the member that it had been, without what that had acknowledged.
 */
describe('a data directory that was brought back from an older copy', () => {
  it('is refused: what it acknowledged since then is not in it (R6)', async () => {
    const world: World = openWorld({
      seed: 31,
      lossShare: 0,
      doubledShare: 0,
      reorderedShare: 0,
      mergesByItself: false,
    });
    await world.start();
    expect(await writtenAtLast(world, 'a', 5000)).to.equal(true);
    const follower = world.nodes.find(({ id }) => id !== world.leader(P0) && id !== world.controller)
      ?.id as NodeId;
    const node = world.node(follower);
    const copy = await copyOf(node.machine.disk.faulty);
    // Two more lives, and a write that it acknowledges.
    for (let life = 0; life < 2; life += 1) {
      world.fire('sessionExpiry', follower);
      await world.run(500);
      expect(await world.runUntil(() => world.isStable(), 5000), world.describe()).to.equal(true);
    }
    expect(await writtenAtLast(world, 'b', 2000)).to.equal(true);
    node.kill('keepAll');
    const { faulty } = node.machine.disk;
    if (faulty.isCrashed) faulty.restart();
    await bringBack(faulty, copy);
    node.machine.start();
    expect(await world.runUntil(() => !node.isUp, 3000), world.describe()).to.equal(true);
    expect(world.events.lines().join('\n')).to.contain('older copy');
    node.restart({ wipe: true });
    expect(await world.quiesce(20_000), world.describe()).to.equal(true);
    expect(world.defects).to.deep.equal([]);
    world.end();
  });
});
