import { CaskadeError } from '../model/errors.ts';

/** Why a server could not listen, in words that say what to change. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): CaskadeError {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new CaskadeError(
        'portTaken',
        `cannot listen on ${where}: another process has this port; choose another (resp.port) or stop that process`,
        { cause: error },
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return new CaskadeError(
        'usage',
        `cannot listen on ${where}: the host name '${host}' does not resolve; give an address of this machine (resp.host)`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
      return new CaskadeError(
        'usage',
        `cannot listen on ${where}: '${host}' is no address of this machine; choose one that is (resp.host)`,
        { cause: error },
      );
    case 'EACCES':
      return new CaskadeError(
        'usage',
        `cannot listen on ${where}: this user may not use port ${port}; choose one above 1023 (resp.port)`,
        { cause: error },
      );
    default:
      return new CaskadeError('connectionFailed', `cannot listen on ${where}: ${error.message}`, {
        cause: error,
      });
  }
}
