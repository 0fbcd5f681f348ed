import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { expect } from 'chai';
import fc from 'fast-check';
import { encodeMessage } from '../../src/rpc/message-writer.ts';

const writes = (value: number) => ({ encode: (_: null, writer: BinaryWriter) => writer.uint64(value) });
const text = { encode: (message: string, writer: BinaryWriter) => writer.string(message) };

describe('the writer of messages', () => {
  const bytesOf = (value: number): string => Buffer.from(encodeMessage(writes(value), null)).toString('hex');
  const expected = (value: number): string =>
    Buffer.from(new BinaryWriter().uint64(value).finish()).toString('hex');

  it('writes numbers of 64 bits as the library does', () => {
    for (let power = 0; power <= 52; power += 1)
      for (const value of [2 ** power - 1, 2 ** power, 2 ** power + 1])
        expect(bytesOf(value), `${value}`).to.equal(expected(value));
    expect(bytesOf(Number.MAX_SAFE_INTEGER)).to.equal(expected(Number.MAX_SAFE_INTEGER));
    fc.assert(fc.property(fc.maxSafeNat(), (value) => bytesOf(value) === expected(value)));
  });

  it('refuses what the library refuses, and the next message has nothing of it', () => {
    const partly = {
      encode: (_: null, writer: BinaryWriter) => writer.uint32(10).fork().string('half').uint64(-1),
    };
    for (const value of [-1, 0.5, Number.NaN]) expect(() => bytesOf(value)).to.throw();
    expect(() => encodeMessage(partly, null)).to.throw();
    expect(bytesOf(5)).to.equal('05');
  });

  it('gives every message bytes of its own, whatever their sizes', () => {
    const messages = ['a', 'b'.repeat(100_000), 'c'.repeat(70_000), 'd', 'e'.repeat(1000)];
    const encoded = messages.map((message) => encodeMessage(text, message));
    const plain = messages.map((message) => new BinaryWriter().string(message).finish());
    expect(encoded.map((bytes) => Buffer.from(bytes))).to.deep.equal(
      plain.map((bytes) => Buffer.from(bytes)),
    );
  });
});
