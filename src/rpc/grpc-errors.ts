import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { CaskadeError, ERROR_TABLE, type ErrorCode } from '../model/errors.ts';
import { InDoubtError, type LeaderHint, NotLeaderError, type RecordVersion } from './kv-errors.ts';

/**
 * Errors over gRPC, both ways, for services that clients speak. A status says what a client that knows nothing of Caskade
 * should do: UNAVAILABLE and RESOURCE_EXHAUSTED may be tried again, UNKNOWN no library tries again by itself. What exactly
 * went wrong stands in trailing metadata.
 */
const STATUSES: Readonly<Record<ErrorCode, status>> = {
  invalidArgument: status.INVALID_ARGUMENT,
  limitExceeded: status.INVALID_ARGUMENT,
  usage: status.INVALID_ARGUMENT,
  configurationInvalid: status.FAILED_PRECONDITION,
  portTaken: status.FAILED_PRECONDITION,
  connectionFailed: status.UNAVAILABLE,
  notEnoughReplicas: status.UNAVAILABLE,
  noLeader: status.UNAVAILABLE,
  notLeader: status.UNAVAILABLE,
  tryAgain: status.UNAVAILABLE,
  inDoubt: status.UNKNOWN,
  crossPartition: status.INVALID_ARGUMENT,
  shuttingDown: status.UNAVAILABLE,
  overloaded: status.UNAVAILABLE,
  diskFull: status.RESOURCE_EXHAUSTED,
  diskUnwritable: status.INTERNAL,
  diskIo: status.INTERNAL,
  syncFailed: status.INTERNAL,
  partitionFenced: status.FAILED_PRECONDITION,
  corruptSegment: status.DATA_LOSS,
  corruptMetadata: status.DATA_LOSS,
  corruptHint: status.DATA_LOSS,
  wrongEngine: status.FAILED_PRECONDITION,
  futureFormat: status.FAILED_PRECONDITION,
  directoryLocked: status.UNAVAILABLE,
  tornTailRefused: status.FAILED_PRECONDITION,
  foreignDirectory: status.FAILED_PRECONDITION,
  notFound: status.NOT_FOUND,
  coordinatorUnavailable: status.UNAVAILABLE,
};

const CODES_BY_NUMBER = new Map(
  Object.entries(ERROR_TABLE).map(([code, { number }]) => [number, code as ErrorCode] as const),
);

const ERROR_KEY = 'caskade-error';
const VERSION_KEY = 'caskade-version';
const LEADER_KEY = 'caskade-leader';

export interface ErrorStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** What a service answers in place of a reply. */
export function statusOf(error: CaskadeError): ErrorStatus {
  const metadata = new Metadata();
  metadata.set(ERROR_KEY, `${error.row.number} ${error.code}`);
  if (error instanceof InDoubtError && error.version !== null) {
    const { partition, leaderEpoch, offset } = error.version;
    metadata.set(VERSION_KEY, `${partition} ${leaderEpoch} ${offset}`);
  }
  if (error instanceof NotLeaderError) {
    const { node, leaderEpoch, address } = error.leader;
    metadata.set(LEADER_KEY, `${node} ${leaderEpoch} ${address}`);
  }
  return { code: STATUSES[error.code], details: error.message, metadata };
}

/** The error that a store has answered with; null: the status comes from the way there, or names an error that is not known here. */
export function errorOf({
  metadata,
  details,
}: Pick<ServiceError, 'metadata' | 'details'>): CaskadeError | null {
  const code = CODES_BY_NUMBER.get(Number.parseInt(wordsOf(metadata, ERROR_KEY)[0] ?? '', 10));
  if (code === undefined) return null;
  if (code === 'inDoubt') return inDoubtOf(metadata, details);
  const leader = code === 'notLeader' ? leaderOf(metadata) : null;
  return leader === null ? new CaskadeError(code, details) : new NotLeaderError(leader, details);
}

function inDoubtOf(metadata: Metadata, details: string): InDoubtError {
  const [partition, leaderEpoch, offset] = wordsOf(metadata, VERSION_KEY).map(Number);
  const isWhole = [partition, leaderEpoch, offset].every(Number.isSafeInteger);
  const version = isWhole ? ({ partition, leaderEpoch, offset } as RecordVersion) : null;
  return new InDoubtError(version, details.replace(/^(?:-?\d+ ){3}/, ''));
}

function leaderOf(metadata: Metadata): LeaderHint | null {
  const [node, leaderEpoch, address = ''] = wordsOf(metadata, LEADER_KEY);
  if (!/^.+:\d{1,5}$/.test(address)) return null;
  return { node: Number(node), leaderEpoch: Number(leaderEpoch), address };
}

function wordsOf(metadata: Metadata, key: string): readonly string[] {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value.split(' ') : [];
}
