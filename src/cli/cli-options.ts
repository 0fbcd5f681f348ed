import { InvalidArgumentError } from 'commander';
import { CaskadeError } from '../model/errors.ts';
import type { ExitCode } from '../model/exit-codes.ts';
import { type Address, parseAddress } from './address.ts';
import type { CliIo } from './cli-io.ts';
import { type AckMode, ackModeOf, type ClientConfig, readClientConfig } from './client-config.ts';
import { ServerFinder } from './server-finder.ts';
import { parseUsage, quietCommand } from './usage.ts';

export interface CliOptions {
  readonly server: ServerFinder;
  /** Null: the Redis protocol. Else gRPC, and what a write waits for. */
  readonly grpc: { readonly acks: AckMode } | null;
  /** The command to run once; empty for a REPL or lines from standard input. */
  readonly words: readonly string[];
  readonly redis: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Ask for RESP3. */
  readonly resp3: boolean;
  /** With commands from a pipe: an error reply makes the exit code 1. */
  readonly exitOnError: boolean;
}

const EXAMPLES = `
Commands of our own, run once:
  set KEY VALUE        prints OK
  get KEY              prints the value, or 'Key not found' (exit 0)
  rm KEY               deletes the key; 'Key not found' on stderr and exit 1 when there is none
Any other command is sent to the server as it stands. Without a command: a prompt on a terminal (type 'help'),
else one command a line from standard input.

With --grpc there are get, set, del, expire, ttl (and their like in milliseconds), and --ack says what a write waits for:
  all (-1)     every in-sync replica; nothing that was answered is lost
  leader (1)   the disk of the leader; lost if it fails before another replica has it
  none (0)     nothing; lost if the leader fails
Its server is the rpc port of a node (default: a cluster on 127.0.0.1:7101 and up).

Output: on a terminal in words ('record not found'), --redis as redis-cli prints it; in a pipe redis-cli's raw form.

Exit codes: 0 ok; 1 the server answered with an error, or no connection; 2 usage; 3 configuration;
  7 in doubt (the write may or may not have been carried out); 130 interrupted.

Examples:
  caskade cli set greeting 'hello there'
  caskade cli --addr 127.0.0.1:7001 --json mget greeting other
`;

/** Of --addr. */
export const SERVER_HELP = 'the server (default: 127.0.0.1:6379, or else a cluster on 127.0.0.1:7001 and up)';

export function addressOption(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/**
 * --addr wins over the file; in it, zk.servers over addr. Notices of the configuration file go to stderr.
 * Throws CaskadeError `configurationInvalid`.
 */
export function chooseServer(options: { addr?: Address; config?: string }, io: CliIo): ServerFinder {
  const config = configOf(options);
  if (config.notice !== undefined) io.stderr.write(`caskade: ${config.notice}\n`);
  return finderOf(options.addr, config, io);
}

function configOf({ config }: { config?: string }): ClientConfig {
  return config === undefined ? {} : readClientConfig(config);
}

function finderOf(addr: Address | undefined, config: ClientConfig, io: CliIo): ServerFinder {
  const address = addr ?? (config.zooKeeper === undefined ? config.address : undefined);
  if (address !== undefined) return new ServerFinder({ kind: 'address', address }, io);
  if (config.zooKeeper === undefined) return new ServerFinder({ kind: 'here' }, io);
  return new ServerFinder({ kind: 'zooKeeper', place: config.zooKeeper }, io);
}

/** --ack wins over the file. */
function throughGrpc(flags: Flags, io: CliIo): Pick<CliOptions, 'server' | 'grpc'> {
  const config = configOf(flags);
  return { server: finderOf(flags.addr, config, io), grpc: { acks: flags.ack ?? config.acks ?? 'all' } };
}

/** Reads argv after the word `cli`; an exit code when nothing is left to do. */
export function parseCliOptions(argv: readonly string[], io: CliIo): CliOptions | ExitCode {
  const parsed = parseUsage(cliCommand(io), argv);
  if (typeof parsed === 'number') return parsed;
  const flags = parsed.opts<Flags>();
  if (flags.ack !== undefined && flags.grpc !== true) throw new CaskadeError('usage', ACK_NEEDS_GRPC);
  return {
    ...(flags.grpc === true ? throughGrpc(flags, io) : { server: chooseServer(flags, io), grpc: null }),
    words: parsed.args,
    redis: flags.redis === true,
    json: flags.json === true,
    quiet: flags.quiet === true,
    resp3: flags['3'] === true || flags.json === true,
    exitOnError: flags.exitOnError === true,
  };
}

const ACK_NEEDS_GRPC =
  '--ack needs --grpc: over the Redis protocol every write waits for every in-sync replica';

function ackOption(text: string): AckMode {
  const acks = ackModeOf(text);
  if (acks === null) throw new InvalidArgumentError('expected all, leader or none (or -1, 1, 0)');
  return acks;
}

interface Flags {
  readonly addr?: Address;
  readonly config?: string;
  readonly grpc?: boolean;
  readonly ack?: AckMode;
  readonly redis?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly '3'?: boolean;
  readonly exitOnError?: boolean;
}

function cliCommand(io: CliIo) {
  return quietCommand('caskade cli', io)
    .usage('[options] [command [arguments...]]')
    .description('Talk to a Caskade server: one command, or a prompt.')
    .argument('[command...]', 'a command and its arguments; options stand before it')
    .option('--addr <host:port>', SERVER_HELP, addressOption)
    .option('--config <file>', 'client configuration, as conf/client/cli.yaml; --addr wins over it')
    .option('--grpc', 'speak gRPC with the node that leads each key, instead of the Redis protocol')
    .option('--ack <mode>', 'with --grpc, what a write waits for: all, leader, none (or -1, 1, 0)', ackOption)
    .option('--redis', "redis-cli's output throughout")
    .option('--json', 'one line of JSON a reply (over RESP3)')
    .option('-3', 'speak RESP3 where the server does')
    .option('-q, --quiet', "do not print the OK of 'set'")
    .option('-e, --exit-on-error', 'commands from a pipe: exit 1 when any of them was answered with an error')
    .passThroughOptions()
    .addHelpText('after', EXAMPLES);
}
