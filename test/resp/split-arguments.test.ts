import { expect } from 'chai';
import fc from 'fast-check';
import { splitArguments } from '../../src/resp/split-arguments.ts';

function split(line: string): string[] | null {
  return splitArguments(Buffer.from(line, 'latin1'))?.map((bytes) => bytes.toString('latin1')) ?? null;
}

describe('splitArguments', () => {
  const cases: readonly (readonly [string, string[] | null])[] = [
    ['', []],
    ['   ', []],
    ['set a b', ['set', 'a', 'b']],
    ['  set \t a  ', ['set', 'a']],
    ['set "a b" c', ['set', 'a b', 'c']],
    ['set "" \'\'', ['set', '', '']],
    ['a"b c"', ['ab c']],
    ['"\\x41\\xff\\n\\r\\t\\b\\a\\q\\""', ['A\xff\n\r\t\b\x07q"']],
    ['"\\xzz"', ['xzz']],
    ["'a\\'b\\n'", ["a'b\\n"]],
    ['a\0b c', ['a']],
    ['"open', null],
    ["'open", null],
    ['"a"b', null],
    ["'a'b", null],
    ['"a\\', null],
  ];
  for (const [line, expected] of cases) {
    it(`splits ${JSON.stringify(line)}`, () => {
      expect(split(line)).to.deep.equal(expected);
    });
  }

  it('gives back what was quoted with \\xHH', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), (words) => {
        const line = words.map(
          (word) => `"${Array.from(word, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`,
        );
        const found = splitArguments(Buffer.from(line.join(' ')));
        expect(found?.map((word) => [...word])).to.deep.equal(words.map((word) => [...word]));
      }),
    );
  });
});
