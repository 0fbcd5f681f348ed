import { endOfReply, headerOfArray, isError } from '../../resp/reply-span.ts';

/**
 * The reply of a SCAN of one partition, as a client of them all is to see it: `cursor` where the partition is done.
 */
export function goOnAt(reply: Uint8Array, cursor: number): Uint8Array {
  const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  if (cursor === 0 || isError(bytes)) return bytes;
  const header = headerOfArray(bytes);
  if (header === null) return bytes;
  const end = endOfReply(bytes, header.first);
  if (bytes.toString('latin1', header.first, end) !== DONE) return bytes;
  const text = String(cursor);
  const next = Buffer.from(`$${text.length}\r\n${text}\r\n`);
  return Buffer.concat([bytes.subarray(0, header.first), next, bytes.subarray(end)]);
}

const DONE = '$1\r\n0\r\n';
