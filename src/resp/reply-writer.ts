/** RESP protocol version of a connection. */
export type RespVersion = 2 | 3;

/**
 * Where a handler writes its reply. Replies are encoded at once, in order, even when they must not leave yet:
 * the connection holds back the bytes from `position` on until what they rest on is committed.
 */
export interface ReplyWriter {
  version: RespVersion;
  /** Bytes written since the connection began. */
  readonly position: number;
  /** Takes back everything written from `position` on; nothing of it may have been sent. */
  rewind(position: number): void;

  ok(): void;
  /** `+text`. No CR or LF in it. */
  simple(text: string): void;
  /** `-text`; `text` begins with the prefix, as in 'ERR syntax error'. CR and LF become spaces. */
  error(text: string): void;
  /** A safe integer. */
  integer(value: number): void;
  /** An integer reply of up to 64 bits, given as its decimal text. */
  integerText(text: string): void;
  /** A bulk string of bytes. */
  bulk(bytes: Uint8Array, start: number, end: number): void;
  bulkText(text: string): void;
  /** Null bulk in RESP2, null in RESP3. */
  nil(): void;
  /** Null array in RESP2, null in RESP3. */
  nilArray(): void;
  /** Headers: the elements follow as further calls. */
  array(count: number): void;
  /** Flat array of 2 * `count` in RESP2. */
  map(count: number): void;
  /** Array in RESP2. */
  set(count: number): void;
  /** Push in RESP3, array in RESP2. */
  push(count: number): void;
  /** Integer 1 or 0 in RESP2. */
  boolean(value: boolean): void;
  /** Bulk string in RESP2. */
  double(value: number): void;
  /** Bulk string in RESP2; `format` is three letters, as 'txt'. */
  verbatim(format: string, text: string): void;
  bigNumber(text: string): void;
}
