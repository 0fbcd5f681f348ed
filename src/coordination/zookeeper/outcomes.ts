import { Exception } from 'node-zookeeper-client';
import type { Failure } from '../coordinator.ts';

/** Codes that the library does not name. */
export const SESSION_MOVED = -118;

/** What only the library says, of a connection that is gone; no server has answered. */
export const isConnectionLoss = (code: number): boolean => code === Exception.CONNECTION_LOSS;

/** The server says that the session is over. */
export const isExpiry = (code: number): boolean => code === Exception.SESSION_EXPIRED;

/** An answer that the caller can do something with. Everything else leaves open what happened (W4): `unknown`. */
export function failureOf(code: number): Failure {
  switch (code) {
    case Exception.NO_NODE:
      return 'noNode';
    case Exception.BAD_VERSION:
      return 'badVersion';
    case Exception.NODE_EXISTS:
      return 'nodeExists';
    case Exception.NOT_EMPTY:
      return 'notEmpty';
    case Exception.SESSION_EXPIRED:
      return 'sessionLost';
    default:
      return 'unknown';
  }
}
