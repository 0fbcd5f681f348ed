import { CaskadeError } from '../model/errors.ts';
import { ExitCode } from '../model/exit-codes.ts';
import { type CliIo, isReaderGone } from './cli-io.ts';

/** Turns what ends a client into one clear line and its exit code. */
export async function guarded(io: CliIo, run: () => Promise<number>): Promise<number> {
  // A writer learns of a broken pipe from the write itself. The listener stays: the event comes a turn later, and
  // without one it would end the process with a stack trace.
  io.stdout.on('error', () => {});
  try {
    return await run();
  } catch (error) {
    if (isReaderGone(error)) return ExitCode.ok;
    if (!(error instanceof CaskadeError)) throw error;
    io.stderr.write(`caskade: ${error.message}\n`);
    return error.row.exitCode;
  }
}
