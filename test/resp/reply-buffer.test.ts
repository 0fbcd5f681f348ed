import { expect } from 'chai';
import fc from 'fast-check';
import { OutputPool } from '../../src/resp/output-pool.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyBuffer } from '../../src/resp/reply-buffer.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import type { ReplyWriter, RespVersion } from '../../src/resp/reply-writer.ts';
import { loadGolden } from '../support/golden.ts';

const BOUND = 1_000_000_000;

function taken(buffer: ReplyBuffer, until = buffer.position, bytesMax = BOUND): Buffer {
  const pieces: Buffer[] = [];
  while (buffer.sent < until) pieces.push(Buffer.from(buffer.take(until, bytesMax)));
  return Buffer.concat(pieces);
}

function written(write: (reply: ReplyWriter) => void, version: RespVersion = 2): string {
  const buffer = new ReplyBuffer(new OutputPool());
  buffer.version = version;
  write(buffer);
  return taken(buffer).toString('latin1');
}

function everyType(reply: ReplyWriter): void {
  reply.ok();
  reply.simple('PONG');
  reply.error('ERR two\r\nlines');
  for (const value of [0, 7, 10, 99, 100, -1, 2147483647, 2147483648, Number.MAX_SAFE_INTEGER])
    reply.integer(value);
  reply.integerText('-9223372036854775808');
  reply.bulk(Buffer.from('xabcx'), 1, 4);
  reply.bulkText('ä');
  reply.bulkText('');
  reply.nil();
  reply.nilArray();
  reply.array(1);
  reply.map(1);
  reply.simple('k');
  reply.integer(1);
  reply.set(0);
  reply.push(1);
  reply.boolean(true);
  reply.boolean(false);
  reply.double(1.5);
  reply.double(Number.NEGATIVE_INFINITY);
  reply.verbatim('txt', 'abc');
  reply.bigNumber('123456789012345678901234567890');
}

describe('ReplyBuffer', () => {
  it('writes every type in its RESP2 form', () => {
    expect(written(everyType)).to.equal(loadGolden('resp/written-resp2.hex').toString('latin1'));
  });

  it('writes every type in its RESP3 form', () => {
    expect(written(everyType, 3)).to.equal(loadGolden('resp/written-resp3.hex').toString('latin1'));
  });

  it('counts positions from the beginning of the connection', () => {
    const buffer = new ReplyBuffer(new OutputPool());
    buffer.ok();
    expect(buffer.position).to.equal(5);
    taken(buffer);
    buffer.settle();
    buffer.ok();
    expect([buffer.sent, buffer.position]).to.deep.equal([5, 10]);
  });

  it('gives any written bytes in any pieces, in order, across its buffers', () => {
    const item = fc.oneof(
      fc.record({
        kind: fc.constant('bulk' as const),
        size: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 70_000 })),
      }),
      fc.record({ kind: fc.constant('integer' as const), size: fc.integer() }),
    );
    const step = fc.record({
      item,
      takes: fc.boolean(),
      settles: fc.boolean(),
      bytesMax: fc.integer({ min: 1, max: 50_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const buffer = new ReplyBuffer(new OutputPool());
        const expected: Buffer[] = [];
        const found: Buffer[] = [];
        for (const { item: next, takes, settles, bytesMax } of steps) {
          if (next.kind === 'bulk') {
            const bytes = Buffer.alloc(next.size, `${next.size},`);
            buffer.bulk(bytes, 0, bytes.length);
            expected.push(Buffer.from(`$${next.size}\r\n`), bytes, Buffer.from('\r\n'));
          } else {
            buffer.integer(next.size);
            expected.push(Buffer.from(`:${next.size}\r\n`));
          }
          if (takes && buffer.sent < buffer.position)
            found.push(Buffer.from(buffer.take(buffer.position, bytesMax)));
          if (settles) buffer.settle();
        }
        found.push(taken(buffer));
        expect(Buffer.concat(found).equals(Buffer.concat(expected))).to.equal(true);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves taken bytes alone until it is told that the socket is done with them', () => {
    const buffer = new ReplyBuffer(new OutputPool());
    buffer.bulkText('first');
    const piece = buffer.take(buffer.position, BOUND);
    const before = Buffer.from(piece);
    for (let count = 0; count < 5000; count += 1) buffer.bulkText('second');
    buffer.take(buffer.position, BOUND);
    expect(piece.equals(before)).to.equal(true);
  });

  it('does not copy a large value again when the output grows', () => {
    const buffer = new ReplyBuffer(new OutputPool());
    const value = Buffer.alloc(10_000_000, 'x');
    buffer.ok();
    buffer.bulk(value, 0, value.length);
    buffer.ok();
    expect(buffer.take(buffer.position, BOUND).toString()).to.equal('+OK\r\n');
    const piece = buffer.take(buffer.position, BOUND);
    expect(piece.length).to.be.greaterThan(10_000_000);
  });

  it('gives its memory back once all has left', () => {
    const pool = new CountingPool();
    const buffer = new ReplyBuffer(pool);
    for (let count = 0; count < 10_000; count += 1) buffer.bulkText('some value');
    taken(buffer);
    expect(pool.lent).to.be.greaterThan(1);
    buffer.settle();
    expect(pool.lent).to.equal(0);
  });

  it('takes back what was written last, over the borders of its buffers', () => {
    const buffer = new ReplyBuffer(new OutputPool());
    buffer.ok();
    const start = buffer.position;
    for (let count = 0; count < 10_000; count += 1) buffer.bulkText('never to be seen');
    buffer.rewind(start);
    buffer.error('ERR internal error');
    expect(taken(buffer).toString()).to.equal('+OK\r\n-ERR internal error\r\n');
  });

  it('sends an error instead of a held reply, and the others as they were', () => {
    const buffer = new ReplyBuffer(new OutputPool());
    const ranges: [number, number][] = [];
    for (let count = 0; count < 3000; count += 1) {
      const start = buffer.position;
      buffer.bulkText(`${count}`);
      ranges.push([start, buffer.position]);
    }
    for (const index of [1500, 2, 2999, 3]) {
      const [start, end] = ranges[index] as [number, number];
      buffer.replaceByError(start, end, `INDOUBT 0 1 ${index} text\nlines`);
    }
    buffer.replaceByError(...(ranges[2] as [number, number]), 'INDOUBT 1 1 9 more');
    const found = decodeAll(taken(buffer, buffer.position, 1000));
    expect(found).to.have.length(3000);
    for (const [index, reply] of found.entries()) {
      const isReplaced = [1500, 2, 2999, 3].includes(index);
      const more = index === 2 ? '; INDOUBT 1 1 9 more' : '';
      expect(reply).to.deep.equal(
        isReplaced
          ? { kind: 'error', text: `INDOUBT 0 1 ${index} text lines${more}` }
          : { kind: 'bulk', bytes: Buffer.from(`${index}`) },
      );
    }
  });
});

class CountingPool extends OutputPool {
  lent = 0;

  override take(bytes: number, large: boolean): Buffer {
    this.lent += 1;
    return super.take(bytes, large);
  }

  override give(buffer: Buffer): void {
    this.lent -= 1;
    super.give(buffer);
  }
}

function decodeAll(bytes: Buffer): Reply[] {
  const decoder = new ReplyDecoder();
  decoder.feed(bytes);
  const found: Reply[] = [];
  for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) found.push(reply);
  return found;
}
