import { join } from 'node:path';
import { makeDirectoryDurably } from '../env/make-directory.ts';
import { CaskadeError, type ErrorCode } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan } from './batch-scan.ts';
import { CommittedIndex } from './committed-index.ts';
import { EPOCHS_NAME, EpochCache } from './epoch-cache.ts';
import { hintDoorsOf } from './hint-file.ts';
import { HASH_SEED_BYTES, KeyHash } from './keydir/key-hash.ts';
import type { KeydirSizes } from './keydir/keydir.ts';
import { LOG_MEMORY, type LogMemory } from './log-memory.ts';
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
import { NO_PRODUCERS, type ProducerRecords } from './producer-records.ts';
import { Recovery, type RecoveryReport } from './recovery.ts';
import { SegmentedLog } from './segmented-log.ts';
import { finishTruncation } from './truncation.ts';

export interface OpenOptions extends MetaExpectation {
  readonly directory: string;
  /** 32 hexadecimal digits; given to the partition when it was created. */
  readonly partitionUuid: string;
  readonly segmentBytesMax: number;
  /** Absent: those for many keys. */
  readonly keydir?: KeydirSizes;
  /** Default `LOG_MEMORY`. */
  readonly memory?: LogMemory;
  readonly acceptTornTail: boolean;
  /** The directory was in use before: one without META has lost it. */
  readonly mustExist: boolean;
  /** What this partition remembers of its producers, still empty. Absent: a log that speaks of any is refused. */
  readonly producers?: ProducerRecords;
  /** Of a node that is alone: its last life made everything durable before it ended. */
  readonly closedCleanly?: boolean;
  /** A member of a cluster gives up what others still have; absent, this node has the only copy. */
  readonly member?: MemberOptions;
}

export interface MemberOptions {
  /**
   * The last life ended with the marker of a clean shutdown: under a weaker flush mode the only proof that nothing is
   * missing (R6).
   */
  readonly closedCleanly: boolean;
}

/** `unusable`: it cannot be served and must be rebuilt from others; what it holds of the log was not touched. */
export type OpenedReplica =
  | { readonly kind: 'opened'; readonly opened: OpenedPartition }
  | { readonly kind: 'unusable'; readonly reason: string; readonly directoryId: string | null };

/** What another replica's copy makes good. Anything else is the operator's, or the disk's: it is thrown. */
const REBUILT: readonly ErrorCode[] = ['corruptSegment', 'corruptMetadata', 'foreignDirectory', 'notFound'];

/** The hash seed that every replica of a partition derives. */
export function hashSeedOf(partitionUuid: string): string {
  return partitionUuid.slice(0, 2 * HASH_SEED_BYTES);
}

/** Opens the directory of a replica whose partition others have too. */
export async function openReplica(
  options: OpenOptions & { readonly member: MemberOptions },
  doors: StoreDoors,
): Promise<OpenedReplica> {
  try {
    return { kind: 'opened', opened: await openPartition(options, doors) };
  } catch (error) {
    if (!(error instanceof CaskadeError) || !REBUILT.includes(error.code)) throw error;
    return { kind: 'unusable', reason: error.message, directoryId: await directoryIdOf(options, doors) };
  }
}

async function directoryIdOf({ directory }: OpenOptions, doors: StoreDoors): Promise<string | null> {
  try {
    return (await readPartitionMeta(doors.fileSystem, directory))?.directoryId ?? null;
  } catch (error) {
    if (error instanceof CaskadeError && REBUILT.includes(error.code)) return null;
    throw error;
  }
}

/**
 * Opens, or creates, one partition's directory. Throws a CaskadeError with exit code 5 that names file and position if
 * the directory is not one that may be served. The caller owns the directory (R24) and has raised the leader epoch.
 */
export async function openPartition(options: OpenOptions, doors: StoreDoors): Promise<OpenedPartition> {
  const { directory } = options;
  await makeDirectoryDurably(doors.fileSystem, directory);
  const settled = await settleMeta(options, doors);
  const meta = await finishTruncation(settled, directory, doors.fileSystem);
  const epochs = await EpochCache.open(doors.fileSystem, directory);
  const manifest = await readManifest(doors.fileSystem, directory);
  const hasher = new KeyHash(Buffer.from(meta.hashSeed, 'hex').subarray(0, HASH_SEED_BYTES));
  const log = newLog(options, meta, doors, manifest ?? EMPTY_MANIFEST);
  const index = new CommittedIndex(log, hasher, options.keydir);
  const producers = options.producers ?? NO_PRODUCERS;
  const memory = options.memory ?? LOG_MEMORY;
  const parts = { directory, epochs, log, index, hasher, producers, memory };
  try {
    if (manifest === null) return { ...parts, ...(await beginAnew(meta, parts, doors)) };
    return { ...parts, ...(await recover(options, meta, parts, doors)) };
  } catch (error) {
    await log.close();
    throw error;
  }
}

type Recovered = Pick<
  OpenedPartition,
  'meta' | 'committedOffset' | 'logEndOffset' | 'pending' | 'report' | 'isWhole'
>;

async function beginAnew(
  meta: PartitionMeta,
  { directory, epochs, log }: Pick<OpenedPartition, 'directory' | 'epochs' | 'log'>,
  doors: StoreDoors,
): Promise<Recovered> {
  await checkFirstStart(directory, epochs, doors);
  await log.createFirst();
  const nowhere = asOffset(0);
  const place = { committedOffset: nowhere, logEndOffset: nowhere, pending: [] };
  return { ...place, meta, report: NEW, isWhole: meta.lossy !== true };
}

async function recover(
  options: OpenOptions,
  found: PartitionMeta,
  parts: Pick<OpenedPartition, 'directory' | 'epochs' | 'log' | 'index' | 'hasher' | 'producers' | 'memory'>,
  doors: StoreDoors,
): Promise<Recovered> {
  const { directory, epochs, log, index, hasher, producers, memory } = parts;
  let meta = found;
  const write = async (changed: PartitionMeta): Promise<void> => {
    await writePartitionMeta(doors.fileSystem, directory, changed);
    meta = changed;
  };
  const markLossy = async (): Promise<void> => write({ ...meta, lossy: true });
  const isMember = options.member !== undefined;
  const hintDoors = hintDoorsOf(doors, { directory, hasher, meta });
  const closedCleanly = options.member?.closedCleanly ?? options.closedCleanly ?? false;
  const how = { ...options, closedCleanly, isMember, markLossy, producers, memory };
  const recovery = new Recovery(hintDoors, log, index, meta, how);
  const { logEndOffset, pending, report } = await recovery.run();
  // Under a weak mode only the marker of a clean shutdown proves anything; what it does not prove stays unproved in later lives.
  const isProved = meta.flush === 'always' || options.member?.closedCleanly === true;
  if (isMember && meta.lossy !== true && !isProved) await markLossy();
  if (meta.highWatermark > logEndOffset) await write({ ...meta, highWatermark: logEndOffset });
  refuseWithoutEpochs(directory, epochs, logEndOffset);
  const end = await settleEnd(isMember, epochs, log, logEndOffset);
  const committedOffset = asOffset(meta.highWatermark);
  const isWhole = report.verdict !== 'lossy' && meta.lossy !== true && isProved;
  return { meta, committedOffset, logEndOffset: end, pending, report, isWhole };
}

/**
 * Alone, an epoch that begins above the log's end tells of offsets that were given out: they are not used again, and a
 * new segment remembers how far they reach, or the next start would miss what this one calls committed. A member
 * fetches what it lost under the same offsets, so it is the epoch that goes.
 */
async function settleEnd(
  isMember: boolean,
  epochs: EpochCache,
  log: SegmentedLog,
  logEndOffset: Offset,
): Promise<Offset> {
  if (!isMember) {
    const end = asOffset(Math.max(logEndOffset, epochs.latest?.startOffset ?? 0));
    if (end > logEndOffset) await log.roll(end);
    return end;
  }
  await epochs.trimTo(asOffset(logEndOffset + 1));
  return logEndOffset;
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
    doors.journal,
  );
}
