import { CaskadeError, type ErrorCode } from '../model/errors.ts';

/** An error that carries an errno name, as `node:fs` throws it and as the in-memory file systems imitate it. */
export class PosixError extends Error {
  override readonly name = 'PosixError';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

interface Explanation {
  readonly code: ErrorCode;
  readonly text: string;
}

const explain = (code: ErrorCode, text: string): Explanation => ({ code, text });

const EXPLANATIONS: ReadonlyMap<string, Explanation> = new Map([
  ['ENOSPC', explain('diskFull', 'no space left on the device; free some space there')],
  ['EDQUOT', explain('diskFull', 'the disk quota is used up; free some space or raise the quota')],
  ['EFBIG', explain('diskFull', 'the file would exceed the largest size allowed; raise the file size limit')],
  ['EROFS', explain('diskUnwritable', 'the file system is read-only; mount it for writing')],
  [
    'EACCES',
    explain('diskUnwritable', 'permission denied; let the user of this process read and write there'),
  ],
  [
    'EPERM',
    explain('diskUnwritable', 'operation not permitted; let the user of this process read and write there'),
  ],
  ['EBADF', explain('diskUnwritable', 'the file is not open for that; open it for writing')],
  ['EEXIST', explain('diskUnwritable', 'it exists already; move it away first')],
  ['ENOTEMPTY', explain('diskUnwritable', 'the directory is not empty; remove what it holds first')],
  ['ENOTDIR', explain('diskUnwritable', 'a part of the path is no directory; move that file away')],
  ['EISDIR', explain('diskUnwritable', 'it is a directory; a file is needed')],
  ['ENOENT', explain('notFound', 'no such file or directory; check the path')],
  ['EIO', explain('diskIo', 'the device reported an input/output error; check the disk')],
  ['EMFILE', explain('diskIo', 'too many open files in this process; raise its limit (ulimit -n)')],
  ['ENFILE', explain('diskIo', 'too many open files on this machine; raise its limit (fs.file-max)')],
]);

const SYNC_ADVICE = 'what was written since the last sync may be lost; check the disk, then restart';

export function errnoName(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

/**
 * The `CaskadeError` of a failed disk operation: the errno decides the code (what is not known is `diskIo`),
 * the message names operation, path, reason and what to do.
 */
export function diskError(operation: string, path: string, cause: unknown): CaskadeError {
  if (cause instanceof CaskadeError) return cause;
  const errno = errnoName(cause);
  const known = errno === undefined ? undefined : EXPLANATIONS.get(errno);
  const code = known?.code ?? 'diskIo';
  const text = known?.text ?? `${cause instanceof Error ? cause.message : String(cause)}; check the disk`;
  return new CaskadeError(code, `cannot ${operation} ${path}: ${errno ?? 'error'}, ${text}`, { cause });
}

/** A failed fsync, whatever its errno: the kernel may have dropped the dirty pages, so a second try proves nothing. */
export function syncError(path: string, cause: unknown): CaskadeError {
  const errno = errnoName(cause) ?? 'error';
  return new CaskadeError('syncFailed', `cannot sync ${path}: ${errno}, ${SYNC_ADVICE}`, { cause });
}

/** What every later write or sync on a handle is told whose sync failed once. */
export function poisonedError(operation: string, path: string, cause: CaskadeError): CaskadeError {
  return new CaskadeError(
    'syncFailed',
    `cannot ${operation} ${path}: an earlier sync of it failed, ${SYNC_ADVICE}`,
    { cause },
  );
}
