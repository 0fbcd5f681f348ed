import { CaskadeError } from '../model/errors.ts';
import { ExitCode } from '../model/exit-codes.ts';
import { type CliIo, isReaderGone } from './cli-io.ts';

/** Turns what ends a client into one clear line and its exit code. */
export async function guarded(io: CliIo, run: () => Promise<number>): Promise<number> {
  // Writers learn of a broken pipe from the write itself; without a listener it would end the process.
  const ignore = (): void => {};
  io.stdout.on('error', ignore);
  try {
    return await run();
  } catch (error) {
    if (isReaderGone(error)) return ExitCode.ok;
    if (!(error instanceof CaskadeError)) throw error;
    io.stderr.write(`caskade: ${error.message}\n`);
    return error.row.exitCode;
  } finally {
    io.stdout.off('error', ignore);
  }
}
