import { type CliIo, processIo } from './cli-io.ts';
import { parseCliOptions } from './cli-options.ts';
import { guarded } from './guarded.ts';
import { runLines } from './line-mode.ts';
import { runOnce } from './one-shot.ts';
import { runRepl } from './repl.ts';

/** `caskade cli`: `argv` is what follows the word; answers the exit code. */
export async function runCli(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  return guarded(io, async () => {
    const options = parseCliOptions(argv, io);
    if (typeof options === 'number') return options;
    if (options.words.length > 0) return runOnce(options, io);
    return io.stdin.isTTY === true ? runRepl(options, io) : runLines(options, io);
  });
}
