import { invariant } from '../../model/errors.ts';
import type { Operation, ReadNode } from '../coordinator.ts';
import { absolutePath } from './chroot.ts';
import type { EncodedOperation, NodeContent, SessionIdentity } from './zookeeper-client.ts';

/** Below the packet limit of a server with its default of jute.maxbuffer (0xfffff), headers included. */
const MULTI_BYTES_MAX = 1_000_000;
/** What a part takes besides its path and its data, at most: header, lengths, ACL, version. */
const PART_BYTES = 128;

/** The bytes that are sent, once and for all: whatever the caller does to its data later. */
export function encodeOperations(chroot: string, operations: readonly Operation[]): EncodedOperation[] {
  const encoded = operations.map((operation) => encodeOperation(chroot, operation));
  let size = 0;
  for (const part of encoded)
    size += PART_BYTES + part.path.length + ('bytes' in part ? part.bytes.length : 0);
  invariant(size <= MULTI_BYTES_MAX, `a multi of ${size} bytes: ZooKeeper takes ${MULTI_BYTES_MAX}`);
  return encoded;
}

function encodeOperation(chroot: string, operation: Operation): EncodedOperation {
  const path = absolutePath(chroot, operation.path);
  switch (operation.kind) {
    case 'create': {
      const { ephemeral, data } = operation;
      return { kind: 'create', path, bytes: encodeData(data), ephemeral, isOurs: true };
    }
    case 'set':
      return { kind: 'set', path, bytes: encodeData(operation.data), version: operation.version };
    default:
      return { kind: operation.kind, path, version: operation.version };
  }
}

const encodeData = (data: unknown): Buffer => Buffer.from(JSON.stringify(data) ?? 'null', 'utf8');

/** `data` is null where there is none and where it is not JSON: no document of ours, and refused by whoever decodes it. */
export function decodeNodeContent({ bytes, stat }: NodeContent, session: SessionIdentity | null): ReadNode {
  const { version, ephemeralOwner } = stat;
  const isMine = session !== null && Buffer.compare(ephemeralOwner, session.sessionId) === 0;
  return { data: decodeData(bytes), version, isMine };
}

function decodeData(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return null;
  }
}
