import { createReadStream, fstatSync, openSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { CaskadeError } from '../model/errors.ts';
import { ExitCode } from '../model/exit-codes.ts';
import { type Address, formatAddress } from './address.ts';
import { type CliIo, processIo, write } from './cli-io.ts';
import { addressOption, chooseServer, SERVER_HELP } from './cli-options.ts';
import { openConnection } from './connection.ts';
import { guarded } from './guarded.ts';
import { LoadCounts } from './load-counts.ts';
import { type EncodedBatch, PairEncoder } from './load-pairs.ts';
import { LoadPipeline } from './load-pipeline.ts';
import { LoadProgress, perSecond } from './load-progress.ts';
import { RequestPasser } from './load-requests.ts';
import type { ServerFinder } from './server-finder.ts';
import { parseUsage, quietCommand } from './usage.ts';

const WINDOW_BYTES_DEFAULT = 4 * 1024 * 1024;
const WINDOW_BYTES_MIN = 1024;
const WINDOW_BYTES_MAX = 256 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const ASTERISK = 0x2a;

type InputFormat = 'auto' | 'resp' | 'pairs';

interface LoadOptions {
  readonly file: string;
  readonly server: ServerFinder;
  readonly format: InputFormat;
  readonly windowBytes: number;
}

/** Turns the input's bytes into commands to send. */
interface InputEncoder {
  encode(chunk: Buffer): EncodedBatch[];
  finish(): EncodedBatch[];
}

interface Input {
  readonly chunks: AsyncIterable<Buffer>;
  readonly totalBytes: number | undefined;
  close(): void;
}

const EXAMPLES = `
FILE holds RESP requests, as for 'redis-cli --pipe', or lines of key<TAB>value; '-' is standard input. Lines are
bytes: the first TAB parts key and value, a line feed ends the line, every other byte is kept.

Exit codes: 0 all loaded; 1 an error, a malformed line or a lost connection; 2 usage; 7 nothing failed, but some
  writes are in doubt; 130 interrupted.

Examples:
  caskade load pairs.tsv
  zcat dump.resp.gz | caskade load --addr 127.0.0.1:7001 -
`;

/** `caskade load`: `argv` is what follows the word; answers the exit code. */
export async function runLoad(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  return guarded(io, async () => {
    const options = parseLoadOptions(argv, io);
    return typeof options === 'number' ? options : load(options, io);
  });
}

function parseLoadOptions(argv: readonly string[], io: CliIo): LoadOptions | ExitCode {
  const command = quietCommand('caskade load', io)
    .description('Load a file of commands or of key<TAB>value lines, many in flight.')
    .argument('<file>', "the file, '-' for standard input")
    .option('--addr <host:port>', SERVER_HELP, addressOption)
    .option('--config <file>', 'client configuration, as conf/client/cli.yaml; --addr wins over it')
    .addOption(
      new Option('--format <format>', "what FILE holds; auto looks at its first byte, '*' is RESP")
        .choices(['auto', 'resp', 'pairs'])
        .default('auto'),
    )
    .option('--window <bytes>', 'bytes that may be unanswered at once', windowOption, WINDOW_BYTES_DEFAULT)
    .addHelpText('after', EXAMPLES);
  const parsed = parseUsage(command, argv);
  if (typeof parsed === 'number') return parsed;
  const flags = parsed.opts<{ addr?: Address; config?: string; format: InputFormat; window: number }>();
  const [file = ''] = parsed.args;
  return { file, server: chooseServer(flags, io), format: flags.format, windowBytes: flags.window };
}

function windowOption(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (value >= WINDOW_BYTES_MIN && value <= WINDOW_BYTES_MAX) return value;
  throw new InvalidArgumentError(
    `expected a number of bytes from ${WINDOW_BYTES_MIN} to ${WINDOW_BYTES_MAX}.`,
  );
}

async function load(options: LoadOptions, io: CliIo): Promise<ExitCode> {
  const input = openInput(options.file, io);
  const counts = new LoadCounts();
  try {
    const address = await options.server.find();
    const pipeline = new LoadPipeline(await openConnection(address), options.windowBytes, counts);
    const progress = new LoadProgress(io.stderr, counts, input.totalBytes);
    const end = await transfer(options, io, { input, counts, pipeline, progress });
    progress.stop();
    await write(io.stdout, summary(counts, progress.elapsedMs));
    await write(io.stderr, details(counts, end.failure, address));
    return end.interrupted ? ExitCode.interrupted : exitCodeOf(counts, end.failure);
  } finally {
    input.close();
  }
}

interface Transfer {
  readonly input: Input;
  readonly counts: LoadCounts;
  readonly pipeline: LoadPipeline;
  readonly progress: LoadProgress;
}

interface TransferEnd {
  readonly interrupted: boolean;
  readonly failure: CaskadeError | undefined;
}

async function transfer(options: LoadOptions, io: CliIo, parts: Transfer): Promise<TransferEnd> {
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
    parts.pipeline.abort();
    parts.input.close();
  });
  try {
    await sendAll(options.format, parts);
    return { interrupted, failure: undefined };
  } catch (error) {
    if (interrupted) return { interrupted, failure: undefined };
    if (!(error instanceof CaskadeError)) throw error;
    parts.pipeline.abort();
    return { interrupted, failure: error };
  } finally {
    stopListening();
  }
}

async function sendAll(format: InputFormat, { input, counts, pipeline, progress }: Transfer): Promise<void> {
  let encoder: InputEncoder | undefined;
  const sendBatches = async (batches: readonly EncodedBatch[]): Promise<void> => {
    for (const { bytes, commands } of batches) await pipeline.send(bytes, commands);
  };
  try {
    for await (const chunk of readable(input.chunks)) {
      if (chunk.length === 0) continue;
      encoder ??= encoderFor(format, chunk[0] as number, counts);
      await sendBatches(encoder.encode(chunk));
      progress.readBytes += chunk.length;
    }
    await sendBatches(encoder?.finish() ?? []);
  } catch (error) {
    // The input is at fault: what was sent before still gets its answers, so that the counts are true.
    if (error instanceof CaskadeError && error.code === 'invalidArgument') await pipeline.finish();
    throw error;
  }
  await pipeline.finish();
}

async function* readable(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (cause) {
    throw new CaskadeError('invalidArgument', `cannot read the input: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function encoderFor(format: InputFormat, firstByte: number, counts: LoadCounts): InputEncoder {
  const resp = format === 'resp' || (format === 'auto' && firstByte === ASTERISK);
  return resp ? new RequestPasser(counts) : new PairEncoder(counts);
}

/** Throws CaskadeError `invalidArgument` when the file cannot be read. */
function openInput(file: string, io: CliIo): Input {
  if (file === '-') {
    return { chunks: io.stdin, totalBytes: undefined, close: () => io.stdin.destroy() };
  }
  try {
    const descriptor = openSync(file, 'r');
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: undefined });
    const stream = createReadStream(file, { fd: descriptor, highWaterMark: READ_BYTES });
    return {
      chunks: stream,
      totalBytes: stat.isFile() ? stat.size : undefined,
      close: () => stream.destroy(),
    };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : message;
    throw new CaskadeError('invalidArgument', `cannot read ${file}: ${reason}`, { cause });
  }
}

function exitCodeOf(counts: LoadCounts, failure: CaskadeError | undefined): ExitCode {
  if (failure !== undefined || counts.errors > 0) return ExitCode.failed;
  return counts.inDoubt > 0 ? ExitCode.inDoubt : ExitCode.ok;
}

function summary(counts: LoadCounts, elapsedMs: number): string {
  return `loaded ${counts.loaded}, errors ${counts.errors}, ${perSecond(counts.loaded, elapsedMs)}/s\n`;
}

function details(counts: LoadCounts, failure: CaskadeError | undefined, address: Address): string {
  const lines: string[] = [];
  if (failure !== undefined) lines.push(`${formatAddress(address)}: ${failure.message}`);
  if (counts.unanswered > 0) lines.push(`sent and not answered, so in doubt: ${counts.unanswered}`);
  if (counts.inDoubt > 0) lines.push(`answered with INDOUBT, written or not: ${counts.inDoubt}`);
  if (counts.malformed > 0) lines.push(`malformed: ${counts.malformed}, the first of them:`);
  lines.push(...counts.malformedTexts.map((text) => `  ${text}`));
  if (counts.errorTexts.length > 0) lines.push('the first error replies:');
  lines.push(...counts.errorTexts.map((text) => `  ${text}`));
  return lines.map((line) => `${line}\n`).join('');
}
