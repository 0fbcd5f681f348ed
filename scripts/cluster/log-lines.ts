import type { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Of the terminal, one for each node in turn: cyan, yellow, green, magenta, blue. Red is for what went wrong. */
const COLOURS: readonly number[] = [36, 33, 32, 35, 34];
const BOLD = 1;

export interface ColourChoice {
  readonly isTTY?: boolean | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Only on a terminal, and not where NO_COLOR is set (https://no-color.org: to anything but nothing). */
export function isColoured({ isTTY, environment }: ColourChoice): boolean {
  return isTTY === true && (environment.NO_COLOR ?? '') === '';
}

/** What stands before each line of speaker number `index`; `null`: the launcher itself. */
export function prefixOf(name: string, index: number | null, coloured: boolean): string {
  const text = `${name} | `;
  if (!coloured) return text;
  const colour = index === null ? BOLD : COLOURS[index % COLOURS.length];
  return `\x1b[${colour}m${text}\x1b[0m`;
}

/** Puts a prefix before every line that a process prints. A line is handed on when it is whole, or at the end. */
export class LogLines {
  readonly #prefix: string;
  readonly #target: Pick<Writable, 'write'>;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(prefix: string, target: Pick<Writable, 'write'>, onLine: (line: string) => void = () => {}) {
    this.#prefix = prefix;
    this.#target = target;
    this.#onLine = onLine;
  }

  /** Lines of one chunk go out in one write: those of several nodes never mix within a line. */
  take(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#print(lines);
  }

  /** What was begun and not ended. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (rest !== '') this.#print([rest]);
  }

  #print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#target.write(lines.map((line) => `${this.#prefix}${line}\n`).join(''));
    for (const line of lines) this.#onLine(line);
  }
}
