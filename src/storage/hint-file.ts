import { join } from 'node:path';
import type { Clock } from '../env/clock.ts';
import type { FileHandle, FileSystem } from '../env/file-system.ts';
import { removeIfThere } from '../env/replace-file.ts';
import { CaskadeError } from '../model/errors.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan } from './batch-scan.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import {
  decodeHintEntry,
  decodeHintTrailer,
  encodeHintHeader,
  encodeHintTrailer,
  HINT_BLOCK_HEADER_BYTES,
  HINT_HEADER_BYTES,
  HINT_TRAILER_BYTES,
  HintBlock,
  type HintIdentity,
  hintBatchCount,
  hintBlockLength,
  hintCrcHolds,
  hintHeaderMatches,
} from './format/hint.ts';
import { readUint32 } from './format/integers.ts';
import { RecordKind } from './format/record.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import { hintFileName } from './manifest.ts';
import { speaksOfProducers } from './producer-records.ts';
import type { Segment } from './segment.ts';
import { SegmentRecords } from './segment-records.ts';
import { Slices } from './slices.ts';

const FLUSH_BYTES = 1024 * 1024;

/** What hint files of a partition are made with. */
export interface HintDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly directory: string;
  readonly hasher: KeyHash;
  readonly hashSeed: string;
}

/** Of the partition that has these parts. */
export function hintDoorsOf(
  { fileSystem, clock }: Pick<HintDoors, 'fileSystem' | 'clock'>,
  {
    directory,
    hasher,
    meta,
  }: Pick<HintDoors, 'directory' | 'hasher'> & { readonly meta: Pick<HintDoors, 'hashSeed'> },
): HintDoors {
  return { fileSystem, clock, directory, hasher, hashSeed: meta.hashSeed };
}

/** Writes a hint file beside its final name and moves it there when it is whole and synced. */
export class HintWriter {
  readonly #doors: HintDoors;
  readonly #name: Pick<HintIdentity, 'base' | 'generation'>;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #block = new HintBlock();
  #chunks: Buffer[] = [];
  #pendingBytes = 0;
  #position = HINT_HEADER_BYTES;
  #count = 0;

  private constructor(
    doors: HintDoors,
    name: Pick<HintIdentity, 'base' | 'generation'>,
    path: string,
    handle: FileHandle,
  ) {
    this.#doors = doors;
    this.#name = name;
    this.#path = path;
    this.#handle = handle;
  }

  static async create(
    doors: HintDoors,
    name: Pick<HintIdentity, 'base' | 'generation'>,
  ): Promise<HintWriter> {
    const path = `${hintPath(doors.directory, name)}.tmp`;
    if (await doors.fileSystem.exists(path)) await doors.fileSystem.unlink(path);
    return new HintWriter(doors, name, path, await doors.fileSystem.open(path, 'create'));
  }

  async add(record: IndexedRecord): Promise<void> {
    this.#block.add(record);
    this.#count += 1;
    if (this.#block.isFull) await this.#push(this.#block.take());
  }

  /**
   * Says that records of the segment speak of producers: a hint does not list what they say, so a start must read the
   * segment for it. An entry of a snapshot without a length, at the segment's last offset.
   */
  async addProducerMark(offset: Offset): Promise<void> {
    const mark = new IndexedRecord();
    mark.kind = RecordKind.producerSnapshot;
    mark.offset = offset;
    await this.add(mark);
  }

  /** Length and end of the segment must be final: the header that names them is written last. */
  async finish(identity: HintIdentity, batchCount: number): Promise<void> {
    if (!this.#block.isEmpty) await this.#push(this.#block.take());
    this.#chunks.push(encodeHintTrailer(this.#count));
    await this.#flush();
    await this.#handle.writeAt([encodeHintHeader(identity, batchCount)], 0);
    await this.#handle.sync();
    await this.#handle.close();
    const { fileSystem, directory } = this.#doors;
    await fileSystem.rename(this.#path, hintPath(directory, this.#name));
    await fileSystem.syncDirectory(directory);
  }

  async abort(): Promise<void> {
    await this.#handle.close();
    await removeIfThere(this.#doors.fileSystem, this.#path);
  }

  async #push(block: Buffer): Promise<void> {
    this.#chunks.push(block);
    this.#pendingBytes += block.length;
    if (this.#pendingBytes >= FLUSH_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#pendingBytes = 0;
    await this.#handle.writeAt(chunks, this.#position);
    this.#position += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }
}

/**
 * Writes the hint of a sealed segment: every record that still says something. `syncEvidence` makes all that is
 * committed durable. It comes after the last look at the index: what the hint leaves out must not come back by a crash,
 * and commits go on while it is written (C2).
 */
export async function writeHint(
  doors: HintDoors,
  segment: Segment,
  index: CommittedIndex,
  syncEvidence: () => Promise<void>,
): Promise<void> {
  const writer = await HintWriter.create(doors, segment);
  const slices = new Slices(doors.clock);
  const record = new IndexedRecord();
  const records = new SegmentRecords(doors.hasher);
  const scan = new BatchScan(segment.handle, segment.length);
  let isOfProducers = false;
  segment.pin();
  try {
    for await (const batch of scan.batches()) {
      for (const place of records.of(batch, segment.path, record)) {
        if (index.isLive(record)) await writer.add(record);
        isOfProducers ||= speaksOfProducers(batch.bytes, place.start, records.view);
        if (slices.isSpent) await slices.rest();
      }
    }
    assertWhole(scan, segment);
    if (isOfProducers) await writer.addProducerMark(asOffset(segment.end - 1));
    await syncEvidence();
    await writer.finish(identityOf(segment, doors.hashSeed), segment.batchCount);
    segment.hasHint = true;
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    segment.unpin();
  }
}

/** A sealed segment is read to its end or it is corrupt (C11). */
export function assertWhole(scan: BatchScan, segment: Segment): void {
  if (scan.end.fault === null && scan.end.position === segment.length) return;
  throw new CaskadeError(
    'corruptSegment',
    `${segment.path}: position ${scan.end.position}: a sealed segment has a bad batch (${scan.end.fault}); restore the file from a replica or a backup`,
  );
}

/**
 * Reads the hint of a segment and applies it. It is checked whole before the first entry is applied; false means that
 * there is none or that it cannot be trusted, and nothing was applied (C10).
 */
export async function loadHint(
  doors: HintDoors,
  segment: Segment,
  index: CommittedIndex,
): Promise<'loaded' | 'absent' | 'bad'> {
  const identity = identityOf(segment, doors.hashSeed);
  const path = hintPath(doors.directory, identity);
  if (!(await doors.fileSystem.exists(path))) return 'absent';
  const bytes = await readWhole(doors.fileSystem, path, identity);
  if (bytes === null) return 'bad';
  await visitEntries(bytes, doors.clock, (record) => index.apply(record, segment));
  segment.batchCount = hintBatchCount(bytes);
  segment.hasHint = true;
  return 'loaded';
}

/** Visits what the hint of a segment lists; false if it cannot be read, and then nothing was visited. */
export async function visitHint(
  doors: HintDoors,
  segment: Segment,
  visit: (record: IndexedRecord) => void,
): Promise<boolean> {
  const identity = identityOf(segment, doors.hashSeed);
  const bytes = await readWhole(doors.fileSystem, hintPath(doors.directory, identity), identity);
  if (bytes === null) return false;
  segment.batchCount = hintBatchCount(bytes);
  await visitEntries(bytes, doors.clock, visit);
  return true;
}

export function hintPath(directory: string, identity: Pick<HintIdentity, 'base' | 'generation'>): string {
  return join(directory, hintFileName(identity.base as Segment['base'], identity.generation));
}

function identityOf(segment: Segment, hashSeed: string): HintIdentity {
  const { base, generation, length, end } = segment;
  return { base, generation, segmentLength: length, end, hashSeed };
}

/** The bytes of a hint that is readable, speaks of this segment and holds its checksums; null on any doubt (C10). */
async function readWhole(
  fileSystem: FileSystem,
  path: string,
  identity: HintIdentity,
): Promise<Buffer | null> {
  try {
    const bytes = await readAll(fileSystem, path);
    return hintHeaderMatches(bytes, identity) && blocksHold(bytes) ? bytes : null;
  } catch (error) {
    // The data says the same, and a disk that cannot be read there either will be reported then.
    if (error instanceof CaskadeError) return null;
    throw error;
  }
}

async function readAll(fileSystem: FileSystem, path: string): Promise<Buffer> {
  const handle = await fileSystem.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafe(await handle.size());
    const read = await handle.readAt(bytes, 0);
    return bytes.subarray(0, read);
  } finally {
    await handle.close();
  }
}

/** Checks every block's checksum, every entry's layout, and that the trailer's count is right. */
function blocksHold(bytes: Buffer): boolean {
  const record = new IndexedRecord();
  let at = HINT_HEADER_BYTES;
  let count = 0;
  while (at + HINT_TRAILER_BYTES <= bytes.length) {
    const length = hintBlockLength(bytes, at);
    if (length < 0) return false;
    if (length === 0)
      return decodeHintTrailer(bytes, at) === count && at + HINT_TRAILER_BYTES === bytes.length;
    const start = at + HINT_BLOCK_HEADER_BYTES;
    const end = start + length;
    if (end > bytes.length || !hintCrcHolds(bytes, start, end, readUint32(bytes, at + 4))) return false;
    let entry = start;
    while (entry < end) {
      entry = decodeHintEntry(bytes, entry, end, record);
      if (entry < 0) return false;
      count += 1;
    }
    at = end;
  }
  return false;
}

/** Visits the entries of a hint that was checked, or written, by this process. */
async function visitEntries(
  bytes: Buffer,
  clock: Clock,
  visit: (record: IndexedRecord) => void,
): Promise<void> {
  const slices = new Slices(clock);
  const record = new IndexedRecord();
  let at = HINT_HEADER_BYTES;
  let length = hintBlockLength(bytes, at);
  while (length > 0) {
    const end = at + HINT_BLOCK_HEADER_BYTES + length;
    let entry = at + HINT_BLOCK_HEADER_BYTES;
    while (entry < end) {
      entry = decodeHintEntry(bytes, entry, end, record);
      visit(record);
      if (slices.isSpent) await slices.rest();
    }
    at = end;
    length = hintBlockLength(bytes, at);
  }
}
