import { join } from 'node:path';
import { readDocument, writeDocument } from '../env/checked-document.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Random } from '../env/random.ts';
import { CaskadeError } from '../model/errors.ts';
import type { NodeId, PartitionId } from '../model/numbers.ts';

export type EngineName = 'bitcask' | 'memory';
/**
 * `always`: a write is committed when it is on disk. `interval`: synced every so often; a power failure loses what came
 * after. `os`: synced when the operating system likes.
 */
export type FlushMode = 'always' | 'interval' | 'os';

/** META: what a partition's directory is (docs/FORMATS.md section 5). */
export interface PartitionMeta {
  readonly format: number;
  readonly features: readonly string[];
  readonly engine: EngineName;
  readonly partition: PartitionId;
  /** 32 hexadecimal digits. */
  readonly partitionUuid: string;
  /** Random, one per replica directory (R5). */
  readonly directoryId: string;
  readonly nodeId: NodeId;
  /** 16 hexadecimal digits; the same in every replica. */
  readonly hashSeed: string;
  /** The weakest mode this directory ever lived under (R6). */
  readonly flush: FlushMode;
  /** A lower bound of the true high watermark. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly createdAtMs: number;
  /** Something that was acknowledged under this directory may be missing (R6). */
  readonly lossy?: true;
  /** The log is being cut back: a start finishes that before it looks at anything else. */
  readonly cut?: PlannedCut;
}

/** Where a log is being cut: what lies from `position` on in the segment of base offset `base`, and all later segments, go. */
export interface PlannedCut {
  readonly offset: number;
  readonly base: number;
  readonly position: number;
}

const FORMAT = 1;
const KNOWN_FEATURES: readonly string[] = [];
const WEAKNESS: Record<FlushMode, number> = { always: 0, interval: 1, os: 2 };

export interface MetaExpectation {
  readonly engine: EngineName;
  readonly partition: PartitionId;
  readonly nodeId: NodeId;
  readonly flush: FlushMode;
  /** 16 hexadecimal digits for a new directory: the same in every replica of a cluster. Absent: random. */
  readonly hashSeed?: string;
}

export async function readPartitionMeta(
  fileSystem: FileSystem,
  directory: string,
): Promise<PartitionMeta | null> {
  const document = await readDocument(fileSystem, join(directory, 'META'), FORMAT);
  return document as unknown as PartitionMeta | null;
}

export async function writePartitionMeta(
  fileSystem: FileSystem,
  directory: string,
  meta: PartitionMeta,
): Promise<void> {
  await writeDocument(fileSystem, join(directory, 'META'), { ...meta });
}

export function newPartitionMeta(
  expectation: MetaExpectation,
  partitionUuid: string,
  random: Random,
  createdAtMs: number,
): PartitionMeta {
  return {
    format: FORMAT,
    features: [],
    engine: expectation.engine,
    partition: expectation.partition,
    partitionUuid,
    directoryId: hex(random.bytes(16)),
    nodeId: expectation.nodeId,
    hashSeed: expectation.hashSeed ?? hex(random.bytes(8)),
    flush: expectation.flush,
    highWatermark: 0,
    logStartOffset: 0,
    createdAtMs,
  };
}

/** Refuses a directory that belongs to another engine, partition or node, or needs a feature we lack. */
export function checkPartitionMeta(meta: PartitionMeta, expected: MetaExpectation, directory: string): void {
  if (meta.engine !== expected.engine) {
    throw new CaskadeError(
      'wrongEngine',
      `${directory} was created by storage.engine=${meta.engine}, but ${expected.engine} is configured; set storage.engine to ${meta.engine} or choose another data.dir`,
    );
  }
  const unknown = meta.features.filter((feature) => !KNOWN_FEATURES.includes(feature));
  if (unknown.length > 0) {
    throw new CaskadeError(
      'futureFormat',
      `${directory} needs the features ${unknown.join(', ')}; start a newer Caskade`,
    );
  }
  if (meta.partition !== expected.partition || meta.nodeId !== expected.nodeId) {
    throw new CaskadeError(
      'foreignDirectory',
      `${directory} belongs to partition ${meta.partition} of node ${meta.nodeId}, not to partition ${expected.partition} of node ${expected.nodeId}; check data.dir and node.id`,
    );
  }
}

export function weakerFlushMode(left: FlushMode, right: FlushMode): FlushMode {
  return WEAKNESS[left] >= WEAKNESS[right] ? left : right;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
