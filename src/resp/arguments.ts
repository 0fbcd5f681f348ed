const NOTHING = Buffer.alloc(0);
/** Eight views of four bytes fit into the JavaScript heap: no memory of its own for an idle connection. */
const COUNT_AT_REST = 8;
const COUNT_KEPT_MAX = 256;

/**
 * One request's arguments as views into received bytes: `bytes[starts[i], ends[i])`. One object per
 * connection is reused, so nothing here outlives the command; whoever keeps bytes copies them.
 */
export class ArgumentViews {
  bytes: Buffer = NOTHING;
  count = 0;
  starts = new Int32Array(COUNT_AT_REST);
  ends = new Int32Array(COUNT_AT_REST);

  reset(bytes: Buffer): void {
    this.bytes = bytes;
    this.count = 0;
  }

  push(start: number, end: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count += 1;
  }

  /** Moves all views by `distance` bytes: they have been copied to another place. */
  shift(distance: number): void {
    for (let index = 0; index < this.count; index += 1) {
      this.starts[index] = this.start(index) + distance;
      this.ends[index] = this.end(index) + distance;
    }
  }

  /** Lets go of the bytes, and of the room that a very long command took: a connection at rest costs little. */
  release(): void {
    this.bytes = NOTHING;
    this.count = 0;
    if (this.starts.length <= COUNT_KEPT_MAX) return;
    this.starts = new Int32Array(COUNT_AT_REST);
    this.ends = new Int32Array(COUNT_AT_REST);
  }

  start(index: number): number {
    return this.starts[index] as number;
  }

  end(index: number): number {
    return this.ends[index] as number;
  }

  length(index: number): number {
    return (this.ends[index] as number) - (this.starts[index] as number);
  }

  /** The argument as text. Allocates: not for the paths of every GET and SET. */
  text(index: number): string {
    return this.bytes.toString('utf8', this.start(index), this.end(index));
  }

  /** A copy of the argument's bytes. */
  copy(index: number): Buffer {
    return Buffer.from(this.bytes.subarray(this.start(index), this.end(index)));
  }

  /** Compares, ignoring ASCII case, with `word`, which must be in upper case. */
  is(index: number, word: string): boolean {
    const start = this.start(index);
    if (this.length(index) !== word.length) return false;
    for (let at = 0; at < word.length; at += 1) {
      let byte = this.bytes[start + at] as number;
      if (byte >= 97 && byte <= 122) byte -= 32;
      if (byte !== word.charCodeAt(at)) return false;
    }
    return true;
  }

  #grow(): void {
    const starts = new Int32Array(this.starts.length * 2);
    const ends = new Int32Array(this.ends.length * 2);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }
}
