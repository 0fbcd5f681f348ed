import { PagedBytes } from './paged-bytes.ts';
import type { Random } from './random.ts';

/** A device writes sectors of this size whole or not at all (but for the one the power failed in). */
export const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

/**
 * What a crash does to the unsynced. `loseAll`: nothing survives (a power cut, the strictest disk). `random`: each
 * sector by itself, the last write torn, names up to some point (a power cut). `keepAll`: only the process was killed,
 * and nothing happens to the disk: the next life reads what was cached, what a failed sync dropped included, and what
 * was not synced is still not synced: a later power cut may lose it.
 */
export type SurvivalPolicy = 'loseAll' | 'keepAll' | 'random';

/** The crashes that empty the page cache. */
export type PowerCut = Exclude<SurvivalPolicy, 'keepAll'>;

type FileChange = { readonly lengthBefore: number; readonly lengthAfter: number } & (
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array; dropped: boolean }
  | { readonly kind: 'truncate' }
);

/**
 * One file of a simulated disk: the bytes of the page cache, the bytes on the platter, and in order all changes that
 * lie between the two. Names are not its business.
 */
export class SimulatedFile {
  readonly cached: PagedBytes;
  readonly #durable: PagedBytes;
  #changes: FileChange[] = [];
  #committedCount = 0;
  #failedSyncs = 0;

  constructor(durable: PagedBytes = new PagedBytes(PAGE_BYTES)) {
    this.#durable = durable;
    this.cached = durable.clone();
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    const lengthBefore = this.cached.length;
    // Not bytes.slice(): that of a Buffer is a view, and its owner goes on using it.
    const copy = new Uint8Array(bytes);
    this.cached.write(copy, position);
    const lengthAfter = this.cached.length;
    this.#changes.push({ kind: 'write', position, bytes: copy, dropped: false, lengthBefore, lengthAfter });
  }

  /**
   * A write that the power failed in: some bytes from its begin on are on the platter. Where only the process ends,
   * they are a write like any other.
   */
  tear(bytes: Uint8Array, position: number, random: Random): void {
    const torn = bytes.subarray(0, random.below(bytes.length + 1));
    this.write(torn, position);
    this.#durable.write(torn, position);
  }

  truncate(length: number): void {
    const lengthBefore = this.cached.length;
    this.cached.truncate(length);
    this.#changes.push({ kind: 'truncate', lengthBefore, lengthAfter: length });
  }

  /** All changes so far; what comes later is not covered by a sync that started now. */
  mark(): number {
    return this.#committedCount + this.#changes.length;
  }

  get unsyncedCount(): number {
    return this.#changes.length;
  }

  /** A successful sync: the changes up to the mark are on the platter. */
  commit(mark: number): void {
    const count = Math.max(0, mark - this.#committedCount);
    for (const change of this.#changes.splice(0, count)) applyWhole(this.#durable, change);
    this.#committedCount += count;
  }

  /**
   * A failed sync: the kernel reported it once and marked the pages clean. The cache still shows the bytes, no later
   * sync will write them, a crash shows that they never got there.
   */
  drop(mark: number): void {
    for (const change of this.#changes.slice(0, Math.max(0, mark - this.#committedCount))) {
      if (change.kind === 'write') change.dropped = true;
    }
    this.#failedSyncs += 1;
  }

  /** The kernel tells each handle that was open of a failed sync once, whichever handle it was that asked for it. */
  get failedSyncs(): number {
    return this.#failedSyncs;
  }

  /** The device changes a bit behind everyone's back. */
  flipBit(position: number, bit: number): void {
    for (const bytes of [this.cached, this.#durable]) {
      const byte = new Uint8Array(1);
      if (bytes.read(byte, position) === 1)
        bytes.write(
          byte.map((value) => value ^ (1 << bit)),
          position,
        );
    }
    for (const change of this.#changes) {
      if (change.kind !== 'write') continue;
      const at = position - change.position;
      const byte = change.bytes[at];
      if (byte !== undefined) change.bytes[at] = byte ^ (1 << bit);
    }
  }

  /** The bytes found after a power cut. */
  survivors(policy: PowerCut, random: Random): PagedBytes {
    const result = this.#durable.clone();
    if (policy === 'random') new RandomSurvival(result, this.#changes, random).apply();
    return result;
  }
}

function applyWhole(bytes: PagedBytes, change: FileChange): void {
  if (change.kind === 'truncate') bytes.truncate(change.lengthAfter);
  else if (!change.dropped) bytes.write(change.bytes, change.position);
  else if (change.lengthAfter > bytes.length) bytes.truncate(change.lengthAfter);
}

/**
 * Which unsynced changes of a file a random crash leaves. Lengths are metadata: they go through the journal of the
 * file system, so a prefix of their changes survives. Data sectors survive each by itself, in any order. Bytes written
 * after a change of length that did not survive exist only where the file had blocks all the time.
 */
class RandomSurvival {
  readonly #bytes: PagedBytes;
  readonly #changes: readonly FileChange[];
  readonly #random: Random;
  #lengthChangesLeft: number;
  /** Bytes from here on lie in blocks that no surviving metadata points to. */
  #mappedLength = Number.POSITIVE_INFINITY;

  constructor(bytes: PagedBytes, changes: readonly FileChange[], random: Random) {
    this.#bytes = bytes;
    this.#changes = changes;
    this.#random = random;
    this.#lengthChangesLeft = prefixLength(changes.filter(changesLength).length, random);
  }

  apply(): void {
    const last = this.#changes.findLast((change) => change.kind === 'write' && !change.dropped);
    for (const change of this.#changes) {
      if (changesLength(change)) this.#applyLength(change);
      if (change.kind === 'write' && !change.dropped) this.#applySectors(change, change === last);
    }
  }

  #applyLength(change: FileChange): void {
    if (this.#lengthChangesLeft > 0) {
      this.#lengthChangesLeft -= 1;
      this.#bytes.truncate(change.lengthAfter);
    } else {
      this.#mappedLength = Math.min(this.#mappedLength, change.lengthBefore, change.lengthAfter);
    }
  }

  #applySectors(change: FileChange & { kind: 'write' }, isLast: boolean): void {
    const keepPercent = [0, 100, 1 + this.#random.below(99)][this.#random.below(3)] ?? 0;
    const end = Math.min(change.position + change.bytes.length, this.#mappedLength);
    const sectorCount = Math.ceil(end / SECTOR_BYTES) - Math.floor(change.position / SECTOR_BYTES);
    const torn =
      isLast && sectorCount > 0 && this.#random.below(2) === 0 ? this.#random.below(sectorCount) : -1;
    let sector = 0;
    for (let at = change.position; at < end; sector += 1) {
      const sectorEnd = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      const keepTo = sector === torn ? at + this.#random.below(sectorEnd - at) : sectorEnd;
      if (sector === torn || this.#random.below(100) < keepPercent) {
        this.#bytes.write(change.bytes.subarray(at - change.position, keepTo - change.position), at);
      }
      at = sectorEnd;
    }
  }
}

const changesLength = (change: FileChange): boolean => change.lengthAfter !== change.lengthBefore;

/** How many of `count` ordered changes survive: often none or all, since those are the ends where bugs are. */
export function prefixLength(count: number, random: Random): number {
  if (count === 0) return 0;
  return [0, count, random.below(count + 1)][random.below(3)] ?? 0;
}
