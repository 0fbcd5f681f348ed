import { createConnection, type Socket } from 'node:net';
import { CaskadeError } from '../model/errors.ts';
import { type Address, formatAddress } from './address.ts';

export const CONNECT_TIMEOUT_MS = 5_000;

/** Connects, or throws CaskadeError `connectionFailed` that names the address and what to do. */
export function openConnection(address: Address, timeoutMs = CONNECT_TIMEOUT_MS): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: address.host, port: address.port, noDelay: true });
    const fail = (reason: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new CaskadeError('connectionFailed', connectFailure(address, reason), { cause }));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    socket.once('error', (error: NodeJS.ErrnoException) => fail(reasonOf(error), error));
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function connectFailure(address: Address, reason: string): string {
  return (
    `could not connect to Caskade at ${formatAddress(address)}: ${reason}; ` +
    "start one with 'make standalone' or 'make cluster', or name another with --addr HOST:PORT"
  );
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'connection refused';
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'the host name is not known';
  // Node tries every address of a name: the message of their sum is empty.
  return error.message || error.code || 'no address of the host answered';
}
