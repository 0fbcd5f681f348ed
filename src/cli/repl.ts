import { createInterface, type Interface } from 'node:readline';
import { ExitCode } from '../model/exit-codes.ts';
import type { Reply } from '../resp/reply.ts';
import { splitArguments } from '../resp/split-arguments.ts';
import { formatAddress } from './address.ts';
import { type CliClient, connectClient } from './cli-client.ts';
import { type CliIo, type TerminalWritable, write } from './cli-io.ts';
import type { CliOptions } from './cli-options.ts';
import { type CommandDoc, parseCommandDocs } from './command-docs.ts';
import { hintFor } from './command-hints.ts';
import { INVALID_ARGUMENTS, parseRepeat } from './command-line.ts';
import { completeLine } from './completion.ts';
import { helpText } from './help-text.ts';
import { HintLine } from './hint-line.ts';
import { HISTORY_LINES_MAX, HistoryFile, historyPath, holdsSecret } from './history.ts';
import { asCaskadeError, isShutdown } from './outcome.ts';
import { chooseForm, type OutputForm, renderReply } from './render-reply.ts';

const CLEAR_SCREEN = '\x1b[H\x1b[2J';
/** A command that took longer is shown with its time, as in redis-cli. */
const SLOW_MS = 500;

/** The prompt on a terminal. Throws CaskadeError `connectionFailed` when there is no server at the start. */
export async function runRepl(options: CliOptions, io: CliIo): Promise<ExitCode> {
  const client = await connectClient(options, io);
  return new Repl(options, io, client).run();
}

class Repl {
  readonly #options: CliOptions;
  readonly #io: CliIo;
  readonly #form: OutputForm;
  readonly #history: HistoryFile;
  readonly #screen: TerminalWritable;
  readonly #queue: string[] = [];
  #client: CliClient;
  #docs: readonly CommandDoc[] = [];
  #line: Interface | undefined;
  #hints: HintLine | undefined;
  #busy = false;
  #leaving = false;
  #cancelled = false;
  #left: () => void = () => {};
  #failed: (error: unknown) => void = () => {};

  constructor(options: CliOptions, io: CliIo, client: CliClient) {
    this.#options = options;
    this.#io = io;
    this.#client = client;
    this.#form = chooseForm({ ...options, terminal: io.stdout.isTTY === true });
    this.#history = new HistoryFile(historyPath(io.environment, io.homeDirectory));
    // With the output in a pipe, the prompt still belongs on the terminal.
    this.#screen = io.stdout.isTTY === true ? io.stdout : io.stderr;
    this.#adopt(client);
  }

  async run(): Promise<ExitCode> {
    const done = new Promise<void>((resolve, reject) => {
      this.#left = resolve;
      this.#failed = reject;
    });
    const stopListening = this.#io.onInterrupt(() => this.#interrupt());
    this.#line = this.#openLine();
    this.#hints = new HintLine(this.#line, this.#io.stdin, this.#screen, (line) => this.#hint(line));
    this.#prompt();
    try {
      await done;
    } finally {
      stopListening();
      this.#leaving = true;
      this.#line.close();
      this.#client.close();
    }
    if (this.#history.failure !== undefined)
      await write(this.#io.stderr, `caskade: ${this.#history.failure}\n`);
    return ExitCode.ok;
  }

  #openLine(): Interface {
    const line = createInterface({
      input: this.#io.stdin,
      output: this.#screen,
      terminal: true,
      history: [...this.#history.lines],
      historySize: HISTORY_LINES_MAX,
      completer: (text: string) => completeLine(text, this.#docs),
    });
    line.on('history', (lines) => {
      if (holdsSecret(lines[0] ?? '')) lines.shift();
    });
    line.on('line', (text) => this.#enqueue(text));
    line.on('SIGINT', () => this.#interrupt());
    line.on('close', () => this.#leave());
    return line;
  }

  /** Takes a new connection into use and asks it, in the background, what its commands are. */
  #adopt(client: CliClient): void {
    this.#client = client;
    client.onClose = () => {
      if (client === this.#client && !this.#busy && !this.#leaving) this.#prompt(true);
    };
    client.onPush = (push) => this.#screen.write(renderReply(this.#form, [], push));
    client.request(['COMMAND', 'DOCS']).then(
      (reply) => {
        this.#docs = parseCommandDocs(reply);
      },
      // The connection has ended: the prompt says so already.
      () => {},
    );
  }

  #hint(line: string): string {
    const words = splitArguments(Buffer.from(line))?.map((word) => word.toString());
    if (words === undefined || words.length === 0) return '';
    const hint = hintFor(words, this.#docs);
    return hint === '' || /\s$/.test(line) ? hint : ` ${hint}`;
  }

  #prompt(keepCursor = false): void {
    if (this.#line === undefined || this.#leaving) return;
    this.#line.setPrompt(this.#client.open ? `${formatAddress(this.#client.address)}> ` : 'not connected> ');
    this.#line.prompt(keepCursor);
  }

  /** Ctrl-C: gives up the command that runs, or the line that is being typed. */
  #interrupt(): void {
    if (this.#busy) {
      this.#cancelled = true;
      this.#queue.length = 0;
      this.#client.close();
      return;
    }
    this.#line?.write(null, { ctrl: true, name: 'e' });
    this.#line?.write(null, { ctrl: true, name: 'u' });
  }

  #enqueue(text: string): void {
    this.#history.add(text);
    this.#queue.push(text);
    if (!this.#busy) this.#work().catch(this.#failed);
  }

  /** Lines run one after the other, however fast they were typed or pasted. */
  async #work(): Promise<void> {
    this.#busy = true;
    for (let text = this.#queue.shift(); text !== undefined; text = this.#queue.shift()) {
      if ((await this.#runLine(text)) === 'leave') {
        this.#queue.length = 0;
        this.#line?.close();
        this.#leave();
      }
    }
    this.#busy = false;
    if (this.#leaving) this.#left();
    else this.#prompt();
  }

  #leave(): void {
    if (!this.#leaving) {
      this.#leaving = true;
      this.#hints?.stop();
      // Ctrl-D leaves the cursor behind the prompt.
      if (!this.#busy) this.#screen.write('\n');
    }
    if (!this.#busy) this.#left();
  }

  async #runLine(text: string): Promise<'next' | 'leave'> {
    const words = splitArguments(Buffer.from(text));
    if (words === null) {
      await this.#print(`${INVALID_ARGUMENTS}\n`);
      return 'next';
    }
    const { times, command } = parseRepeat(words);
    const [name = '', ...rest] = command.map((word) => word.toString());
    switch (name.toLowerCase()) {
      case '':
        return 'next';
      case 'exit':
      case 'quit':
        return 'leave';
      case 'clear':
        await write(this.#screen, CLEAR_SCREEN);
        return 'next';
      case 'help':
      case '?':
        await this.#print(helpText(rest, this.#docs));
        return 'next';
    }
    this.#cancelled = false;
    for (let turn = 0; turn < times && !this.#cancelled; turn += 1) {
      if (!(await this.#execute(command))) break;
    }
    return 'next';
  }

  /** Answers false when there is no use in running the command again. */
  async #execute(command: readonly Buffer[]): Promise<boolean> {
    const words = command.map((word) => word.toString());
    try {
      if (!this.#client.open) await this.#reconnect();
      const startedMs = performance.now();
      const reply = await this.#client.request(command);
      await this.#show(words, reply, performance.now() - startedMs);
      return true;
    } catch (cause) {
      const error = asCaskadeError(cause);
      if (isShutdown(words) && error.code === 'inDoubt' && !this.#cancelled) return false;
      await this.#print(`${this.#cancelled ? 'interrupted; ' : ''}${error.message}\n`);
      return false;
    }
  }

  async #reconnect(): Promise<void> {
    this.#adopt(await connectClient(this.#options, this.#io));
  }

  async #show(words: readonly string[], reply: Reply, tookMs: number): Promise<void> {
    await this.#print(renderReply(this.#form, words, reply));
    if (tookMs >= SLOW_MS && this.#form !== 'raw' && this.#form !== 'json') {
      await this.#print(`(${(tookMs / 1000).toFixed(2)}s)\n`);
    }
  }

  #print(data: string | Uint8Array): Promise<void> {
    return write(this.#io.stdout, data);
  }
}
