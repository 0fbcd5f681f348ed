/**
 * A decoded reply, RESP2 or RESP3. Bulk strings stay bytes; an integer is a `bigint` only where a double could not
 * hold it exactly, so that `${value}` prints it right either way.
 */
export type Reply =
  | { readonly kind: 'simple'; readonly text: string }
  /** `-text`, or RESP3's bulk error; `text` begins with the prefix, as in 'ERR syntax error'. */
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number | bigint }
  | { readonly kind: 'bulk'; readonly bytes: Buffer }
  /** Null bulk of RESP2, null of RESP3. */
  | { readonly kind: 'nil' }
  /** Null array of RESP2. */
  | { readonly kind: 'nilArray' }
  | { readonly kind: 'array'; readonly items: readonly Reply[] }
  | { readonly kind: 'set'; readonly items: readonly Reply[] }
  /** Out of band: belongs to no request. */
  | { readonly kind: 'push'; readonly items: readonly Reply[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Reply, Reply])[] }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** `text` is the number as it was sent. */
  | { readonly kind: 'double'; readonly value: number; readonly text: string }
  | { readonly kind: 'bigNumber'; readonly text: string }
  /** `format` is three letters, as 'txt'. */
  | { readonly kind: 'verbatim'; readonly format: string; readonly bytes: Buffer }
  /** RESP3's attribute: entries sent ahead of the reply they speak of. */
  | {
      readonly kind: 'attribute';
      readonly entries: readonly (readonly [Reply, Reply])[];
      readonly reply: Reply;
    };
