import { CaskadeError } from '../model/errors.ts';
import { ExitCode } from '../model/exit-codes.ts';
import type { Reply } from '../resp/reply.ts';

/** Commands that change nothing: after a lost connection there is no doubt about them, only a failure. */
const READS: ReadonlySet<string> = new Set(
  'get mget exists ttl pttl type strlen keys scan dbsize ping echo info command hello'.split(' '),
);

export const isInDoubt = (text: string): boolean => text.startsWith('INDOUBT');

/** The exit code that a reply stands for, by itself. */
export function exitCodeOfReply(reply: Reply): ExitCode {
  if (reply.kind === 'attribute') return exitCodeOfReply(reply.reply);
  if (reply.kind !== 'error') return ExitCode.ok;
  return isInDoubt(reply.text) ? ExitCode.inDoubt : ExitCode.failed;
}

/** The exit code of a request that got no reply, for whatever reason. */
export function exitCodeOfFailure(words: readonly string[], error: CaskadeError): ExitCode {
  const doubtful = error.code === 'inDoubt' && !READS.has(words[0]?.toLowerCase() ?? '');
  return doubtful ? ExitCode.inDoubt : ExitCode.failed;
}

/** SHUTDOWN that works is answered by the end of the connection. */
export function isShutdown(words: readonly string[]): boolean {
  return words[0]?.toLowerCase() === 'shutdown';
}

/** What went wrong with a request; anything but a CaskadeError is a defect and is thrown on. */
export function asCaskadeError(error: unknown): CaskadeError {
  if (error instanceof CaskadeError) return error;
  throw error;
}
