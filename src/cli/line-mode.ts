import { ExitCode } from '../model/exit-codes.ts';
import { splitArguments } from '../resp/split-arguments.ts';
import { type CliClient, connectClient } from './cli-client.ts';
import { type CliIo, write } from './cli-io.ts';
import type { CliOptions } from './cli-options.ts';
import { INVALID_ARGUMENTS, parseRepeat } from './command-line.ts';
import { asCaskadeError, exitCodeOfFailure, exitCodeOfReply, isShutdown } from './outcome.ts';
import { chooseForm, renderReply } from './render-reply.ts';

const LF = 0x0a;

/**
 * Commands from standard input, one a line, as redis-cli takes them from a pipe: an error reply is printed and the
 * next line follows. The exit code is 7 when any write is in doubt; an error reply counts only with --exit-on-error.
 */
export async function runLines(options: CliOptions, io: CliIo): Promise<ExitCode> {
  const client = await connectClient(options, io);
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
    client.close();
    io.stdin.destroy();
  });
  const runner = new LineRunner(options, io, client);
  try {
    for await (const line of linesOf(io.stdin)) {
      if ((await runner.run(line)) === 'leave') break;
    }
  } catch (error) {
    if (!interrupted) throw error;
  } finally {
    stopListening();
    client.close();
  }
  return interrupted ? ExitCode.interrupted : runner.exitCode;
}

class LineRunner {
  readonly #options: CliOptions;
  readonly #io: CliIo;
  readonly #client: CliClient;
  exitCode: ExitCode = ExitCode.ok;

  constructor(options: CliOptions, io: CliIo, client: CliClient) {
    this.#options = options;
    this.#io = io;
    this.#client = client;
  }

  async run(line: Buffer): Promise<'next' | 'leave'> {
    const words = splitArguments(line);
    if (words === null) {
      await write(this.#io.stdout, `${INVALID_ARGUMENTS}\n`);
      this.#note(ExitCode.failed);
      return 'next';
    }
    const { times, command } = parseRepeat(words);
    if (command.length === 0) return 'next';
    if (isLeaving(command)) return 'leave';
    for (let turn = 0; turn < times; turn += 1) {
      if ((await this.#execute(command)) === 'leave') return 'leave';
    }
    return 'next';
  }

  async #execute(command: readonly Buffer[]): Promise<'next' | 'leave'> {
    const words = command.map((word) => word.toString());
    try {
      const reply = await this.#client.request(command);
      const form = chooseForm({ ...this.#options, terminal: this.#io.stdout.isTTY === true });
      this.#note(exitCodeOfReply(reply));
      await write(this.#io.stdout, renderReply(form, words, reply));
      return 'next';
    } catch (cause) {
      const error = asCaskadeError(cause);
      if (isShutdown(words) && error.code === 'inDoubt') return 'leave';
      await write(this.#io.stderr, `caskade: ${error.message}\n`);
      this.exitCode = exitCodeOfFailure(words, error);
      return 'leave';
    }
  }

  #note(code: ExitCode): void {
    if (code === ExitCode.inDoubt) this.exitCode = code;
    else if (code !== ExitCode.ok && this.#options.exitOnError && this.exitCode === ExitCode.ok)
      this.exitCode = code;
  }
}

function isLeaving(command: readonly Buffer[]): boolean {
  const name = command[0]?.toString().toLowerCase();
  return command.length === 1 && (name === 'quit' || name === 'exit');
}

/** Lines as bytes, without their line feed. */
async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  for await (const data of stream) {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data;
    let at = 0;
    for (let end = chunk.indexOf(LF, at); end >= 0; end = chunk.indexOf(LF, at)) {
      yield Buffer.concat([...pieces, chunk.subarray(at, end)]);
      pieces = [];
      at = end + 1;
    }
    if (at < chunk.length) pieces.push(chunk.subarray(at));
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}
