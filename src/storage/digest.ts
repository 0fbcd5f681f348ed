import type { Clock } from '../env/clock.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan } from './batch-scan.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import { crcOf } from './format/crc.ts';
import { RecordKind } from './format/record.ts';
import { assertWhole } from './hint-file.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import type { Segment } from './segment.ts';
import { SegmentRecords } from './segment-records.ts';
import { Slices } from './slices.ts';

/** The committed state of one replica in a few bytes. Two replicas with the same offset must have the same digest (C14). */
export interface StateDigest {
  /** Everything below it is in the digest. */
  readonly offset: Offset;
  /** 16 hexadecimal digits. */
  readonly digest: string;
  readonly keys: number;
}

/** What a digest is taken of. */
export interface DigestSource {
  readonly log: { readonly segments: readonly Segment[] };
  readonly index: CommittedIndex;
  readonly hasher: KeyHash;
  readonly committedOffset: Offset;
}

/**
 * A digest over (database, key, value, expiry, offset) of all live keys. Replicas merge for themselves (C14), so
 * neither files nor their order count: it is a sum, over records, of a hash of each. It reads the log once, in order,
 * in slices, and looks up in the index which records are alive; segments stay pinned meanwhile. Null: more was
 * committed while it was taken, so it says nothing of any offset.
 */
export async function stateDigest(source: DigestSource, clock: Clock): Promise<StateDigest | null> {
  const segments = [...source.log.segments];
  for (const segment of segments) segment.pin();
  try {
    const digest = new DigestSum(source, clock);
    for (const segment of segments) await digest.addSegment(segment);
    return digest.result();
  } finally {
    for (const segment of segments) segment.unpin();
  }
}

class DigestSum {
  readonly #source: DigestSource;
  readonly #offset: Offset;
  readonly #slices: Slices;
  readonly #records: SegmentRecords;
  readonly #record = new IndexedRecord();
  #low = 0;
  #high = 0;
  #keys = 0;

  constructor(source: DigestSource, clock: Clock) {
    this.#source = source;
    this.#offset = source.committedOffset;
    this.#slices = new Slices(clock);
    this.#records = new SegmentRecords(source.hasher);
  }

  async addSegment(segment: Segment): Promise<void> {
    const scan = new BatchScan(segment.handle, segment.length);
    for await (const batch of scan.batches()) {
      if (batch.header.baseOffset >= this.#offset) return;
      for (const place of this.#records.of(batch, segment.path, this.#record)) {
        this.#add(place.end);
        if (this.#slices.isSpent) await this.#slices.rest();
      }
    }
    assertWhole(scan, segment);
  }

  result(): StateDigest | null {
    if (this.#source.committedOffset !== this.#offset) return null;
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return {
      offset: asOffset(this.#offset),
      digest: hex(this.#high) + hex(this.#low),
      keys: this.#keys,
    };
  }

  /** A put with its value and expiry, or the newest expiry of a key; `end`: where the record's value ends. */
  #add(end: number): void {
    const record = this.#record;
    const isPut = record.kind === RecordKind.put;
    if (!isPut && record.kind !== RecordKind.expiryChange) return;
    if (!this.#source.index.isLive(record)) return;
    const { bytes, keyStart, keyEnd, database, offset, expiresAtMs, kind } = record;
    const hash = new WordHash(crcOf(bytes, keyStart, end));
    hash.add(keyEnd - keyStart);
    hash.add(end - keyStart);
    hash.add(database);
    hash.add(kind);
    hash.addLong(offset);
    hash.addLong(expiresAtMs);
    this.#low = (this.#low + hash.low) | 0;
    this.#high = (this.#high + hash.high) | 0;
    this.#keys += Number(isPut);
  }
}

/** Two 32-bit words stirred by every word added: what a sum needs, so that differences do not cancel each other out. */
class WordHash {
  low = 0x9e3779b9 | 0;
  high = 0x85ebca6b | 0;

  constructor(first: number) {
    this.add(first);
  }

  add(word: number): void {
    this.low = stir(this.low ^ word, 0x7feb352d);
    this.high = stir(this.high + word, 0x846ca68b);
  }

  addLong(value: number): void {
    this.add(value | 0);
    this.add(Math.floor(value / 4294967296));
  }
}

function stir(word: number, factor: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), factor);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}
