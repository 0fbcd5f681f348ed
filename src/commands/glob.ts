const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BACKSLASH = 0x5c;
const DASH = 0x2d;

/**
 * Matches bytes against a glob pattern as Redis does: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before a byte to mean itself.
 * A class that is never closed ends with the pattern; a range may stand in either order.
 *
 * After a mismatch only the last star takes one byte more: whatever an earlier star could swallow, the last one can as
 * well. So a match costs at most pattern bytes times text bytes, where plain recursion is exponential in the stars.
 */
export class Glob {
  readonly #pattern: Uint8Array;
  readonly #ignoreCase: boolean;
  /** Where the pattern goes on after the element that `#matchesOne` looked at. */
  #next = 0;

  constructor(pattern: Uint8Array, ignoreCase = false) {
    this.#pattern = pattern;
    this.#ignoreCase = ignoreCase;
  }

  /** True if the pattern matches every key, the empty one included. */
  get matchesAll(): boolean {
    return this.#pattern.length === 1 && this.#pattern[0] === STAR;
  }

  matches(text: Uint8Array, start: number, end: number): boolean {
    const pattern = this.#pattern;
    // Redis looks at the pattern only while there is text: of an empty text not even stars match.
    if (start === end) return pattern.length === 0;
    let at = 0;
    let from = start;
    let starAt = -1;
    let starFrom = start;
    while (from < end) {
      if (at < pattern.length && pattern[at] === STAR) {
        at += 1;
        starAt = at;
        starFrom = from;
      } else if (at < pattern.length && this.#matchesOne(at, text[from] as number)) {
        at = this.#next;
        from += 1;
      } else if (starAt >= 0) {
        at = starAt;
        starFrom += 1;
        from = starFrom;
      } else {
        return false;
      }
    }
    while (at < pattern.length && pattern[at] === STAR) at += 1;
    return at === pattern.length;
  }

  #matchesOne(at: number, byte: number): boolean {
    const pattern = this.#pattern;
    const element = pattern[at] as number;
    if (element === QUESTION) {
      this.#next = at + 1;
      return true;
    }
    if (element === OPEN) return this.#matchesClass(at + 1, byte);
    const isEscape = element === BACKSLASH && at + 1 < pattern.length;
    const literal = isEscape ? (pattern[at + 1] as number) : element;
    this.#next = isEscape ? at + 2 : at + 1;
    return this.#fold(literal) === this.#fold(byte);
  }

  /** `at`: behind the opening bracket. */
  #matchesClass(at: number, byte: number): boolean {
    const pattern = this.#pattern;
    const { length } = pattern;
    const negated = pattern[at] === CARET;
    let index = negated ? at + 1 : at;
    let matched = false;
    while (index < length && pattern[index] !== CLOSE) {
      if (pattern[index] === BACKSLASH && index + 1 < length) {
        // Redis compares an escaped byte of a class with its case, even where it ignores case.
        if (pattern[index + 1] === byte) matched = true;
        index += 2;
      } else if (pattern[index + 1] === DASH && index + 2 < length) {
        if (this.#inRange(pattern[index] as number, pattern[index + 2] as number, byte)) matched = true;
        index += 3;
      } else {
        if (this.#fold(pattern[index] as number) === this.#fold(byte)) matched = true;
        index += 1;
      }
    }
    this.#next = Math.min(index + 1, length);
    return matched !== negated;
  }

  #inRange(from: number, to: number, byte: number): boolean {
    const low = this.#fold(Math.min(from, to));
    const high = this.#fold(Math.max(from, to));
    const folded = this.#fold(byte);
    return folded >= low && folded <= high;
  }

  #fold(byte: number): number {
    return this.#ignoreCase && byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
  }
}
