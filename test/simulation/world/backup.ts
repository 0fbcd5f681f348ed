import type { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';

/** One bit that rotted. */
interface Rot {
  readonly position: number;
  readonly found: number;
  readonly bit: number;
}

interface Loss {
  readonly path: string;
  readonly before: Uint8Array;
  /** Null: more than one bit, or the whole file. */
  readonly rot: Rot | null;
}

/** What the operator of a node that is alone has of each file that was damaged: the file as it was. Nobody else has a copy. */
export class Backup {
  readonly #disk: () => FaultyFileSystem;
  #losses: Loss[] = [];

  constructor(disk: () => FaultyFileSystem) {
    this.#disk = disk;
  }

  /** Something is damaged, and not restored. */
  get isNeeded(): boolean {
    return this.#losses.length > 0;
  }

  /** Keeps what the file holds, and then lets the damage happen. */
  readonly keep = (path: string, damage: () => string): string => {
    const before = this.#disk().contentOf(path);
    const how = damage();
    const after = this.#disk().contentOf(path);
    if (before !== null && !isSame(before, after)) {
      this.#losses.push({ path, before, rot: after === null ? null : rotOf(before, after) });
    }
    return how;
  };

  /**
   * A node started with the files as they are: what it accepted is its own from now on. It need not have read all of
   * its logs.
   */
  started(): void {
    this.#losses = this.#losses.filter((loss) => loss.path.endsWith('.log') && this.#isRotten(loss));
  }

  /** Everything as it was, the newest damage first. Call while nobody uses the disk. */
  restore(): readonly string[] {
    const restored: string[] = [];
    for (const loss of this.#losses.toReversed()) {
      const { path, before, rot } = loss;
      if (rot === null) this.#disk().restore(path, before);
      else if (this.#isRotten(loss)) this.#disk().flipBit(path, rot.position, rot.bit);
      restored.push(path);
    }
    this.#losses = [];
    return restored;
  }

  #isRotten({ path, rot }: Loss): boolean {
    return rot !== null && this.#disk().contentOf(path)?.[rot.position] === rot.found;
  }
}

const isSame = (before: Uint8Array, after: Uint8Array | null): boolean =>
  after !== null && Buffer.compare(before, after) === 0;

function rotOf(before: Uint8Array, after: Uint8Array): Rot | null {
  if (before.length !== after.length) return null;
  const position = before.findIndex((byte, at) => byte !== after[at]);
  const found = after[position] ?? 0;
  const bit = Math.log2((before[position] ?? 0) ^ found);
  const isOne = Number.isInteger(bit) && isSame(before.subarray(position + 1), after.subarray(position + 1));
  return isOne ? { position, found, bit } : null;
}
