/** What a data reply brought, and how much was sent. */
export interface ArrivedBytes {
  readonly bytes: { readonly length: number };
  readonly byteCount: number;
}

/**
 * Whether a data reply brought all that was sent. Batches have checksums, but of those that are not there nothing can be
 * checked, and a reply may rightly move the next offset over a gap that a merge has left (C8): one that lost its last
 * batches on the way would look like that, and committed records would be missing for ever.
 */
export function arrivedWhole({ bytes, byteCount }: ArrivedBytes): boolean {
  return bytes.length === byteCount;
}
