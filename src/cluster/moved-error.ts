import { CaskadeError } from '../model/errors.ts';
import type { HostPort } from '../model/host-port.ts';
import type { Slot } from '../model/numbers.ts';

/** Who leads a slot instead, worded as Redis Cluster does: an IPv6 address stands without brackets. */
export class MovedError extends CaskadeError {
  constructor(slot: Slot, { host, port }: HostPort) {
    super('notLeader', `${slot} ${host}:${port}`);
    this.name = 'MovedError';
  }
}
