import { CaskadeError } from '../../src/model/errors.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';

/** Runs a script of ours: what ends it becomes one line on stderr and the exit code of its kind. */
export async function runScript(name: string, run: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await run();
  } catch (error) {
    const isOurs = error instanceof CaskadeError;
    console.error(`${name}: ${isOurs ? error.message : ((error as Error).stack ?? String(error))}`);
    process.exitCode = isOurs ? error.row.exitCode : ExitCode.failed;
  }
}

/** A whole number from `min` to `max`. Throws CaskadeError `usage` that names the option. */
export function integerOption(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CaskadeError(
    'usage',
    `--${name} is '${text}': expected a whole number from ${min} to ${max} (--help says more)`,
  );
}

/** SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed): `first` at the first of them, `second` at the next. */
export function onStopSignals(first: () => void, second: () => void): void {
  let count = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      count += 1;
      if (count === 1) first();
      else second();
    });
  }
}
