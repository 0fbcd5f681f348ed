import { expect } from 'chai';
import fc from 'fast-check';
import { Glob } from '../../src/commands/glob.ts';

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const bytes = Buffer.from(`<${text}>`, 'latin1');
  return new Glob(Buffer.from(pattern, 'latin1'), ignoreCase).matches(bytes, 1, bytes.length - 1);
}

describe('a glob pattern', () => {
  it('knows star, question mark, classes, ranges, negation and escapes', () => {
    const yes: [string, string][] = [
      ['*', 'abc'],
      ['h*llo', 'heeello'],
      ['h*llo', 'hllo'],
      ['h?llo', 'hello'],
      ['h[ae]llo', 'hallo'],
      ['h[^e]llo', 'hbllo'],
      ['h[a-c]llo', 'hbllo'],
      ['h[c-a]llo', 'hbllo'],
      ['\\*', '*'],
      ['a\\?', 'a?'],
      ['[\\]]', ']'],
      ['[a', 'a'],
      ['[^', 'x'],
      ['a\\', 'a\\'],
      ['a**b', 'ab'],
      ['*a*b*', 'xxaxxbxx'],
      ['', ''],
      ['abc*', 'abc'],
      ['[a-]x', '_'],
      ['[\\a-c]', '-'],
    ];
    const no: [string, string][] = [
      ['h?llo', 'hllo'],
      ['h[ae]llo', 'hillo'],
      ['h[^e]llo', 'hello'],
      ['\\*', 'a'],
      ['', 'a'],
      ['a', ''],
      ['**', ''],
      ['[]', 'a'],
      ['[', 'a'],
      ['*a', 'ab'],
      ['abc', 'ab'],
      ['ab', 'abc'],
      ['?', ''],
    ];
    for (const [pattern, text] of yes) expect(matches(pattern, text), `${pattern} on ${text}`).to.equal(true);
    for (const [pattern, text] of no) expect(matches(pattern, text), `${pattern} on ${text}`).to.equal(false);
  });

  it('can ignore ASCII case', () => {
    expect(matches('MaxMem*', 'maxmemory', true)).to.equal(true);
    expect(matches('[A-C]x', 'bX', true)).to.equal(true);
    expect(matches('MaxMem*', 'maxmemory')).to.equal(false);
  });

  it('matches what plain recursion matches', () => {
    const letters = fc.constantFrom('a', 'b', 'c', 'A', '*', '?', '[', ']', '^', '-', '\\');
    const patterns = fc.array(letters, { maxLength: 9 }).map((list) => list.join(''));
    const texts = fc.array(fc.constantFrom('a', 'b', 'c', 'A', '-', ']', '\\', '*'), { maxLength: 8 });
    fc.assert(
      fc.property(patterns, texts, fc.boolean(), (pattern, list, ignoreCase) => {
        const text = list.join('');
        expect(matches(pattern, text, ignoreCase)).to.equal(reference(pattern, text, ignoreCase));
      }),
      { numRuns: 20_000 },
    );
  });

  it('costs no more than pattern times text, however many stars there are', () => {
    const pattern = `${'*a'.repeat(200)}b`;
    const startedMs = performance.now();
    expect(matches(pattern, 'a'.repeat(5000))).to.equal(false);
    expect(performance.now() - startedMs).to.be.below(500);
  });
});

/** Redis looks at the pattern only while there is text. */
function reference(pattern: string, text: string, ignoreCase: boolean): boolean {
  return text === '' ? pattern === '' : recursive(pattern, text, ignoreCase);
}

/** One recursion per star: right, and exponential. */
function recursive(pattern: string, text: string, ignoreCase: boolean): boolean {
  const fold = (letter: string): string => (ignoreCase ? letter.toLowerCase() : letter);
  if (text === '') return /^\**$/.test(pattern);
  if (pattern === '') return false;
  const first = pattern[0] as string;
  const letter = text[0] as string;
  if (first === '*') {
    const rest = pattern.slice(1);
    return recursive(rest, text, ignoreCase) || recursive(pattern, text.slice(1), ignoreCase);
  }
  if (first === '[') {
    const { matched, rest } = referenceClass(pattern.slice(1), letter, fold);
    return matched && recursive(rest, text.slice(1), ignoreCase);
  }
  const isEscape = first === '\\' && pattern.length > 1;
  const literal = isEscape ? (pattern[1] as string) : first;
  if ((isEscape || first !== '?') && fold(literal) !== fold(letter)) return false;
  return recursive(pattern.slice(isEscape ? 2 : 1), text.slice(1), ignoreCase);
}

function referenceClass(
  body: string,
  letter: string,
  fold: (letter: string) => string,
): { readonly matched: boolean; readonly rest: string } {
  const negated = body.startsWith('^');
  let rest = negated ? body.slice(1) : body;
  let matched = false;
  while (rest !== '' && !rest.startsWith(']')) {
    if (rest.length >= 2 && rest.startsWith('\\')) {
      matched ||= rest[1] === letter;
      rest = rest.slice(2);
    } else if (rest.length >= 3 && rest[1] === '-') {
      const [low, high] = [rest[0] as string, rest[2] as string].sort().map(fold) as [string, string];
      matched ||= fold(letter) >= low && fold(letter) <= high;
      rest = rest.slice(3);
    } else {
      matched ||= fold(rest[0] as string) === fold(letter);
      rest = rest.slice(1);
    }
  }
  return { matched: matched !== negated, rest: rest.slice(1) };
}
