import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { FrameError, FrameReader } from '../../src/rpc/frame-reader.ts';
import { PEER_CODEC } from '../../src/rpc/methods.ts';

describe('FrameReader', () => {
  it('does not read a frame above the bound, whatever messages of other services may have', () => {
    const reader = new FrameReader(PEER_CODEC, () => {});
    const large = Buffer.alloc(LIMITS.frameBytesReceivedMax + 1);
    expect(() => reader.take(large)).to.throw(FrameError, 'may have');
    expect(() => reader.first(large)).to.throw(FrameError, 'may have');
  });
});
