import { expect } from 'chai';
import fc from 'fast-check';
import { parseRepeat } from '../../src/cli/command-line.ts';
import { quoteArgument } from '../../src/cli/quote-argument.ts';
import { splitArguments } from '../../src/resp/split-arguments.ts';

describe('quoting', () => {
  it('what is quoted is read back as the same bytes, in one line of printable ASCII', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (words) => {
        const line = words.map(quoteArgument).join(' ');
        expect(line).to.match(/^[\x20-\x7e]*$/);
        const read = splitArguments(Buffer.from(line));
        expect(read?.map((word) => [...word])).to.deep.equal(words.map((word) => [...word]));
      }),
      { numRuns: 500 },
    );
  });

  it('writes the escapes of redis-cli', () => {
    expect(quoteArgument(Buffer.from('a"b\\\n\r\t\b\x07\x00é'))).to.equal(
      '"a\\"b\\\\\\n\\r\\t\\b\\a\\x00\\xc3\\xa9"',
    );
  });

  it('a number before a command repeats it; a number alone, zero or a negative one does not', () => {
    const words = (line: string): Buffer[] => splitArguments(Buffer.from(line)) ?? [];
    expect(parseRepeat(words('3 incr n'))).to.deep.equal({ times: 3, command: words('incr n') });
    for (const line of ['3', '0 incr n', '-1 incr n', '3x incr n', '']) {
      expect(parseRepeat(words(line)), line).to.deep.equal({ times: 1, command: words(line) });
    }
  });
});
