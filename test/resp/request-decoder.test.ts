import { expect } from 'chai';
import fc from 'fast-check';
import { DecodeOutcome, RequestDecoder, type RequestLimits } from '../../src/resp/request-decoder.ts';
import { encodeRequests } from '../../src/resp/request-encoder.ts';
import { loadGolden } from '../support/golden.ts';

const LIMITS: RequestLimits = {
  inlineBytesMax: 64 * 1024,
  multibulkCountMax: 1024 * 1024,
  bulkBytesMax: 512 * 1024 * 1024,
  requestBytesMax: 1024 * 1024 * 1024,
};

interface Decoded {
  readonly commands: string[][];
  readonly failure: string;
}

/** Commands as Latin-1 text, and the protocol error that ended them, if one did. */
function decode(chunks: readonly Buffer[], limits = LIMITS): Decoded {
  const decoder = new RequestDecoder(limits);
  const commands: string[][] = [];
  for (const chunk of chunks) {
    decoder.feed(chunk);
    while (decoder.next() === DecodeOutcome.command) commands.push(words(decoder));
  }
  return { commands, failure: decoder.failure };
}

function words({ args }: RequestDecoder): string[] {
  return Array.from({ length: args.count }, (_, index) => args.copy(index).toString('latin1'));
}

const text = (line: string, limits = LIMITS): Decoded => decode([Buffer.from(line, 'latin1')], limits);

describe('RequestDecoder', () => {
  const golden = loadGolden('resp/requests.hex');
  const whole = decode([golden]);

  it('reads what the golden file says', () => {
    expect(whole.failure).to.equal('');
    expect(whole.commands).to.deep.equal([
      ['PING'],
      ['SET', 'key', 'value'],
      ['GET', ''],
      ['SET', 'k', '\r\n\0\xff'],
      ['PING'],
      ['SET', 'a', 'b c'],
      ['get', 'a'],
      ['ECHO', 'x'],
    ]);
  });

  it('reads the same fed byte by byte', () => {
    expect(decode(Array.from(golden, (byte) => Buffer.from([byte])))).to.deep.equal(whole);
  });

  it('reads the same at every split', () => {
    for (let at = 0; at <= golden.length; at += 1) {
      expect(decode([golden.subarray(0, at), golden.subarray(at)])).to.deep.equal(whole);
    }
  });

  it('gives back what was encoded, whatever the split', () => {
    const command = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 12 });
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 8 }), sizes, (commands, cuts) => {
        const found = decode(cut(encodeRequests(commands), cuts));
        const expected = commands.map((each) => each.map((bytes) => Buffer.from(bytes).toString('latin1')));
        expect(found).to.deep.equal({ commands: expected, failure: '' });
      }),
      { numRuns: 500 },
    );
  });

  it('meets random bytes with commands, patience or a protocol error, nothing else', () => {
    const pieces = fc.oneof(
      fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom('*', '*2\r\n', '*-1\r\n', '$', '$1\r\n', '$3', '\r\n', '\n', 'a', '"', "'", '\\x4', ' ')
        .map((piece) => Buffer.from(piece)),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (chunks) => {
        const split = decode(chunks);
        expect(split).to.deep.equal(decode([Buffer.concat(chunks)]));
      }),
      { numRuns: 3000 },
    );
  });

  describe('protocol errors', () => {
    for (const [line, failure] of [
      ['*abc\r\n', 'invalid multibulk length'],
      ['*01\r\n', 'invalid multibulk length'],
      ['*1048577\r\n', 'invalid multibulk length'],
      ['*99999999999999999999999\r\n', 'invalid multibulk length'],
      ['*1\r\nxyz\r\n', "expected '$', got 'x'"],
      ['*1\r\n$-1\r\n', 'invalid bulk length'],
      ['*1\r\n$1x\r\n', 'invalid bulk length'],
      ['*1\r\n$+1\r\n', 'invalid bulk length'],
      ['*1\r\n$01\r\n', 'invalid bulk length'],
      ['*1\r\n$\r\n', 'invalid bulk length'],
      ['*1\r\n$536870913\r\n', 'invalid bulk length'],
      ['*1\r\n$9999999999999\r\n', 'invalid bulk length'],
      ['set "a\r\n', 'unbalanced quotes in request'],
      ["set 'a'b\r\n", 'unbalanced quotes in request'],
      ['a'.repeat(65537), 'too big inline request'],
      [`${'a'.repeat(65537)}\n`, 'too big inline request'],
      [`*${'1'.repeat(65537)}`, 'too big mbulk count string'],
      [`*1\r\n$${'1'.repeat(65537)}`, 'too big bulk count string'],
    ] as const) {
      it(`${JSON.stringify(line.slice(0, 30))} ends in: ${failure}`, () => {
        expect(text(line)).to.deep.equal({ commands: [], failure: `Protocol error: ${failure}` });
      });
    }

    it('come after the commands before them, and stay', () => {
      const decoder = new RequestDecoder(LIMITS);
      decoder.feed(Buffer.from('PING\r\n*1\r\nx\r\nPING\r\n'));
      expect(decoder.next()).to.equal(DecodeOutcome.command);
      expect(decoder.next()).to.equal(DecodeOutcome.failed);
      decoder.feed(Buffer.from('PING\r\n'));
      expect(decoder.next()).to.equal(DecodeOutcome.failed);
    });

    it('a request above the limit is refused before its last argument is read', () => {
      const limits = { ...LIMITS, bulkBytesMax: 100, requestBytesMax: 150 };
      const large = `$100\r\n${'a'.repeat(100)}\r\n`;
      expect(text(`*2\r\n${large}$100\r\n`, limits).failure).to.equal(
        'Protocol error: request of more than 150 bytes',
      );
    });
  });

  it('takes empty lines, *0 and *-1 for no request', () => {
    expect(text('\r\n\n   \r\n*0\r\n*-1\r\n*-7\r\nPING\r\n').commands).to.deep.equal([['PING']]);
  });

  it('keeps the current command where it is while chunks arrive', () => {
    const decoder = new RequestDecoder(LIMITS);
    decoder.feed(Buffer.from('*2\r\n$4\r\nECHO\r\n$5\r\nfir'));
    expect(decoder.next()).to.equal(DecodeOutcome.incomplete);
    decoder.feed(Buffer.from('st\r\n*2\r\n$4\r\nECHO\r\n$6\r\nsec'));
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    decoder.feed(Buffer.from('ond\r\nPI'));
    decoder.feed(Buffer.from('NG\r\n'));
    expect(words(decoder)).to.deep.equal(['ECHO', 'first']);
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    expect(words(decoder)).to.deep.equal(['ECHO', 'second']);
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    expect(words(decoder)).to.deep.equal(['PING']);
  });

  it('allocates nothing for a length that is merely claimed', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => new RequestDecoder(LIMITS));
    for (const decoder of decoders) {
      decoder.feed(Buffer.from('*1000000\r\n$500000000\r\nabc'));
      expect(decoder.next()).to.equal(DecodeOutcome.incomplete);
    }
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(1024 * 1024);
  });

  it('joins a large value of many chunks in linear time', () => {
    const value = Buffer.alloc(64 * 1024 * 1024, 'abc');
    const request = encodeRequests([['SET', 'key', value], ['PING']]);
    const decoder = new RequestDecoder(LIMITS);
    const started = performance.now();
    let found = 0;
    for (let at = 0; at < request.length; at += 16 * 1024) {
      decoder.feed(request.subarray(at, at + 16 * 1024));
      while (decoder.next() === DecodeOutcome.command) {
        found += 1;
        if (found === 1) expect(decoder.args.copy(2).equals(value)).to.equal(true);
      }
    }
    expect(found).to.equal(2);
    expect(performance.now() - started).to.be.lessThan(3000);
  });

  it('reads a command of a million arguments in linear time', () => {
    const args = new Array<string>(1_000_000).fill('argument');
    const request = encodeRequests([args]);
    const decoder = new RequestDecoder(LIMITS);
    const started = performance.now();
    let outcome: DecodeOutcome = DecodeOutcome.incomplete;
    for (let at = 0; at < request.length; at += 16 * 1024) {
      decoder.feed(request.subarray(at, at + 16 * 1024));
      outcome = decoder.next();
    }
    expect(outcome).to.equal(DecodeOutcome.command);
    expect(decoder.args.count).to.equal(1_000_000);
    expect(decoder.args.text(999_999)).to.equal('argument');
    expect(performance.now() - started).to.be.lessThan(3000);
  });

  it('holds on to no chunk once it is read, and to no more than the rest of one', () => {
    const decoder = new RequestDecoder(LIMITS);
    decoder.feed(
      Buffer.concat([encodeRequests([['SET', 'a', Buffer.alloc(60_000)]]), Buffer.from('*1\r\n$4\r\nPI')]),
    );
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    expect(decoder.next()).to.equal(DecodeOutcome.incomplete);
    expect(decoder.args.bytes.buffer.byteLength).to.be.lessThan(100);
    decoder.feed(Buffer.from('NG\r\n'));
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    expect(words(decoder)).to.deep.equal(['PING']);
    expect(decoder.next()).to.equal(DecodeOutcome.incomplete);
    expect(decoder.args.bytes.length).to.equal(0);
  });
});

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] as number;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
