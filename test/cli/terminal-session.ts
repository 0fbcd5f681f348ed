import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./run-cli.js', import.meta.url));
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal control sequences are what is removed.
const CONTROL_SEQUENCES = /\x1b\[[0-9;?]*[A-Za-z]/g;
const DEADLINE_MS = 8_000;

/** The client on a pseudo-terminal of `script` (util-linux); what it shows is read as text. */
export class TerminalSession {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  readonly exitCode: Promise<number | null>;
  /** Everything shown so far, control sequences included. */
  raw = '';

  constructor(argv: readonly string[], environment: Record<string, string> = {}) {
    const command = [process.execPath, PROGRAM, ...argv].map((word) => `'${word}'`).join(' ');
    this.#child = spawn('script', ['-qfec', `stty cols 100 rows 30; exec ${command}`, '/dev/null'], {
      env: { ...process.env, CASKADE_HISTFILE: '', TERM: 'xterm', ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.raw += chunk.toString();
      for (const listener of this.#listeners) listener();
    });
    this.exitCode = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => resolve(code));
    });
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Resolves once what was shown after `from` characters matches; the answer is the length shown by then. */
  async shows(pattern: RegExp, from = 0): Promise<number> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!pattern.test(this.raw.slice(from))) {
      if (Date.now() > deadline) throw new Error(`not shown: ${pattern}; shown: ${JSON.stringify(this.raw)}`);
      await this.#moreOutput();
    }
    return this.raw.length;
  }

  /** Types a line and answers what was printed between it and the next prompt. */
  async ask(line: string, prompt: string): Promise<string> {
    const from = this.raw.length;
    this.type(`${line}\r`);
    const escaped = prompt.replace(/[.[\]]/g, '\\$&');
    await this.shows(new RegExp(`\\n[\\s\\S]*${escaped}(\\x1b\\[\\d+G)?$`), from);
    const lines = this.raw.slice(from).replace(CONTROL_SEQUENCES, '').split(/\r*\n/);
    return lines.slice(1, -1).join('\n');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #moreOutput(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, 200);
      this.#listeners.add(done);
    });
  }
}
