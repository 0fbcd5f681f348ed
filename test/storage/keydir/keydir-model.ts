import { expect } from 'chai';
import type { KeyHasher } from '../../../src/storage/keydir/key-hash.ts';
import type { Keydir } from '../../../src/storage/keydir/keydir.ts';

export interface ModelExpiry {
  offset: number;
  segment: number;
  length: number;
}

export interface ModelRecord {
  segment: number;
  position: number;
  length: number;
  offset: number;
  expiresAtMs: number;
  /** The newest metadata-only record since the put. */
  metadata: ModelExpiry | undefined;
}

export const keyBytes = (key: string): Uint8Array => Buffer.from(key, 'latin1');
export const keyText = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString('latin1');

/** A hash that differs in few values, spread over the whole range: many keys share one. */
export class WeakHash implements KeyHasher {
  readonly #values: number;

  constructor(values: number) {
    this.#values = values;
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    let sum = end - start;
    for (let index = start; index < end; index++) sum = (Math.imul(sum, 31) + bytes[index]!) >>> 0;
    return Math.floor(((sum % this.#values) * 0xffffffff) / Math.max(1, this.#values - 1));
  }
}

/** A keydir and a Map that are told the same; every answer and, after every step, the whole state must agree. */
export class ModelledKeydir {
  readonly keydir: Keydir;
  readonly model = new Map<string, ModelRecord>();
  readonly #hasher: KeyHasher;

  constructor(keydir: Keydir, hasher: KeyHasher) {
    this.keydir = keydir;
    this.#hasher = hasher;
  }

  hash(key: string): number {
    const bytes = keyBytes(key);
    return this.#hasher.hash(bytes, 0, bytes.length);
  }

  put(key: string, record: Omit<ModelRecord, 'metadata'>): void {
    const { segment, position, length, offset, expiresAtMs } = record;
    const bytes = Uint8Array.from([7, ...keyBytes(key), 9]);
    const end = bytes.length - 1;
    const replaced = this.keydir.put(
      this.hash(key),
      bytes,
      1,
      end,
      segment,
      position,
      length,
      offset,
      expiresAtMs,
    );
    this.#expectPrevious(key, replaced);
    this.model.set(key, { ...record, metadata: undefined });
  }

  remove(key: string): void {
    const bytes = keyBytes(key);
    this.#expectPrevious(key, this.keydir.remove(this.hash(key), bytes, 0, bytes.length));
    this.model.delete(key);
  }

  changeExpiry(key: string, expiresAtMs: number, metadata: ModelExpiry): void {
    const bytes = keyBytes(key);
    const { offset, segment, length } = metadata;
    const changed = this.keydir.changeExpiry(
      this.hash(key),
      bytes,
      0,
      bytes.length,
      expiresAtMs,
      offset,
      segment,
      length,
    );
    const known = this.model.get(key);
    expect(changed).to.equal(known !== undefined);
    this.#expectPreviousExpiry(known);
    if (known === undefined) return;
    known.expiresAtMs = expiresAtMs;
    known.metadata = metadata;
  }

  relocate(key: string, newSegment: number, newPosition: number): void {
    const known = this.model.get(key);
    const found = this.keydir.findOffset(this.hash(key), known?.offset ?? 12345);
    expect(found).to.equal(known !== undefined);
    if (known === undefined) return;
    this.keydir.relocate(newSegment, newPosition);
    known.segment = newSegment;
    known.position = newPosition;
  }

  relocateExpiry(key: string, newSegment: number): void {
    const bytes = keyBytes(key);
    const known = this.model.get(key)?.metadata;
    const moved = this.keydir.relocateExpiry(
      this.hash(key),
      bytes,
      0,
      bytes.length,
      known?.offset ?? 12345,
      newSegment,
    );
    expect(moved).to.equal(known !== undefined);
    if (known !== undefined) known.segment = newSegment;
  }

  check(): void {
    const { keydir, model } = this;
    keydir.verify();
    expect(keydir.size).to.equal(model.size);
    expect(keydir.expiringCount).to.equal(
      [...model.values()].filter((record) => record.expiresAtMs > 0).length,
    );
    for (const [key, record] of model) this.#expectFound(key, record);
    expect(this.scanAll(3).sort()).to.deep.equal([...model.keys()].sort());
  }

  scanAll(countMax: number): string[] {
    const keys: string[] = [];
    let position = 0;
    do {
      position = this.keydir.scan(position, countMax, (bytes, start, end) =>
        keys.push(keyText(bytes, start, end)),
      );
    } while (position !== 0);
    return keys;
  }

  #expectFound(key: string, record: ModelRecord): void {
    const { keydir } = this;
    const bytes = keyBytes(key);
    const hash = this.hash(key);
    const { metadata, ...fields } = record;
    expect(keydir.find(hash, bytes, 0, bytes.length), `find ${key}`).to.equal(true);
    const { segment, position, length, offset, expiresAtMs } = keydir;
    expect({ segment, position, length, offset, expiresAtMs }).to.deep.equal(fields);
    expect(keydir.newestOffset).to.equal(metadata?.offset ?? offset);
    expect(keydir.findOffset(hash, offset)).to.equal(true);
    const newest = metadata?.offset ?? offset;
    expect(keydir.isNewestExpiry(hash, bytes, 0, bytes.length, newest)).to.equal(metadata !== undefined);
    expect(keydir.isNewestExpiry(hash, bytes, 0, bytes.length, newest + 1)).to.equal(false);
  }

  #expectPrevious(key: string, replaced: boolean): void {
    const { keydir } = this;
    const known = this.model.get(key);
    expect(replaced).to.equal(known !== undefined);
    expect(keydir.previousSegment).to.equal(known?.segment ?? 0);
    expect(keydir.previousPosition).to.equal(known?.position ?? 0);
    expect(keydir.previousLength).to.equal(known?.length ?? 0);
    expect(keydir.previousOffset).to.equal(known?.offset ?? 0);
    this.#expectPreviousExpiry(known);
  }

  #expectPreviousExpiry(known: ModelRecord | undefined): void {
    expect(this.keydir.previousExpiryLength).to.equal(known?.metadata?.length ?? 0);
    expect(this.keydir.previousExpirySegment).to.equal(known?.metadata?.segment ?? 0);
  }
}
