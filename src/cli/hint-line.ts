import type { Interface } from 'node:readline';
import type { TerminalReadable, TerminalWritable } from './cli-io.ts';

const ERASE_TO_END = '\x1b[0K';

/**
 * Shows a dim hint behind the cursor while a line is edited. The hint is erased before readline handles the next
 * key, so that readline never meets text it did not write.
 */
export class HintLine {
  readonly #line: Interface;
  readonly #input: TerminalReadable;
  readonly #output: TerminalWritable;
  readonly #hintOf: (line: string) => string;
  #shown = false;
  #scheduled = false;
  #stopped = false;

  /** Made after the interface, whose key listener must stand between the two of this class. */
  constructor(
    line: Interface,
    input: TerminalReadable,
    output: TerminalWritable,
    hintOf: (line: string) => string,
  ) {
    this.#line = line;
    this.#input = input;
    this.#output = output;
    this.#hintOf = hintOf;
    input.prependListener('keypress', this.#erase);
    input.on('keypress', this.#schedule);
  }

  stop(): void {
    this.#erase();
    this.#stopped = true;
    this.#input.off('keypress', this.#erase);
    this.#input.off('keypress', this.#schedule);
  }

  readonly #erase = (): void => {
    if (this.#shown) this.#output.write(ERASE_TO_END);
    this.#shown = false;
  };

  /** Once a turn: a pasted text is hinted at its end only. */
  readonly #schedule = (): void => {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#show();
    });
  };

  #show(): void {
    const { line, cursor } = this.#line;
    if (line === '' || cursor !== line.length || this.#shown) return;
    const room = (this.#output.columns ?? 80) - this.#line.getCursorPos().cols - 1;
    const hint = this.#hintOf(line).slice(0, Math.max(0, room));
    if (hint === '') return;
    this.#output.write(`\x1b[2m${hint}\x1b[0m\x1b[${hint.length}D`);
    this.#shown = true;
  }
}
