import { CaskadeError, type ErrorCode } from '../model/errors.ts';

interface Reason {
  readonly code: ErrorCode;
  readonly text: (host: string, port: number) => string;
}

/** gRPC gives no code, but the system's name of the error is in its text. */
const REASONS: Readonly<Record<string, Reason>> = {
  EADDRINUSE: {
    code: 'portTaken',
    text: () => 'another process has this port; choose another (rpc.port) or stop that process',
  },
  EADDRNOTAVAIL: {
    code: 'usage',
    text: (host) => `'${host}' is no address of this machine; choose one that is (rpc.host)`,
  },
  EACCES: {
    code: 'usage',
    text: (_, port) => `this user may not use port ${port}; choose one above 1023 (rpc.port)`,
  },
  'Name resolution failed': {
    code: 'usage',
    text: (host) => `the host name '${host}' does not resolve; give an address of this machine (rpc.host)`,
  },
};

/** Why the gRPC server could not listen, in words that say what to change. */
export function rpcListenError(error: Error, host: string, port: number): CaskadeError {
  const where = `cannot listen on ${host}:${port}`;
  const name = Object.keys(REASONS).find((known) => error.message.includes(known));
  const reason = name === undefined ? undefined : REASONS[name];
  if (reason === undefined)
    return new CaskadeError('connectionFailed', `${where}: ${error.message}`, { cause: error });
  return new CaskadeError(reason.code, `${where}: ${reason.text(host, port)}`, { cause: error });
}
