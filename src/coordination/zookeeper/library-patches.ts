import { Exception, type Transaction } from 'node-zookeeper-client';
import { type ConnectionManager, partsOf } from './library-internals.ts';

/** What the library says of a failure; the codes of ZooKeeper's KeeperException. */
interface LibraryException extends Error {
  code: number;
}

type CreateException = (code: number, path?: string) => LibraryException;

const library = Exception as unknown as { create: CreateException };
const createKnown = library.create;

/**
 * W6, H8: the library throws in its socket handler at a code that it does not know (-118 session moved, -122 request
 * timeout, ...): the process would end, and the callback never be called. It asks this same object for every error.
 */
function createAny(code: number, path?: string): LibraryException {
  try {
    return createKnown(code, path);
  } catch {
    const exception = createKnown(Exception.SYSTEM_ERROR, path);
    exception.code = code;
    exception.message = `Exception: [${code}]`;
    return exception;
  }
}

/** Once for the process: the library is one module. */
export function acceptUnknownCodes(): void {
  library.create = createAny;
}

/** W6, H4: the library takes version 0 for "whatever it is": a compare-and-set would be none. For the part added last. */
export function fixVersion(transaction: Transaction, version: number): void {
  const part = partsOf(transaction).at(-1);
  if (part !== undefined) part.version = version;
}

/**
 * What the library must forget when a connection is gone: half a reply, which it would glue to the next connection's
 * first one (W2, H3); requests that never left, which would run late and before the authentication (W1, H6): they are
 * answered; and watches, which it would set again in one packet of any size (W3, H7): observers set theirs again.
 */
export function forgetConnection(manager: ConnectionManager): void {
  manager.pendingBuffer = null;
  const unsent = manager.packetQueue.queue;
  manager.packetQueue.queue = [];
  manager.watcherManager.dataWatchers = {};
  manager.watcherManager.childWatchers = {};
  manager.watcherManager.existenceWatchers = {};
  for (const packet of unsent) packet.callback(createAny(Exception.CONNECTION_LOSS));
}

/** A reply that does not parse costs the connection, not the process (H3: "out of buffer range"). */
export function guardReplies(manager: ConnectionManager, onBroken: (error: Error) => void): void {
  const original = manager.onSocketData;
  manager.onSocketData = (chunk) => {
    try {
      original.call(manager, chunk);
    } catch (error) {
      onBroken(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
