/** The bytes are not RESP, or break one of its limits. Nothing after them can be made sense of. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}
