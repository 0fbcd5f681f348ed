import { Metadata, status } from '@grpc/grpc-js';
import { CaskadeError, ERROR_TABLE, type ErrorCode } from '../model/errors.ts';
import type { LeaderEpoch, NodeId, PartitionId } from '../model/numbers.ts';

/** Who leads, as far as whoever answers knows: where the same request may go next. */
export interface LeaderHint {
  readonly partition: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  readonly node: NodeId;
  /** `host:port` of its rpc listener; null: not known. */
  readonly address: string | null;
}

/** How a call ends that failed. */
export interface CallFailure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Trailing metadata of a failure: numbers and words of the error table, and the hint. */
export const TRAILER = {
  errorNumber: 'caskade-error-number',
  errorCode: 'caskade-error-code',
  retriable: 'caskade-retriable',
  partition: 'caskade-partition',
  leaderEpoch: 'caskade-leader-epoch',
  leaderNode: 'caskade-leader-node',
  leaderAddress: 'caskade-leader-address',
} as const;

/**
 * The one place that says which status of gRPC an error of ours is. UNAVAILABLE: the same again, soon or elsewhere.
 * ABORTED: nothing was done, begin anew. UNKNOWN: it may have been done.
 */
const STATUS_OF: Readonly<Record<ErrorCode, status>> = {
  invalidArgument: status.INVALID_ARGUMENT,
  limitExceeded: status.RESOURCE_EXHAUSTED,
  usage: status.INVALID_ARGUMENT,
  configurationInvalid: status.FAILED_PRECONDITION,
  portTaken: status.FAILED_PRECONDITION,
  connectionFailed: status.UNAVAILABLE,
  notEnoughReplicas: status.UNAVAILABLE,
  noLeader: status.UNAVAILABLE,
  notLeader: status.UNAVAILABLE,
  tryAgain: status.ABORTED,
  inDoubt: status.UNKNOWN,
  crossPartition: status.INVALID_ARGUMENT,
  shuttingDown: status.UNAVAILABLE,
  overloaded: status.RESOURCE_EXHAUSTED,
  diskFull: status.RESOURCE_EXHAUSTED,
  diskUnwritable: status.INTERNAL,
  diskIo: status.INTERNAL,
  syncFailed: status.INTERNAL,
  partitionFenced: status.INTERNAL,
  corruptSegment: status.DATA_LOSS,
  corruptMetadata: status.DATA_LOSS,
  corruptHint: status.DATA_LOSS,
  wrongEngine: status.FAILED_PRECONDITION,
  futureFormat: status.FAILED_PRECONDITION,
  directoryLocked: status.FAILED_PRECONDITION,
  tornTailRefused: status.DATA_LOSS,
  foreignDirectory: status.FAILED_PRECONDITION,
  notFound: status.NOT_FOUND,
  coordinatorUnavailable: status.UNAVAILABLE,
};

/** What is no error of ours is a bug: the client learns no more than that. */
export function callFailureOf(error: unknown, hint: LeaderHint | null = null): CallFailure {
  const metadata = new Metadata();
  if (hint !== null) putHint(metadata, hint);
  if (!(error instanceof CaskadeError)) return { code: status.INTERNAL, details: 'internal error', metadata };
  const { number, retriable } = ERROR_TABLE[error.code];
  metadata.set(TRAILER.errorNumber, String(number));
  metadata.set(TRAILER.errorCode, error.code);
  metadata.set(TRAILER.retriable, String(retriable));
  return { code: STATUS_OF[error.code], details: error.message, metadata };
}

function putHint(metadata: Metadata, { partition, leaderEpoch, node, address }: LeaderHint): void {
  metadata.set(TRAILER.partition, String(partition));
  metadata.set(TRAILER.leaderEpoch, String(leaderEpoch));
  metadata.set(TRAILER.leaderNode, String(node));
  if (address !== null) metadata.set(TRAILER.leaderAddress, address);
}
