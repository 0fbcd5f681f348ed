import { ExitCode } from '../model/exit-codes.ts';
import type { Reply } from '../resp/reply.ts';
import { connectClient } from './cli-client.ts';
import { type CliIo, write } from './cli-io.ts';
import type { CliOptions } from './cli-options.ts';
import { asCaskadeError, exitCodeOfFailure, exitCodeOfReply, isShutdown } from './outcome.ts';
import { chooseForm, type OutputForm, renderReply } from './render-reply.ts';

export const KEY_NOT_FOUND = 'Key not found';

/** Words that our own commands take, the command included: [least, most]. */
const WORD_COUNTS: ReadonlyMap<string, readonly [number, number, string]> = new Map([
  ['get', [2, 2, 'get KEY']],
  ['set', [3, Number.POSITIVE_INFINITY, 'set KEY VALUE [options of SET]']],
  ['rm', [2, 2, 'rm KEY']],
]);

/** What is wrong with the number of words, or undefined. */
export function usageError(words: readonly string[]): string | undefined {
  const [name = ''] = words;
  const counts = WORD_COUNTS.get(name);
  if (counts === undefined || (words.length >= counts[0] && words.length <= counts[1])) return undefined;
  return `'${name}' takes other arguments: caskade cli ${counts[2]}`;
}

/** Runs one command and answers the exit code. Throws CaskadeError `connectionFailed` when there is no server. */
export async function runOnce(options: CliOptions, io: CliIo): Promise<ExitCode> {
  const wrong = usageError(options.words);
  if (wrong !== undefined) {
    await write(io.stderr, `caskade: ${wrong}\n`);
    return ExitCode.usage;
  }
  const client = await connectClient(options, io);
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
    client.close();
  });
  try {
    return await printOutcome(options, io, await client.request(commandOf(options.words)));
  } catch (cause) {
    const error = asCaskadeError(cause);
    if (isShutdown(options.words) && error.code === 'inDoubt' && !interrupted) return ExitCode.ok;
    await write(io.stderr, `caskade: ${interrupted ? 'interrupted; ' : ''}${error.message}\n`);
    return interrupted ? ExitCode.interrupted : exitCodeOfFailure(options.words, error);
  } finally {
    stopListening();
    client.close();
  }
}

function commandOf(words: readonly string[]): readonly string[] {
  return words[0] === 'rm' ? ['DEL', ...words.slice(1)] : words;
}

async function printOutcome(options: CliOptions, io: CliIo, reply: Reply): Promise<ExitCode> {
  const form = chooseForm({ ...options, terminal: io.stdout.isTTY === true });
  const code = exitCodeOfReply(reply);
  if (reply.kind === 'error' && !options.redis && !options.json)
    await write(io.stderr, `(error) ${reply.text}\n`);
  else if (reply.kind === 'error') await write(io.stdout, renderReply(form, options.words, reply));
  else return (await printOwn(options, io, form, reply)) ?? (await print(options, io, form, reply));
  return code;
}

async function print(options: CliOptions, io: CliIo, form: OutputForm, reply: Reply): Promise<ExitCode> {
  await write(io.stdout, renderReply(form, options.words, reply));
  return ExitCode.ok;
}

/** The contract of `get`, `set` and `rm`; undefined when the reply is to be printed like any other. */
async function printOwn(
  options: CliOptions,
  io: CliIo,
  form: OutputForm,
  reply: Reply,
): Promise<ExitCode | undefined> {
  const name = options.words[0];
  const inForm = options.redis || options.json;
  if (name === 'rm' && reply.kind === 'integer') {
    if (inForm) await print(options, io, form, reply);
    if (Number(reply.value) > 0) return ExitCode.ok;
    await write(io.stderr, `${KEY_NOT_FOUND}\n`);
    return ExitCode.failed;
  }
  if (name === 'get' && reply.kind === 'nil' && !inForm) {
    await write(io.stdout, `${KEY_NOT_FOUND}\n`);
    return ExitCode.ok;
  }
  return name === 'set' && options.quiet && reply.kind === 'simple' ? ExitCode.ok : undefined;
}
