import type { ReplyWriter, RespVersion } from '../../src/resp/reply-writer.ts';

/** Replies as RESP text, in Latin-1 so that every byte is one character. */
export class RecordingReply implements ReplyWriter {
  version: RespVersion = 2;
  text = '';

  get position(): number {
    return this.text.length;
  }

  rewind(position: number): void {
    this.text = this.text.slice(0, position);
  }

  /** What was written since the last call. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  ok(): void {
    this.simple('OK');
  }

  simple(text: string): void {
    this.#line(`+${text}`);
  }

  error(text: string): void {
    this.#line(`-${text.replace(/[\r\n]/g, ' ')}`);
  }

  integer(value: number): void {
    if (!Number.isSafeInteger(value)) throw new Error(`not a safe integer: ${value}`);
    this.#line(`:${value}`);
  }

  integerText(text: string): void {
    this.#line(`:${text}`);
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    this.#bulk(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
  }

  bulkText(text: string): void {
    this.#bulk(Buffer.from(text).toString('latin1'));
  }

  nil(): void {
    this.#line(this.version === 3 ? '_' : '$-1');
  }

  nilArray(): void {
    this.#line(this.version === 3 ? '_' : '*-1');
  }

  array(count: number): void {
    this.#line(`*${count}`);
  }

  map(count: number): void {
    this.#line(this.version === 3 ? `%${count}` : `*${count * 2}`);
  }

  set(count: number): void {
    this.#line(this.version === 3 ? `~${count}` : `*${count}`);
  }

  push(count: number): void {
    this.#line(this.version === 3 ? `>${count}` : `*${count}`);
  }

  boolean(value: boolean): void {
    if (this.version === 3) this.#line(value ? '#t' : '#f');
    else this.integer(value ? 1 : 0);
  }

  double(value: number): void {
    if (this.version === 3) this.#line(`,${value}`);
    else this.bulkText(String(value));
  }

  verbatim(format: string, text: string): void {
    if (this.version === 3) this.#line(`=${Buffer.byteLength(text) + 4}\r\n${format}:${text}`);
    else this.bulkText(text);
  }

  bigNumber(text: string): void {
    if (this.version === 3) this.#line(`(${text}`);
    else this.bulkText(text);
  }

  #bulk(latin1: string): void {
    this.#line(`$${latin1.length}\r\n${latin1}`);
  }

  #line(text: string): void {
    this.text += `${text}\r\n`;
  }
}
