import { expect } from 'chai';
import fc from 'fast-check';
import { IntegerText, parseBigInteger, parseInteger } from '../../src/commands/integer.ts';

const parse = (text: string): number => {
  const bytes = Buffer.from(`<${text}>`, 'latin1');
  return parseInteger(bytes, 1, 1 + text.length);
};

describe('an integer in an argument', () => {
  it('is read as strictly as Redis reads it', () => {
    for (const text of ['0', '7', '-7', '1234567890123456', '-9007199254740991', '9007199254740991']) {
      expect(parse(text), text).to.equal(Number(text));
    }
    const refused = [
      '',
      '-',
      '+1',
      ' 1',
      '1 ',
      '01',
      '-0',
      '-01',
      '00',
      '1.0',
      '1e3',
      '0x1',
      '12a',
      'a',
      '--1',
    ];
    for (const text of refused) expect(parse(text), `"${text}"`).to.deep.equal(Number.NaN);
  });

  it('has 64 bits: beyond the safe integers its sign is told, beyond 64 bits it is refused', () => {
    expect(parse('9007199254740992')).to.equal(Number.POSITIVE_INFINITY);
    expect(parse('9223372036854775807')).to.equal(Number.POSITIVE_INFINITY);
    expect(parse('-9223372036854775808')).to.equal(Number.NEGATIVE_INFINITY);
    for (const text of [
      '9223372036854775808',
      '-9223372036854775809',
      '10000000000000000000',
      '1'.repeat(40),
    ]) {
      expect(parse(text), text).to.deep.equal(Number.NaN);
    }
    const bytes = Buffer.from('-9223372036854775808');
    expect(parseBigInteger(bytes, 0, bytes.length)).to.equal(-(2n ** 63n));
  });

  it('is the number it spells, or none, for any text', () => {
    const texts = fc.oneof(
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
      fc.string({ maxLength: 22 }),
      fc.stringMatching(/^-?[0-9]{0,21}$/),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(parse(text)).to.deep.equal(reference(text));
      }),
      { numRuns: 2000 },
    );
  });
});

function reference(text: string): number {
  if (!/^(0|-?[1-9][0-9]*)$/.test(text)) return Number.NaN;
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) return Number.NaN;
  if (Number.isSafeInteger(Number(value))) return Number(value);
  return value < 0n ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

describe('an integer written as text', () => {
  it('is what String makes of it', () => {
    const text = new IntegerText();
    const written = (value: number): string => {
      text.write(value);
      return text.bytes.toString('latin1', text.start, text.end);
    };
    for (const value of [0, 9, 10, -1, 2147483647, -2147483647, -2147483648, 2147483648]) {
      expect(written(value)).to.equal(String(value));
    }
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => written(value) === String(value)));
    text.writeText('-9223372036854775808');
    expect(text.start).to.equal(0);
  });
});
