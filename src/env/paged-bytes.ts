/**
 * The bytes of one file in memory, in pages, so that growing copies nothing. A page never written is a hole and
 * costs nothing. Invariant: bytes of a page beyond the length are zero, so growing again shows zeros.
 */
export class PagedBytes {
  readonly #pageBytes: number;
  #pages: (Uint8Array | undefined)[] = [];
  #length = 0;

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Returns the bytes read; fewer than asked only at the end. */
  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.#length);
    let at = position;
    while (at < end) {
      const inPage = at % this.#pageBytes;
      const count = Math.min(this.#pageBytes - inPage, end - at);
      const page = this.#pages[(at - inPage) / this.#pageBytes];
      const to = at - position;
      if (page === undefined) target.fill(0, to, to + count);
      else target.set(page.subarray(inPage, inPage + count), to);
      at += count;
    }
    return Math.max(0, end - position);
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    let done = 0;
    while (done < bytes.length) {
      const at = position + done;
      const inPage = at % this.#pageBytes;
      const count = Math.min(this.#pageBytes - inPage, bytes.length - done);
      this.#pageForWrite((at - inPage) / this.#pageBytes).set(bytes.subarray(done, done + count), inPage);
      done += count;
    }
    this.#length = Math.max(this.#length, position + bytes.length);
  }

  /** Cuts, or grows by a hole. */
  truncate(length: number): void {
    if (length < this.#length) {
      const inPage = length % this.#pageBytes;
      const pageCount = Math.ceil(length / this.#pageBytes);
      if (this.#pages.length > pageCount) this.#pages.length = pageCount;
      if (inPage !== 0) this.#pages[pageCount - 1]?.fill(0, inPage);
    }
    this.#length = length;
  }

  clone(): PagedBytes {
    const copy = new PagedBytes(this.#pageBytes);
    copy.#length = this.#length;
    copy.#pages = this.#pages.map((page) => page?.slice());
    return copy;
  }

  #pageForWrite(index: number): Uint8Array {
    const existing = this.#pages[index];
    if (existing !== undefined) return existing;
    const page = new Uint8Array(this.#pageBytes);
    this.#pages[index] = page;
    return page;
  }
}
