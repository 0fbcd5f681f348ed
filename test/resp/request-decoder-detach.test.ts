import { expect } from 'chai';
import fc from 'fast-check';
import { LIMITS } from '../../src/model/limits.ts';
import { DecodeOutcome, RequestDecoder } from '../../src/resp/request-decoder.ts';
import { encodeRequests } from '../../src/resp/request-encoder.ts';

const commands = fc.array(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 12,
});

function argumentsOf(decoder: RequestDecoder): string[] {
  return Array.from({ length: decoder.args.count }, (_, index) =>
    decoder.args.copy(index).toString('latin1'),
  );
}

describe('RequestDecoder reading from a buffer that is overwritten', () => {
  it('loses nothing of what was fed before detach, however the stream is cut', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
        const stream = encodeRequests(sent);
        const shared = Buffer.alloc(64);
        const decoder = new RequestDecoder(LIMITS);
        const got: string[][] = [];
        let at = 0;
        for (let turn = 0; at < stream.length; turn += 1) {
          const count = Math.min(cuts[turn % cuts.length] as number, stream.length - at);
          stream.copy(shared, 0, at, at + count);
          decoder.feed(shared.subarray(0, count));
          // Every third chunk is only queued, as it is while the connection waits for something.
          if (turn % 3 !== 2) while (decoder.next() === DecodeOutcome.command) got.push(argumentsOf(decoder));
          decoder.detach(false);
          shared.fill(0xee);
          at += count;
        }
        while (decoder.next() === DecodeOutcome.command) got.push(argumentsOf(decoder));
        expect(got).to.deep.equal(
          sent.map((command) => command.map((word) => Buffer.from(word).toString('latin1'))),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the views of a command that will run again, while more is fed', () => {
    const shared = Buffer.alloc(256);
    const decoder = new RequestDecoder(LIMITS);
    const stream = encodeRequests([
      ['GET', 'first'],
      ['GET', 'second'],
    ]);
    stream.copy(shared);
    decoder.feed(shared.subarray(0, stream.length));
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    decoder.detach(true);
    shared.fill(0xee);
    decoder.feed(shared.subarray(0, 10));
    decoder.detach(true);
    expect(argumentsOf(decoder)).to.deep.equal(['GET', 'first']);
    expect(decoder.next()).to.equal(DecodeOutcome.command);
    expect(argumentsOf(decoder)).to.deep.equal(['GET', 'second']);
  });
});
