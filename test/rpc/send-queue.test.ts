import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { wholePart } from '../../src/rpc/frame.ts';
import { FrameError, FrameReader } from '../../src/rpc/frame-reader.ts';
import { Fragment } from '../../src/rpc/generated/caskade/v1/common.ts';
import { FORWARD_CODEC, REQUESTS_FIELD } from '../../src/rpc/methods.ts';
import { Reassembler } from '../../src/rpc/reassembler.ts';
import { afterTurn, SendQueue } from '../../src/rpc/send-queue.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

/** Takes one frame at a time, and says when it has taken it. */
class Wire {
  readonly frames: Buffer[] = [];
  #done: (() => void) | null = null;

  write(frame: Buffer, done: () => void): void {
    expect(this.#done, 'a frame came before the last one was taken').to.equal(null);
    this.frames.push(Buffer.from(frame));
    this.#done = done;
  }

  take(): void {
    const done = this.#done;
    this.#done = null;
    done?.();
  }
}

const KiB = 1024;
const message = (bytes: number) => wholePart(3, new Uint8Array(bytes));

describe('what waits to be sent on a stream', () => {
  let clock: SimulatedClock;
  let queue: SendQueue;
  let wire: Wire;

  beforeEach(() => {
    clock = new SimulatedClock();
    queue = new SendQueue(afterTurn(clock), 100 * KiB);
    wire = new Wire();
  });

  it('leaves at the end of the turn, in one frame', async () => {
    queue.attach(wire);
    for (let count = 0; count < 5; count += 1) expect(queue.push(message(10))).to.equal(true);
    expect(wire.frames).to.deep.equal([]);
    await clock.settle();
    expect(wire.frames.map(({ length }) => length)).to.deep.equal([5 * 12]);
    expect(queue.bytes).to.equal(0);
  });

  it('gathers while a frame is being taken', async () => {
    queue.attach(wire);
    queue.push(message(10));
    await clock.settle();
    for (let turn = 0; turn < 4; turn += 1) {
      queue.push(message(10));
      await clock.settle();
    }
    expect(wire.frames).to.have.length(1);
    wire.take();
    expect(wire.frames.map(({ length }) => length)).to.deep.equal([12, 4 * 12]);
  });

  it('is bounded by bytes, but for one message that is larger than all', () => {
    expect(queue.push(message(200 * KiB))).to.equal(true);
    expect(queue.push(message(1))).to.equal(false);
    queue.detach();
    for (let count = 0; count < 9; count += 1) expect(queue.push(message(11 * KiB))).to.equal(true);
    expect(queue.push(message(11 * KiB))).to.equal(false);
    expect(queue.push(message(10))).to.equal(true);
  });

  it('is lost with the stream, and goes on with the next one', async () => {
    queue.attach(wire);
    queue.push(message(10));
    await clock.settle();
    queue.push(message(20));
    queue.detach();
    wire.take();
    expect(wire.frames).to.have.length(1);
    const next = new Wire();
    queue.attach(next);
    queue.push(message(30));
    await clock.settle();
    expect(next.frames.map(({ length }) => length)).to.deep.equal([32]);
  });

  it('says when nothing waits any more', async () => {
    let isDrained = false;
    queue.attach(wire);
    queue.push(message(10));
    void queue.drained().then(() => {
      isDrained = true;
    });
    await clock.settle();
    expect(isDrained).to.equal(false);
    wire.take();
    await Promise.resolve();
    expect(isDrained).to.equal(true);
  });

  it('is cut into fragments that fill frames where a message is larger than one', async () => {
    queue.attach(wire);
    queue.push(message(2 * LIMITS.frameBytesMax + 100));
    queue.push(message(10));
    await clock.settle();
    wire.take();
    wire.take();
    expect(wire.frames).to.have.length(3);
    for (const { length } of wire.frames) expect(length).to.be.at.most(LIMITS.frameBytesMax + 64);
    expect(queue.bytes).to.equal(0);
  });
});

describe('fragments', () => {
  const piece = (start: number, length: number, totalBytes = 10, field = 3): Fragment => ({
    field,
    totalBytes,
    start,
    bytes: new Uint8Array(length).fill(start + 1),
  });

  it('are one message again when all have come', () => {
    const fragments = new Reassembler();
    expect(fragments.take(piece(0, 4))).to.equal(null);
    expect(fragments.take(piece(4, 4))).to.equal(null);
    expect(fragments.bytesHeld).to.equal(10);
    const whole = fragments.take(piece(8, 2));
    expect(whole).to.deep.equal({ field: 3, bytes: Uint8Array.of(1, 1, 1, 1, 5, 5, 5, 5, 9, 9) });
    expect(fragments.bytesHeld).to.equal(0);
  });

  it('of a stream that ended are dropped', () => {
    const fragments = new Reassembler();
    fragments.take(piece(0, 4));
    fragments.drop();
    expect(fragments.bytesHeld).to.equal(0);
    expect(fragments.take(piece(4, 6))).to.equal('misplaced');
  });

  it('are refused where they do not fit, and before anything is allocated where they are too many', () => {
    for (const [first, second] of [
      [piece(0, 4), piece(0, 4)],
      [piece(0, 4), piece(5, 4)],
      [piece(0, 4), piece(4, 7)],
      [piece(0, 4), piece(4, 4, 11)],
      [piece(0, 4), piece(4, 4, 10, 4)],
    ] as const) {
      const fragments = new Reassembler();
      expect(fragments.take(first)).to.equal(null);
      expect(fragments.take(second)).to.equal('misplaced');
      expect(fragments.bytesHeld).to.equal(0);
    }
    expect(new Reassembler().take(piece(4, 4))).to.equal('misplaced');
    expect(new Reassembler(100).take(piece(0, 4, 101))).to.equal('tooLarge');
    expect(new Reassembler().take(piece(0, 4, Number.MAX_SAFE_INTEGER))).to.equal('tooLarge');
  });

  it('and frames that cannot be read end the stream, whatever is wrong with them', () => {
    const reader = new FrameReader(FORWARD_CODEC, () => {});
    const first = Fragment.encode(piece(0, 3, 3, REQUESTS_FIELD)).finish();
    const frames = [
      Buffer.from('not a frame'),
      Buffer.of(0x1a, 200, 1),
      // A whole message of bytes 1, 1, 1 is no request.
      Buffer.concat([Buffer.of(0x12, first.length), first]),
    ];
    for (const frame of frames) expect(() => reader.take(frame)).to.throw(FrameError);
  });
});
