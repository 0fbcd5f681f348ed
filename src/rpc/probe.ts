import { connect } from 'node:net';
import type { Clock } from '../env/clock.ts';
import { parseAddress } from './address.ts';

/** A machine that is silent says nothing about its process. */
const PROBE_MS_MAX = 1_000;

/**
 * What a TCP connection to an address meets: somebody accepts it, the machine refuses it because no process listens, or
 * nothing can be said (R7).
 */
export type ProbeResult = 'accepted' | 'refused' | 'unknown';

export interface Probe {
  /** The answer does not come any more. */
  cancel(): void;
}

export function probe(address: string, clock: Clock, answer: (result: ProbeResult) => void): Probe {
  const at = parseAddress(address);
  // Nobody is there, and yet nobody has refused anything.
  if (at.port === 0) {
    const waiting = clock.setTimer(0, () => answer('unknown'));
    return { cancel: () => waiting.cancel() };
  }
  const socket = connect(at);
  const timer = clock.setTimer(PROBE_MS_MAX, () => finish('unknown'));
  let isOver = false;
  const cancel = (): void => {
    isOver = true;
    timer.cancel();
    socket.destroy();
  };
  const finish = (result: ProbeResult): void => {
    if (isOver) return;
    cancel();
    answer(result);
  };
  socket.on('connect', () => finish('accepted'));
  socket.on('error', (error) => finish(isRefusal(error) ? 'refused' : 'unknown'));
  return { cancel };
}

/** Of a name with several addresses: by each of them. */
function isRefusal(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isRefusal);
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}
