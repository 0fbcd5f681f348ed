/**
 * What a connection sends again and again: units. A unit is `perUnit` commands over random keys and, with `wait` above 0,
 * one `WAIT wait 0` after them; it is answered when its last reply has come.
 */
export interface Workload {
  readonly command: 'SET' | 'GET';
  readonly perUnit: number;
  readonly wait: number;
  /** Units in flight on a connection. As soon as one is answered the next one is sent. */
  readonly window: number;
}

export const VALUE_BYTES = 64;
const KEY_DIGITS = 12;
/** `key:` and its digits. */
export const KEY_BYTES = 4 + KEY_DIGITS;
const DIGIT_ZERO = 0x30;

export function keyOf(index: number): string {
  return `key:${index.toString().padStart(KEY_DIGITS, '0')}`;
}

/** Encodes commands by copying a template and writing the key's digits into it: the client must cost little. */
export class RequestTemplate {
  readonly bytes: number;
  readonly #template: Buffer;
  readonly #digitsEnd: number;

  constructor(command: Workload['command']) {
    const key = `$${KEY_BYTES}\r\n${keyOf(0)}\r\n`;
    const value = `$${VALUE_BYTES}\r\n${'v'.repeat(VALUE_BYTES)}\r\n`;
    const head = `*${command === 'SET' ? 3 : 2}\r\n$3\r\n${command}\r\n`;
    this.#template = Buffer.from(`${head}${key}${command === 'SET' ? value : ''}`);
    this.bytes = this.#template.length;
    this.#digitsEnd = head.length + key.length - 2;
  }

  /** Writes one command over key number `index` at `at`; answers where it ends. */
  write(target: Buffer, at: number, index: number): number {
    this.#template.copy(target, at);
    let rest = index;
    for (let digit = at + this.#digitsEnd - 1; rest > 0; digit -= 1) {
      target[digit] = DIGIT_ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return at + this.bytes;
  }
}

export function waitRequest(replicas: number): Buffer {
  const count = String(replicas);
  return Buffer.from(`*3\r\n$4\r\nWAIT\r\n$${count.length}\r\n${count}\r\n$1\r\n0\r\n`);
}

/** xorshift: the same keys in every run, and cheap. */
export class KeyNumbers {
  readonly #keys: number;
  #state: number;

  constructor(keys: number, seed: number) {
    this.#keys = keys;
    this.#state = (seed * 0x9e3779b1) >>> 0 || 1;
  }

  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % this.#keys;
  }
}
