import { Command, CommanderError } from 'commander';
import { ExitCode } from '../model/exit-codes.ts';
import { VERSION } from '../model/version.ts';
import type { CliIo } from './cli-io.ts';

/** A command whose usage errors and help go to `io` and never end the process by themselves. */
export function quietCommand(name: string, io: CliIo): Command {
  return new Command(name)
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`(caskade ${name.split(' ').at(-1)} --help says more)`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
}

/** The parsed command, or the exit code when help, the version or a usage error was all there was to say. */
export function parseUsage(command: Command, argv: readonly string[]): Command | ExitCode {
  try {
    return command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  }
}
