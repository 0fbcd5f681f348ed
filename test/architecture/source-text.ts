/**
 * A TypeScript source with what is not code blanked out, character by character, so that positions and line
 * numbers hold. A scanner of our own, because the checks must see every form of import there is and must not be
 * fooled by a comment or a string that only talks about one.
 */
export class SourceText {
  /** Comments blanked, strings kept. */
  readonly withoutComments: string;
  /** Comments, strings and regular expressions blanked; the expressions inside template strings are kept. */
  readonly codeOnly: string;

  constructor(source: string) {
    const scanner = new Scanner(source);
    scanner.run();
    this.withoutComments = scanner.withoutComments.join('');
    this.codeOnly = scanner.codeOnly.join('');
  }

  lineAt(position: number): number {
    return this.withoutComments.slice(0, position).split('\n').length;
  }
}

/** After these a slash begins a regular expression; after anything else it divides. */
const BEFORE_EXPRESSION =
  /(?:^|[([{,;:=!&|?+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|await|yield))$/;

class Scanner {
  readonly #source: string;
  readonly withoutComments: string[];
  readonly codeOnly: string[];
  #position = 0;

  constructor(source: string) {
    this.#source = source;
    this.withoutComments = source.split('');
    this.codeOnly = [...this.withoutComments];
  }

  run(): void {
    while (this.#position < this.#source.length) this.#code(false);
  }

  /** Code up to the end, or up to the brace that closes a template's expression. */
  #code(insideTemplate: boolean): void {
    let depth = 0;
    while (this.#position < this.#source.length) {
      const character = this.#source.charAt(this.#position);
      if (insideTemplate && character === '}' && depth === 0) return;
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      if (!this.#nonCode(character)) this.#position += 1;
    }
  }

  /** Consumes a comment, a string or a regular expression if one begins here. */
  #nonCode(character: string): boolean {
    if (character === '"' || character === "'") return this.#quoted(character);
    if (character === '`') return this.#template();
    if (character !== '/') return false;
    const next = this.#source.charAt(this.#position + 1);
    if (next === '/') return this.#comment(this.#source.indexOf('\n', this.#position));
    if (next === '*') return this.#comment(this.#source.indexOf('*/', this.#position + 2) + 2);
    return this.#regularExpression();
  }

  #comment(end: number): boolean {
    const stop = end < this.#position + 2 ? this.#source.length : end;
    this.#blank(this.withoutComments, this.#position, stop);
    this.#blank(this.codeOnly, this.#position, stop);
    this.#position = stop;
    return true;
  }

  #quoted(quote: string): boolean {
    const start = this.#position;
    this.#position += 1;
    while (this.#position < this.#source.length && this.#source.charAt(this.#position) !== quote) {
      this.#position += this.#source.charAt(this.#position) === '\\' ? 2 : 1;
    }
    this.#position += 1;
    this.#blank(this.codeOnly, start, this.#position);
    return true;
  }

  #template(): boolean {
    let start = this.#position;
    this.#position += 1;
    while (this.#position < this.#source.length && this.#source.charAt(this.#position) !== '`') {
      if (this.#source.startsWith('${', this.#position)) {
        this.#position += 2;
        this.#blank(this.codeOnly, start, this.#position);
        this.#code(true);
        start = this.#position;
      }
      this.#position += this.#source.charAt(this.#position) === '\\' ? 2 : 1;
    }
    this.#position += 1;
    this.#blank(this.codeOnly, start, this.#position);
    return true;
  }

  #regularExpression(): boolean {
    const before = this.codeOnly
      .slice(Math.max(0, this.#position - 200), this.#position)
      .join('')
      .trimEnd();
    if (!BEFORE_EXPRESSION.test(before)) return false;
    const start = this.#position;
    let inClass = false;
    for (this.#position += 1; this.#position < this.#source.length; this.#position += 1) {
      const character = this.#source.charAt(this.#position);
      if (character === '\\') this.#position += 1;
      else if (character === '[') inClass = true;
      else if (character === ']') inClass = false;
      else if (character === '/' && !inClass) break;
    }
    this.#position += 1;
    this.#blank(this.codeOnly, start, this.#position);
    this.#blank(this.withoutComments, start, this.#position);
    return true;
  }

  #blank(target: string[], start: number, end: number): void {
    for (let index = start; index < Math.min(end, target.length); index += 1) {
      if (target[index] !== '\n') target[index] = ' ';
    }
  }
}
