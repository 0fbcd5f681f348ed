import { join } from 'node:path';
import { makeDirectoryDurably } from '../env/make-directory.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan } from './batch-scan.ts';
import { CommittedIndex } from './committed-index.ts';
import { EPOCHS_NAME, EpochCache } from './epoch-cache.ts';
import { HASH_SEED_BYTES, KeyHash } from './keydir/key-hash.ts';
import { EMPTY_MANIFEST, MANIFEST_NAME, type Manifest, readManifest } from './manifest.ts';
import {
  checkPartitionMeta,
  type MetaExpectation,
  newPartitionMeta,
  type PartitionMeta,
  readPartitionMeta,
  weakerFlushMode,
  writePartitionMeta,
} from './partition-meta.ts';
import type { OpenedPartition, StoreDoors } from './partition-store.ts';
import { Recovery, type RecoveryReport } from './recovery.ts';
import { SegmentedLog } from './segmented-log.ts';

export interface OpenOptions extends MetaExpectation {
  readonly directory: string;
  /** 32 hexadecimal digits; given to the partition when it was created. */
  readonly partitionUuid: string;
  readonly segmentBytesMax: number;
  readonly acceptTornTail: boolean;
  /** The directory was in use before: one without META has lost it. */
  readonly mustExist: boolean;
}

/**
 * Opens, or creates, one partition's directory. Throws a CaskadeError with exit code 5 that names file and position if the directory is
 * not one that may be served. The caller owns the directory (R24) and has raised the leader epoch.
 */
export async function openPartition(options: OpenOptions, doors: StoreDoors): Promise<OpenedPartition> {
  const { directory } = options;
  await makeDirectoryDurably(doors.fileSystem, directory);
  const meta = await settleMeta(options, doors);
  const epochs = await EpochCache.open(doors.fileSystem, directory);
  const manifest = await readManifest(doors.fileSystem, directory);
  const hasher = new KeyHash(Buffer.from(meta.hashSeed, 'hex').subarray(0, HASH_SEED_BYTES));
  const log = newLog(options, meta, doors, manifest ?? EMPTY_MANIFEST);
  const index = new CommittedIndex(log, hasher);
  const parts = { directory, meta, epochs, log, index, hasher };
  if (manifest === null) {
    await checkFirstStart(directory, epochs, doors);
    await log.createFirst();
    return { ...parts, logEndOffset: asOffset(0), report: NEW };
  }
  const hintDoors = { ...doors, directory, hasher, hashSeed: meta.hashSeed };
  const recovery = new Recovery(hintDoors, log, index, meta, options);
  const { logEndOffset, report } = await recovery.run();
  await lowerHighWatermark(meta, logEndOffset, directory, doors);
  refuseWithoutEpochs(directory, epochs, logEndOffset);
  const lastEpochStart = epochs.latest?.startOffset ?? 0;
  return { ...parts, logEndOffset: asOffset(Math.max(logEndOffset, lastEpochStart)), report };
}

const NEW: RecoveryReport = {
  verdict: 'new',
  segments: 1,
  fromHints: 0,
  badHints: 0,
  records: 0,
  cutBytes: 0,
  removedFiles: 0,
};

/** The operator gave up the end of the log, or a weak flush mode lost it: META may claim no more than there is. */
async function lowerHighWatermark(
  meta: PartitionMeta,
  logEndOffset: number,
  directory: string,
  doors: StoreDoors,
): Promise<void> {
  if (meta.highWatermark <= logEndOffset) return;
  await writePartitionMeta(doors.fileSystem, directory, { ...meta, highWatermark: logEndOffset });
}

/** Reads META or writes the first one; the flush mark only ever gets weaker. */
async function settleMeta(options: OpenOptions, doors: StoreDoors): Promise<PartitionMeta> {
  const { directory } = options;
  const stored = await readPartitionMeta(doors.fileSystem, directory);
  if (stored === null) {
    await refuseWithoutMeta(options, doors);
    const meta = newPartitionMeta(options, options.partitionUuid, doors.random, doors.clock.wallMs());
    await writePartitionMeta(doors.fileSystem, directory, meta);
    return meta;
  }
  checkPartitionMeta(stored, options, directory);
  const flush = weakerFlushMode(stored.flush, options.flush);
  if (flush === stored.flush) return stored;
  const meta = { ...stored, flush };
  await writePartitionMeta(doors.fileSystem, directory, meta);
  return meta;
}

/** META is the first file of a directory: without it there is nothing but what a crash left of writing it. */
async function refuseWithoutMeta({ directory, mustExist }: OpenOptions, doors: StoreDoors): Promise<void> {
  if (mustExist) {
    throw new CaskadeError(
      'corruptMetadata',
      `${join(directory, 'META')} is missing, but this partition has been in use; restore its directory from a backup`,
    );
  }
  const others = (await doors.fileSystem.list(directory)).filter((name) => name !== 'META.tmp');
  if (others.length === 0) return;
  throw new CaskadeError(
    'corruptMetadata',
    `${join(directory, 'META')} is missing, but ${others[0]} is there; restore META from a backup, or empty the directory`,
  );
}

/** No manifest: either the very first start was cut short, or somebody removed it; what else is there tells which. */
async function checkFirstStart(directory: string, epochs: EpochCache, doors: StoreDoors): Promise<void> {
  const names = (await doors.fileSystem.list(directory)).filter((name) => name !== 'META');
  if (epochs.latest !== undefined || (await holdsBatches(directory, names, doors))) {
    throw new CaskadeError(
      'corruptMetadata',
      `${join(directory, MANIFEST_NAME)} is missing, but this directory has been in use; restore it from a backup`,
    );
  }
  for (const name of names) await doors.fileSystem.unlink(join(directory, name));
}

/** A first start leaves one segment file with nothing behind its header; anything more was once acknowledged. */
async function holdsBatches(
  directory: string,
  names: readonly string[],
  doors: StoreDoors,
): Promise<boolean> {
  for (const name of names.filter((each) => each.endsWith('.log'))) {
    const handle = await doors.fileSystem.open(join(directory, name), 'read');
    try {
      const scan = new BatchScan(handle, await handle.size());
      for await (const _batch of scan.batches()) return true;
    } finally {
      await handle.close();
    }
  }
  return false;
}

/** A log that holds anything was written in an epoch, and a merged log does not tell in which (C8). */
function refuseWithoutEpochs(directory: string, epochs: EpochCache, logEndOffset: Offset): void {
  if (logEndOffset === 0 || epochs.latest !== undefined) return;
  throw new CaskadeError(
    'corruptMetadata',
    `${join(directory, EPOCHS_NAME)} is missing, but the log reaches to offset ${logEndOffset}; restore it from a backup`,
  );
}

function newLog(
  options: OpenOptions,
  meta: PartitionMeta,
  doors: StoreDoors,
  manifest: Manifest,
): SegmentedLog {
  const { directory, segmentBytesMax } = options;
  const { partitionUuid, directoryId } = meta;
  const preallocationBytes = meta.engine === 'memory' ? 0 : LIMITS.preallocationBytes;
  return new SegmentedLog(
    { directory, partitionUuid, directoryId, segmentBytesMax, preallocationBytes },
    doors.fileSystem,
    doors.clock,
    doors.cache,
    manifest,
  );
}
