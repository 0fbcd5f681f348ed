import { type ServiceError, status } from '@grpc/grpc-js';
import { CaskadeError, type ErrorCode } from '../model/errors.ts';
import { errorOf } from '../rpc/grpc-errors.ts';
import { InDoubtError } from '../rpc/kv-errors.ts';

/** What may be over soon, or is so at this server only. All of them were refused: nothing was done. */
const RETRIED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'connectionFailed',
  'notEnoughReplicas',
  'noLeader',
  'notLeader',
  'tryAgain',
  'shuttingDown',
  'overloaded',
  'coordinatorUnavailable',
]);

export function mayBeSentAgain(error: CaskadeError): boolean {
  return RETRIED.has(error.code);
}

/**
 * What a failed call means. A status that the store did not give comes from the way there: for a write that may or may
 * not have been carried out that is in doubt, a read may be sent again.
 */
export function errorOfCall(error: ServiceError, address: string, isWrite: boolean): CaskadeError {
  const known = errorOf(error);
  if (known !== null) return known;
  if (error.code === status.UNIMPLEMENTED)
    return new CaskadeError(
      'usage',
      `${address} does not offer caskade.v1.KeyValue: is it the rpc port of a node?`,
    );
  // Bounds of gRPC on both sides; the same status is given for other reasons, which prove nothing.
  if (error.code === status.RESOURCE_EXHAUSTED && /larger than/.test(error.details))
    return new CaskadeError('limitExceeded', `the message is too large for ${address}: ${error.details}`);
  const text = `no answer from ${address}: ${error.details}`;
  if (isWrite)
    return new InDoubtError(null, `${text}; whether the write was carried out is not known`, {
      cause: error,
    });
  return new CaskadeError('connectionFailed', text, { cause: error });
}
