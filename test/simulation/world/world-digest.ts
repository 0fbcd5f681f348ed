import { openWorld } from './open-world.ts';
import { writtenAtLast } from './world-writes.ts';

/** Everything that happens in some seconds of a cluster with writes and faults, as one text. */
export async function digestOfWorld(seed: number): Promise<string> {
  const world = openWorld({ seed });
  await world.start();
  world.startFaults({ everyMs: 300 });
  for (let key = 0; key < 40; key += 1) await writtenAtLast(world, `key ${key}`, 500);
  await world.quiesce(20_000);
  const { digest } = world;
  world.end();
  return digest;
}
