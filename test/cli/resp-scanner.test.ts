import { expect } from 'chai';
import fc from 'fast-check';
import { LoadCounts } from '../../src/cli/load-counts.ts';
import { PairEncoder } from '../../src/cli/load-pairs.ts';
import { RespScanner } from '../../src/cli/resp-scanner.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import { encodeRequests } from '../../src/resp/request-encoder.ts';

const leaf = fc.oneof(
  fc.constantFrom(
    '+OK\r\n',
    '-ERR x\r\n',
    ':5\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '_\r\n',
    '#t\r\n',
    ',1.5\r\n',
    '(12\r\n',
  ),
  fc.constantFrom('*0\r\n', '%0\r\n', '~0\r\n', '$0\r\n\r\n', '=7\r\ntxt:abc\r\n', '!5\r\nERR x\r\n'),
  fc.string({ maxLength: 9 }).map((text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`),
);
const value = fc.letrec<{ value: string; list: string; map: string; attribute: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, tie('list'), tie('map'), tie('attribute')),
  list: fc
    .tuple(fc.constantFrom('*', '~'), fc.array(tie('value'), { maxLength: 4 }))
    .map(([type, items]) => `${type}${items.length}\r\n${items.join('')}`),
  map: fc
    .array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 })
    .map((entries) => `%${entries.length}\r\n${entries.flat().join('')}`),
  attribute: fc.tuple(leaf, leaf, tie('value')).map((parts) => `|1\r\n${parts.join('')}`),
})).value;

function scanInPieces(bytes: Buffer, size: number, scanner: RespScanner): void {
  for (let at = 0; at < bytes.length; at += size) scanner.scan(bytes.subarray(at, at + size));
}

describe('RespScanner', () => {
  it('counts as many values as the decoder decodes, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), (values, size) => {
        const bytes = Buffer.from(values.join(''));
        const decoder = new ReplyDecoder();
        decoder.feed(bytes);
        const errors: string[] = [];
        const expectedErrors: string[] = [];
        let count = 0;
        for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) {
          count += 1;
          if (reply.kind === 'error' && reply.text === 'ERR x') expectedErrors.push(reply.text);
        }
        const scanner = new RespScanner({ onError: (text) => errors.push(text) });
        scanInPieces(bytes, size, scanner);
        expect(scanner.completed).to.equal(count);
        expect(scanner.unfinished).to.equal(false);
        expect(scanner.position).to.equal(bytes.length);
        expect(errors).to.deep.equal(expectedErrors);
      }),
      { numRuns: 500 },
    );
  });

  it('knows that a value is unfinished at every cut within it', () => {
    const bytes = Buffer.from('*2\r\n$3\r\nabc\r\n:1\r\n');
    for (let at = 1; at < bytes.length; at += 1) {
      const scanner = new RespScanner();
      scanner.scan(bytes.subarray(0, at));
      expect(scanner.unfinished, String(at)).to.equal(true);
      expect(scanner.completed, String(at)).to.equal(0);
    }
  });

  it('counts inline commands among requests, blank lines not', () => {
    const scanner = new RespScanner({ inline: true });
    scanner.scan(Buffer.from('SET a b\r\n\r\n  \nPING\n*1\r\n$4\r\nPING\r\n*0\r\nGET a\r\n'));
    expect(scanner.completed).to.equal(4);
  });

  it('refuses bytes that are not RESP', () => {
    for (const text of ['x\r\n', '+OK\n', '$a\r\n', '$-2\r\n', '*99999999999999\r\n', '$\r\n', '\r\n']) {
      expect(() => new RespScanner().scan(Buffer.from(text)), text).to.throw();
    }
    expect(() => new RespScanner().scan(Buffer.alloc(2 * 1024 * 1024, 0x2b))).to.throw(/a line of more than/);
    expect(() => new RespScanner({ inline: true }).scan(Buffer.from('*2\r\n*1\r\n'))).to.throw(
      /array within/,
    );
  });
});

describe('PairEncoder', () => {
  it('encodes what the request encoder would, however the lines are cut', () => {
    const bytes = fc
      .uint8Array({ maxLength: 120 })
      .map((array) => Buffer.from(array.filter((byte) => byte !== 0x0a)));
    const key = bytes.map((buffer) => Buffer.from(buffer.filter((byte) => byte !== 0x09)));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, bytes), { maxLength: 12 }),
        fc.integer({ min: 1, max: 200 }),
        (pairs, size) => {
          const lines = Buffer.concat(
            pairs.flatMap(([k, v]) => [k, Buffer.from('\t'), v, Buffer.from('\n')]),
          );
          const counts = new LoadCounts();
          const encoder = new PairEncoder(counts);
          const batches = [];
          for (let at = 0; at < lines.length; at += size)
            batches.push(...encoder.encode(lines.subarray(at, at + size)));
          batches.push(...encoder.finish());
          const expected = encodeRequests(pairs.map(([k, v]) => ['SET', k, v]));
          expect(Buffer.concat(batches.map((batch) => batch.bytes)).equals(expected)).to.equal(true);
          expect(batches.reduce((sum, { commands }) => sum + commands, 0)).to.equal(pairs.length);
          expect(counts.malformed).to.equal(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a line that is too long is counted and passed over', () => {
    const counts = new LoadCounts();
    const encoder = new PairEncoder(counts);
    const piece = Buffer.alloc(8 * 1024 * 1024, 0x61);
    for (let count = 0; count < 9; count += 1) encoder.encode(piece);
    encoder.encode(Buffer.from('\nk\tv\n'));
    const [batch] = encoder.finish();
    expect(counts.malformedTexts[0]).to.match(/^line 1: longer than \d+ bytes$/);
    expect(batch?.bytes.toString()).to.equal('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');
  });
});
