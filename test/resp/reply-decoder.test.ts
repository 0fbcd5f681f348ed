import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError } from '../../src/resp/protocol-error.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import { loadGolden } from '../support/golden.ts';

function decode(chunks: readonly Uint8Array[]): Reply[] {
  const decoder = new ReplyDecoder();
  const found: Reply[] = [];
  for (const chunk of chunks) {
    decoder.feed(chunk);
    for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) found.push(reply);
  }
  return found;
}

const one = (text: string): Reply | undefined => decode([Buffer.from(text, 'latin1')])[0];

describe('ReplyDecoder', () => {
  const golden = loadGolden('resp/replies-resp3.hex');
  const whole = decode([golden]);

  it('knows every type of RESP2 and RESP3', () => {
    const kinds = new Set(whole.map((reply) => reply.kind));
    expect([...kinds].sort()).to.deep.equal([
      'array',
      'attribute',
      'bigNumber',
      'boolean',
      'bulk',
      'double',
      'error',
      'integer',
      'map',
      'nil',
      'nilArray',
      'push',
      'set',
      'simple',
      'verbatim',
    ]);
  });

  it('answers the same fed byte by byte', () => {
    const bytes = Array.from(golden, (byte) => Buffer.from([byte]));
    expect(decode(bytes)).to.deep.equal(whole);
  });

  it('answers the same at every split', () => {
    for (let at = 0; at <= golden.length; at += 1) {
      expect(decode([golden.subarray(0, at), golden.subarray(at)])).to.deep.equal(whole);
    }
  });

  it('tells a null bulk from a null array', () => {
    expect(one('$-1\r\n')).to.deep.equal({ kind: 'nil' });
    expect(one('_\r\n')).to.deep.equal({ kind: 'nil' });
    expect(one('*-1\r\n')).to.deep.equal({ kind: 'nilArray' });
  });

  it('keeps a 64-bit integer exact', () => {
    expect(one(':9223372036854775807\r\n')).to.deep.equal({ kind: 'integer', value: 9223372036854775807n });
    expect(one(':-42\r\n')).to.deep.equal({ kind: 'integer', value: -42 });
  });

  it('joins a large value that came in many chunks', () => {
    const value = Buffer.alloc(3_000_000, 'abcdefg');
    const bytes = Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n+OK\r\n')]);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 1000) chunks.push(bytes.subarray(at, at + 1000));
    const found = decode(chunks);
    expect(found).to.have.length(2);
    expect(found[0]?.kind === 'bulk' && found[0].bytes.equals(value)).to.equal(true);
  });

  it('does not refer to the chunk it was fed', () => {
    const chunk = Buffer.from('$3\r\nabc\r\n');
    const [reply] = decode([chunk]);
    chunk.fill(0);
    expect(reply).to.deep.equal({ kind: 'bulk', bytes: Buffer.from('abc') });
  });

  for (const [name, text] of [
    ['an unknown type', 'hello\r\n'],
    ['a length that is no number', '$abc\r\n'],
    ['a bulk string longer than it says', '$1\r\nabc\r\n'],
    ['a bulk string above the limit', '$999999999999\r\n'],
    ['a line without CR', '+OK\n'],
    ['an integer that is none', ':1.5\r\n'],
    ['a boolean that is none', '#x\r\n'],
    ['a double that is none', ',1e\r\n'],
    ['a verbatim string without a format', '=3\r\nabc\r\n'],
    ['endless nesting', '*1\r\n'.repeat(1000)],
  ] as const) {
    it(`refuses ${name}`, () => {
      expect(() => one(text)).to.throw(ProtocolError);
    });
  }

  it('meets random bytes with replies, patience or a ProtocolError, nothing else', () => {
    const bytes = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc
          .constantFrom('*', '$', ':', '+', '-1', '3', '\r\n', '%', '>', '|')
          .map((text) => Buffer.from(text)),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(bytes, (chunks) => {
        try {
          decode(chunks);
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
