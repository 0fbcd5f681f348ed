import { join } from 'node:path';
import type { FileSystem } from '../env/file-system.ts';
import { asOffset } from '../model/numbers.ts';
import { EpochCache } from './epoch-cache.ts';
import { readManifest, segmentFileName, writeManifest } from './manifest.ts';
import { type PartitionMeta, type PlannedCut, writePartitionMeta } from './partition-meta.ts';

/**
 * Finishes a truncation that a crash cut short. META named the cut before anything was done, and names it until all is;
 * every step may be done twice. Returns META as it is now.
 */
export async function finishTruncation(
  meta: PartitionMeta,
  directory: string,
  fileSystem: FileSystem,
): Promise<PartitionMeta> {
  const { cut, ...settled } = meta;
  if (cut === undefined) return meta;
  await cutFiles(cut, directory, fileSystem);
  const epochs = await EpochCache.open(fileSystem, directory);
  await epochs.trimTo(asOffset(cut.offset));
  await writePartitionMeta(fileSystem, directory, settled);
  return settled;
}

/**
 * The file first, so that the manifest never names as active one that is sealed to a length. What the manifest drops is
 * removed as a leftover.
 */
async function cutFiles(cut: PlannedCut, directory: string, fileSystem: FileSystem): Promise<void> {
  const manifest = await readManifest(fileSystem, directory);
  const index = manifest?.segments.findIndex(({ base, state }) => base === cut.base && state !== 'merged');
  const target = manifest?.segments[index ?? -1];
  if (manifest === null || index === undefined || target === undefined) return;
  const handle = await fileSystem.open(
    join(directory, segmentFileName(target.base, target.generation)),
    'write',
  );
  try {
    if ((await handle.size()) > cut.position) await handle.truncate(cut.position);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (target.state === 'active') return;
  const active = { ...target, end: target.base, length: 0, state: 'active' as const };
  await writeManifest(fileSystem, directory, {
    ...manifest,
    segments: [...manifest.segments.slice(0, index), active],
  });
}
