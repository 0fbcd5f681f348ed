import { asMonotonicMillis } from '../../model/numbers.ts';
import type { LeaderHost } from '../node/leader-role.ts';
import type { VersionCheck } from '../node/ports.ts';

/**
 * The node around a leader that is alone: nobody to talk to, nobody whose promise is waited for, and nobody else who
 * could be elected.
 */
export const LONE_HOST: LeaderHost & VersionCheck = {
  send: () => {},
  propose: () => {},
  adopt: () => {},
  suspectSelf: () => {},
  mayActFromMs: () => asMonotonicMillis(Number.NEGATIVE_INFINITY),
  nextStampSequence: () => 0,
  requestStamps: () => {},
  leaseSetChanged: () => {},
  mayExpire: () => true,
  trouble: () => {},
  handedOver: () => {},
  confirm: () => Promise.resolve('confirmed'),
};
