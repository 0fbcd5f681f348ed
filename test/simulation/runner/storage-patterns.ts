import { between, comes, now, type Pattern, type PatternScene, waits } from './pattern-scene.ts';

const REBUILD_BEGINS_MS_MAX = 3_500;

const isRebuilding = ({ world, state, follower }: PatternScene): boolean =>
  world.node(follower).live?.cluster.replicas.replica(state.id)?.follower?.isRebuilding === true;

/** An operator asks whoever leads to roll and merge (BGREWRITEAOF). What becomes of it the log tells. */
function askForMerge(scene: PatternScene): void {
  const { world, state } = scene;
  const { leader } = now(scene);
  if (leader === null) return;
  world.request<null>({
    to: leader,
    work: ({ cluster }) =>
      void cluster.replicas
        .leading(state.id)
        ?.mergeNow()
        .catch(() => undefined),
    answered: () => undefined,
    failed: () => undefined,
  });
}

/** A follower is built anew on a slow disk, while its leader goes on, and merges: what was taken from it is deleted, and the tombstones may be gone before anybody comes to them (C5). */
async function slowRebuild(scene: PatternScene): Promise<boolean> {
  const { world, follower } = scene;
  if (!world.node(follower).isUp || !world.fire('wipe', follower)) return false;
  const begins = await comes(scene, REBUILD_BEGINS_MS_MAX, () => isRebuilding(scene), 1);
  await waits(scene, between(scene, 5, 60));
  const { disk } = world.node(follower).machine;
  disk.isSlow = begins;
  const untilMs = world.nowMs + between(scene, 1_500, 5_000);
  while (begins && scene.isOn() && world.nowMs < untilMs && isRebuilding(scene)) {
    await waits(scene, between(scene, 150, 500));
    if (scene.isOn()) askForMerge(scene);
  }
  disk.isSlow = false;
  return begins;
}

/** What stands against the rules of merge and rebuild. */
export const STORAGE_PATTERNS = { slowRebuild } as const satisfies Record<string, Pattern>;
