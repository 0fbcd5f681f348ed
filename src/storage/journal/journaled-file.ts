import type { FileHandle } from '../../env/file-system.ts';
import { CaskadeError } from '../../model/errors.ts';
import { type BytesRecord, RECORD_HEADER_BYTES } from './frame.ts';

/** More than that between two syncs of a file is not worth being written twice. */
export const NOTED_BYTES_MAX = 64 * 1024;

/** What a file asks of the journal. */
export interface JournalSide {
  sync(file: JournaledFile): Promise<void>;
  /** What the journal says of the file does not count any more, durably: it holds all that on its own. */
  settle(file: JournaledFile): Promise<void>;
  /** The same, as far as that goes: it is about to be closed. */
  leave(file: JournaledFile): Promise<void>;
}

/**
 * A file whose syncs may go through the journal: what was written since the last one is remembered until then. Everything but
 * appending, which a start could not do over again, is preceded by a sync of the file itself. Its owner changes it, syncs it and closes it
 * one after the other; the journal may sync it at any time.
 */
export class JournaledFile implements FileHandle {
  readonly path: string;
  /** As the journal calls it: relative to the node's data directory. */
  readonly name: string;
  readonly #nameBytes: number;
  readonly #inner: FileHandle;
  readonly #journal: JournalSide;
  #notes: BytesRecord[] = [];
  #notedBytes = 0;
  /**
   * Not all that was done since the last sync is noted. Nor what was done before: a file that was just created may not be
   * there after a crash, and another under its name, until its creator has synced it and its directory.
   */
  #isBeyondNotes = true;
  /** End of what was ever noted. */
  #notedTo = 0;
  /** Syncs of the file itself, one after the other: the kernel reports a lost page once, to whoever comes first. */
  #syncing: Promise<void> | null = null;
  #isClosed = false;

  constructor(inner: FileHandle, name: string, journal: JournalSide) {
    this.path = inner.path;
    this.name = name;
    this.#nameBytes = Buffer.byteLength(name);
    this.#inner = inner;
    this.#journal = journal;
  }

  size(): Promise<number> {
    return this.#inner.size();
  }

  readAt(target: Uint8Array, position: number): Promise<number> {
    return this.#inner.readAt(target, position);
  }

  async writeAt(chunks: readonly Uint8Array[], position: number): Promise<void> {
    if (position < this.#notedTo) await this.#change();
    try {
      await this.#inner.writeAt(chunks, position);
    } finally {
      // A part of it may be there, where it failed.
      this.#note(chunks, position);
    }
  }

  sync(): Promise<void> {
    return this.#journal.sync(this);
  }

  async truncate(length: number): Promise<void> {
    await this.#change();
    await this.#inner.truncate(length);
  }

  async close(): Promise<void> {
    try {
      await this.#journal.leave(this);
    } finally {
      await this.#syncing;
      this.#isClosed = true;
      await this.#inner.close();
    }
  }

  /** All that a sync has to make durable is noted, or in a frame. */
  get isNoted(): boolean {
    return !this.#isBeyondNotes && this.#syncing === null;
  }

  /** What a frame needs for them. */
  get noteBytes(): number {
    return this.#notedBytes + this.#notes.length * (RECORD_HEADER_BYTES + this.#nameBytes);
  }

  /** What was written since the last sync; the journal has it from now on. */
  takeNotes(): readonly BytesRecord[] {
    const notes = this.#notes;
    this.#forgetNotes();
    return notes;
  }

  /** Once it has failed it always does, for the handle keeps that in mind: the owner is told by whatever it does next. */
  syncItself(): Promise<void> {
    const sync = this.#syncing === null ? this.#syncNow() : this.#syncing.then(() => this.#syncNow());
    const over = (): void => {
      if (this.#syncing === settled) this.#syncing = null;
    };
    const settled = sync.then(over, over);
    this.#syncing = settled;
    return sync;
  }

  async #syncNow(): Promise<void> {
    if (this.#isClosed) throw new CaskadeError('syncFailed', `${this.path} was closed before it was synced`);
    this.#forgetNotes();
    this.#isBeyondNotes = false;
    try {
      await this.#inner.sync();
    } catch (error) {
      this.#isBeyondNotes = true;
      throw error;
    }
  }

  /** Before something that is not an append; it has to be synced by the file itself. */
  async #change(): Promise<void> {
    await this.#journal.settle(this);
    this.#forgetNotes();
    this.#isBeyondNotes = true;
    this.#notedTo = 0;
  }

  #note(chunks: readonly Uint8Array[], position: number): void {
    let bytes = 0;
    for (const chunk of chunks) bytes += chunk.length;
    this.#notedTo = Math.max(this.#notedTo, position + bytes);
    this.#notedBytes += bytes;
    if (this.#notedBytes > NOTED_BYTES_MAX) this.#isBeyondNotes = true;
    if (this.#isBeyondNotes) this.#notes = [];
    // Its owner goes on using the memory.
    else this.#notes.push({ kind: 'bytes', path: this.name, position, chunks: [Buffer.concat(chunks)] });
  }

  #forgetNotes(): void {
    this.#notes = [];
    this.#notedBytes = 0;
  }
}
