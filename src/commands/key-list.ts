import type { ReplyWriter } from '../resp/reply-writer.ts';

/** Below this a loop is faster than a view and a copy of it. */
const SHORT = 32;

/** Copies of keys, one behind the other in one buffer: the keydir's bytes are only lent for the visit. */
export class KeyList {
  #bytes = Buffer.allocUnsafe(4096);
  #ends = new Float64Array(64);
  count = 0;
  #used = 0;

  add(bytes: Uint8Array, start: number, end: number): void {
    const used = this.#used + end - start;
    if (used > this.#bytes.length) this.#growBytes(used);
    if (this.count === this.#ends.length) this.#growEnds();
    if (end - start <= SHORT)
      for (let at = start, to = this.#used; at < end; at += 1, to += 1) this.#bytes[to] = bytes[at] as number;
    else this.#bytes.set(bytes.subarray(start, end), this.#used);
    this.#used = used;
    this.#ends[this.count] = used;
    this.count += 1;
  }

  /** Writes the keys as an array reply. */
  write(reply: ReplyWriter): void {
    reply.array(this.count);
    let start = 0;
    for (let index = 0; index < this.count; index += 1) {
      const end = this.#ends[index] as number;
      reply.bulk(this.#bytes, start, end);
      start = end;
    }
  }

  #growBytes(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#used);
    this.#bytes = grown;
  }

  #growEnds(): void {
    const grown = new Float64Array(this.#ends.length * 2);
    grown.set(this.#ends);
    this.#ends = grown;
  }
}
