import { type DirectoryLock, lockDirectory } from '../../src/env/directory-lock.ts';
import { CaskadeError } from '../../src/model/errors.ts';

/** A process of its own that takes and releases directory locks as it is told over the channel to its parent. */
export interface LockRequest {
  readonly action: 'lock' | 'release' | 'block';
  readonly directory: string;
}

export interface LockAnswer {
  readonly pid: number;
  readonly held: boolean;
  readonly code?: string;
  readonly message?: string;
}

const BLOCK_MS = 4_000;
let lock: DirectoryLock | undefined;

async function serve(request: LockRequest): Promise<LockAnswer> {
  if (request.action === 'release') {
    await lock?.release();
    lock = undefined;
    return { pid: process.pid, held: false };
  }
  try {
    lock = await lockDirectory(request.directory);
    return { pid: process.pid, held: true };
  } catch (error) {
    const code = error instanceof CaskadeError ? error.code : 'unknown';
    return { pid: process.pid, held: false, code, message: String(error) };
  }
}

/** Keeps the event loop busy, as a process does that loads a large directory. */
function block(): void {
  const end = performance.now() + BLOCK_MS;
  while (performance.now() < end);
}

process.on('message', (request: LockRequest) => {
  if (request.action === 'block') block();
  else void serve(request).then((answer) => process.send?.(answer));
});
