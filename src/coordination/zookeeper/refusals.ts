import type { EncodedOperation } from './zookeeper-client.ts';

/** KeeperException.Code: what a server may say of a request that says nothing about the node it was for. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [-1, 'SYSTEM_ERROR'],
  [-2, 'RUNTIME_INCONSISTENCY'],
  [-3, 'DATA_INCONSISTENCY'],
  [-5, 'MARSHALLING_ERROR'],
  [-6, 'UNIMPLEMENTED'],
  [-7, 'OPERATION_TIMEOUT'],
  [-8, 'BAD_ARGUMENTS'],
  [-100, 'API_ERROR'],
  [-102, 'NO_AUTH'],
  [-108, 'NO_CHILDREN_FOR_EPHEMERALS'],
  [-112, 'SESSION_EXPIRED'],
  [-114, 'INVALID_ACL'],
  [-115, 'AUTH_FAILED'],
  [-118, 'SESSION_MOVED'],
  [-119, 'NOT_READONLY'],
  [-120, 'EPHEMERAL_ON_LOCAL_SESSION'],
  [-122, 'REQUEST_TIMEOUT'],
  [-124, 'SESSION_CLOSED_REQUIRE_SASL_AUTH'],
  [-125, 'QUOTA_EXCEEDED'],
  [-127, 'THROTTLED_OP'],
]);

const NO_AUTH = -102;
const PATHS_MAX = 3;

/** For the log: what a server has refused, in words. */
export function refusalText(code: number, path: string): string {
  const text = `ZooKeeper refuses a request on ${path}: ${NAMES.get(code) ?? `code ${code}`}`;
  if (code !== NO_AUTH) return text;
  return `${text}. Rights are missing: zookeeper.auth must be that with which these nodes were created, or their ACL must allow it`;
}

/** For the log: what a multi is about. */
export function pathsOf(parts: readonly EncodedOperation[]): string {
  const paths = [...new Set(parts.map(({ path }) => path))];
  const more = paths.length > PATHS_MAX ? ` and ${paths.length - PATHS_MAX} more` : '';
  return paths.slice(0, PATHS_MAX).join(', ') + more;
}
