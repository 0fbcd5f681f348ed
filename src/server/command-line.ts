import { Command, CommanderError } from 'commander';
import { parseAddress } from '../config/address.ts';
import { describeConfig } from '../config/describe.ts';
import { type ConfigFlag, type LoadedConfig, loadConfig } from '../config/load.ts';
import { CONFIG_ENTRIES } from '../config/table.ts';
import type { FileSystem } from '../env/file-system.ts';
import { NodeFileSystem } from '../env/node-file-system.ts';
import { CaskadeError } from '../model/errors.ts';
import { ExitCode } from '../model/exit-codes.ts';
import { LIMITS } from '../model/limits.ts';
import { VERSION } from '../model/version.ts';

/** What `caskade server` was asked to do. */
export interface ServerCommandLine {
  /** null where neither `--config` nor CASKADE_CONFIG names one. */
  readonly configFile: string | null;
  readonly flags: readonly ConfigFlag[];
  readonly checkConfig: boolean;
}

/** Where text goes; a test collects it. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Options {
  readonly config?: string;
  readonly addr?: string;
  readonly engine?: string;
  readonly checkConfig?: true;
  readonly acceptTornTail?: true;
}

const HELP_AFTER = `
Every configuration key is a flag too: --cluster.flush=interval, --resp.port 7000. Flags win over the environment
(CASKADE_RESP__PORT=7000), which wins over the file. docs/CONFIG.md lists all keys.
`;

/** Keys without a section; with one, the dot in its name tells a key from an option. */
const PLAIN_KEYS = CONFIG_ENTRIES.map(({ key }) => key.toLowerCase()).filter((key) => !key.includes('.'));

/** Takes the configuration keys out of the arguments; the rest is for the option parser. */
function splitConfigFlags(argv: readonly string[]): { flags: ConfigFlag[]; rest: string[] } {
  const flags: ConfigFlag[] = [];
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    const [, key = '', equals, inline = ''] = /^--([A-Za-z][\w.]*)(=)?(.*)$/s.exec(argument) ?? [];
    if (!key.includes('.') && !PLAIN_KEYS.includes(key.toLowerCase())) {
      rest.push(argument);
      continue;
    }
    const next = argv[index + 1];
    if (equals === undefined && (inline !== '' || next === undefined || next.startsWith('--'))) {
      throw new CaskadeError('usage', `--${key} needs a value: --${key}=VALUE (see caskade server --help)`);
    }
    if (equals === undefined) index += 1;
    flags.push({ flag: `--${key}`, key, value: equals === undefined ? (next ?? '') : inline });
  }
  return { flags, rest };
}

function optionParser(output: Output): Command {
  return new Command('caskade server')
    .description('Run one node in the foreground until SIGINT or SIGTERM.')
    .option('--config <file>', 'YAML configuration file (or the variable CASKADE_CONFIG)')
    .option('--addr <host:port>', 'address to listen on for clients; the same as resp.host and resp.port')
    .option('--engine <engine>', 'storage engine: bitcask or memory; the same as storage.engine')
    .option('--check-config', 'print every problem, or the effective configuration, and start nothing')
    .option('--accept-torn-tail', 'start although the last batch of a log is damaged, and give it up')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', HELP_AFTER)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text),
      // A bad option becomes a CaskadeError, printed where all errors are.
      outputError: () => undefined,
    });
}

function shorthandFlags(options: Options): ConfigFlag[] {
  const flags: ConfigFlag[] = [];
  const add = (flag: string, key: string, value: string): void => {
    flags.push({ flag, key, value });
  };
  if (options.addr !== undefined) {
    const address = parseAddress(options.addr);
    if (address === null) {
      throw new CaskadeError(
        'usage',
        `--addr ${options.addr}: not an address; write HOST:PORT or [IPv6]:PORT`,
      );
    }
    add('--addr', 'resp.host', address.host);
    add('--addr', 'resp.port', String(address.port));
  }
  if (options.engine !== undefined) add('--engine', 'storage.engine', options.engine);
  if (options.acceptTornTail === true) add('--accept-torn-tail', 'storage.acceptTornTail', 'true');
  return flags;
}

/**
 * Reads the arguments of `caskade server`; null where help or the version was asked for and printed.
 * @throws CaskadeError `usage`
 */
export function parseServerArguments(
  argv: readonly string[],
  environment: Environment,
  output: Output,
): ServerCommandLine | null {
  const { flags, rest } = splitConfigFlags(argv);
  const parser = optionParser(output);
  try {
    parser.parse(rest, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw new CaskadeError('usage', error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  }
  const options = parser.opts<Options>();
  return {
    configFile: options.config ?? environment.CASKADE_CONFIG ?? null,
    flags: [...shorthandFlags(options), ...flags],
    checkConfig: options.checkConfig === true,
  };
}

/** The text of the configuration file. @throws CaskadeError `configurationInvalid` naming the path */
async function readConfigFile(fileSystem: FileSystem, path: string): Promise<string> {
  try {
    const handle = await fileSystem.open(path, 'read');
    try {
      const size = await handle.size();
      if (size > LIMITS.configFileBytesMax) {
        throw new CaskadeError('limitExceeded', `${size} bytes; at most ${LIMITS.configFileBytesMax}`);
      }
      const bytes = new Uint8Array(size);
      const read = await handle.readAt(bytes, 0);
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, read));
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CaskadeError('configurationInvalid', `cannot read the configuration file ${path}: ${reason}`, {
      cause,
    });
  }
}

/** @throws ConfigError with every problem, CaskadeError where the file cannot be read */
export async function loadServerConfig(
  commandLine: ServerCommandLine,
  environment: Environment,
  fileSystem: FileSystem,
): Promise<LoadedConfig> {
  const path = commandLine.configFile;
  const file = path === null ? undefined : { path, text: await readConfigFile(fileSystem, path) };
  return loadConfig({ file, environment, flags: commandLine.flags });
}

function printConfig(loaded: LoadedConfig, output: Output): void {
  for (const warning of loaded.warnings) output.error(`caskade: warning: ${warning}\n`);
  output.out(`configuration ok\n${describeConfig(loaded.config, loaded.origins).join('\n')}\n`);
}

/** `caskade server`: resolves to the exit code when the server has stopped. */
export async function runServerCommand(
  argv: readonly string[],
  environment: Environment,
  output: Output,
): Promise<number> {
  const commandLine = parseServerArguments(argv, environment, output);
  if (commandLine === null) return ExitCode.ok;
  const loaded = await loadServerConfig(commandLine, environment, new NodeFileSystem());
  if (commandLine.checkConfig) {
    printConfig(loaded, output);
    return ExitCode.ok;
  }
  const { runServer } = await import('./run-server.ts');
  return await runServer(loaded.config, {
    configFile: commandLine.configFile ?? '',
    warnings: [...loaded.warnings],
  });
}
