import { between, comes, type Pattern, type PatternScene, waits } from './pattern-scene.ts';

const REBUILD_BEGINS_MS_MAX = 3_500;

const isRebuilding = ({ world, state, follower }: PatternScene): boolean =>
  world.node(follower).live?.cluster.replicas.replica(state.id)?.follower?.isRebuilding === true;

/** A follower is built anew on a slow disk, while its leader goes on, and merges: what it has taken is deleted, and the tombstones may be gone before it comes to them (C5). */
async function slowRebuild(scene: PatternScene): Promise<boolean> {
  const { world, follower } = scene;
  if (!world.node(follower).isUp || !world.fire('wipe', follower)) return false;
  const begins = await comes(scene, REBUILD_BEGINS_MS_MAX, () => isRebuilding(scene), 1);
  const { disk } = world.node(follower).machine;
  disk.isSlow = begins;
  await waits(scene, between(scene, 1_500, 5_000));
  disk.isSlow = false;
  return begins;
}

/** What stands against the rules of merge and rebuild. */
export const STORAGE_PATTERNS = { slowRebuild } as const satisfies Record<string, Pattern>;
