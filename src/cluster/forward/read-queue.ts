import type { ForwardItem } from './forward-item.ts';

/**
 * The reads of a lane that are not answered, in the order in which they came.
 *
 * They have rounds of their own: one is one sending of all of them, in order, to one leader in one epoch by one stream,
 * and only what is answered in the present one counts. So a connection sees no older state after a newer one: its reads
 * are answered by one leader, in order, or, if one of them has to go again, none behind it has been answered before it.
 */
export class ReadQueue {
  readonly #items = new Set<ForwardItem>();
  /** Those that are to be sent; some may be answered meanwhile. */
  #unsent: ForwardItem[] = [];
  #sentBytes = 0;
  #round = 1;

  get round(): number {
    return this.#round;
  }

  get isWaiting(): boolean {
    return this.#unsent.length > 0;
  }

  [Symbol.iterator](): Iterator<ForwardItem> {
    return this.#items.values();
  }

  add(item: ForwardItem): void {
    this.#items.add(item);
    this.#unsent.push(item);
  }

  /** It is answered. */
  remove(item: ForwardItem): void {
    this.#unsend(item);
    this.#items.delete(item);
  }

  /** What was sent counts no more. */
  beginRound(): void {
    this.#round += 1;
    for (const item of this.#items) this.#unsend(item);
    this.#unsent = [...this.#items];
  }

  /** As many as `bytesMax` has room for, one of any size. `send` false: it cannot be sent now. */
  sendUpTo(bytesMax: number, send: (item: ForwardItem) => boolean): void {
    let count = 0;
    for (const item of this.#unsent) {
      if (this.#items.has(item)) {
        const { length } = item.bytes;
        if (this.#sentBytes > 0 && this.#sentBytes + length > bytesMax) break;
        if (!send(item)) break;
        item.isSent = true;
        this.#sentBytes += length;
      }
      count += 1;
    }
    this.#unsent.splice(0, count);
  }

  clear(): void {
    this.#items.clear();
    this.#unsent = [];
  }

  #unsend(item: ForwardItem): void {
    if (!item.isSent) return;
    item.isSent = false;
    this.#sentBytes -= item.bytes.length;
  }
}
