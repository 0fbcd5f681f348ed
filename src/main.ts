import { nearestName } from './config/nearest.ts';
import { CaskadeError } from './model/errors.ts';
import { ExitCode } from './model/exit-codes.ts';
import { VERSION } from './model/version.ts';

interface SubCommand {
  readonly summary: string;
  /** Loads the sub-command's code only when it is asked for; resolves to the exit code. */
  readonly run: (argv: string[]) => Promise<number>;
}

const output = {
  out: (text: string): void => {
    process.stdout.write(text);
  },
  error: (text: string): void => {
    process.stderr.write(text);
  },
};

const SUB_COMMANDS: Readonly<Record<string, SubCommand>> = {
  server: {
    summary: 'run one node in the foreground',
    run: async (argv) => {
      const { runServerCommand } = await import('./server/command-line.ts');
      return await runServerCommand(argv, process.env, output);
    },
  },
  cli: {
    summary: 'talk to a node: interactively, or one command',
    run: async (argv) => {
      const { runCli } = await import('./cli/main.ts');
      return await runCli(argv);
    },
  },
  load: {
    summary: 'load a file of commands or of keys and values',
    run: async (argv) => {
      const { runLoad } = await import('./cli/load.ts');
      return await runLoad(argv);
    },
  },
};

const HELP = `Usage: caskade <command> [arguments]

A key-value store that speaks the Redis wire protocol and never loses an acknowledged write.

Commands:
${Object.entries(SUB_COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

  caskade <command> --help    arguments of a command
  caskade -V, --version       print the version

Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration, 4 port taken, 5 storage, 6 coordinator, 7 in doubt,
130 interrupted.
`;

async function run([name, ...rest]: string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    output.out(HELP);
    return ExitCode.ok;
  }
  if (name === '-V' || name === '--version') {
    output.out(`${VERSION}\n`);
    return ExitCode.ok;
  }
  const subCommand = Object.hasOwn(SUB_COMMANDS, name) ? SUB_COMMANDS[name] : undefined;
  if (subCommand !== undefined) return await subCommand.run(rest);
  const nearest = nearestName(name, Object.keys(SUB_COMMANDS));
  const hint = nearest === null ? 'caskade --help lists them' : `did you mean '${nearest}'?`;
  throw new CaskadeError('usage', `unknown command '${name}'; ${hint}`);
}

/** The whole of the program: runs the sub-command that `argv` names and sets the process's exit code. */
export async function main(argv: string[]): Promise<void> {
  try {
    process.exitCode = await run(argv);
  } catch (error) {
    if (error instanceof CaskadeError) {
      output.error(`caskade: ${error.message}\n`);
      process.exitCode = error.row.exitCode;
      return;
    }
    output.error(
      `caskade: internal error: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`,
    );
    process.exitCode = ExitCode.failed;
  }
}
