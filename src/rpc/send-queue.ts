import type { Clock } from '../env/clock.ts';
import { LIMITS } from '../model/limits.ts';
import { encodeFrame, type FramePart, fragmentsOf, partBytes } from './frame.ts';

/** Where frames go: one at a time, the next one after `done`, so that whoever reads slowly slows this down. */
export interface FrameSink {
  write(frame: Buffer, done: () => void): void;
}

/** Below it memory comes from a pool. */
const REUSED_BYTES_MIN = 4096;
const NO_BYTES = Buffer.alloc(0);

/** Calls back once, a little later: what is pushed until then leaves in one frame. */
export type Later = (callback: () => void) => void;

/**
 * After what runs now and the promises that it settles, before the sockets are looked at again. A frame that is written then leaves in
 * this turn of the event loop; one that is written at its end leaves in the next.
 */
export const afterThis: Later = (callback) => process.nextTick(callback);

/** What is said in one turn is told together. */
export const afterTurn =
  (clock: Clock): Later =>
  (callback) =>
    clock.atTurnEnd(callback);

/**
 * What waits to be sent on one stream, in order and bounded. What comes together, or while a frame is being
 * written, leaves in as few frames as possible.
 */
export class SendQueue {
  readonly #later: Later;
  readonly #bytesMax: number;
  #parts: FramePart[] = [];
  #bytes = 0;
  /** Of the frame that is being written, if it is large. */
  #reused = NO_BYTES;
  #sink: FrameSink | null = null;
  #isWriting = false;
  #isPumpAwaited = false;
  #whenDrained: (() => void)[] = [];

  constructor(later: Later, bytesMax: number) {
    this.#later = later;
    this.#bytesMax = bytesMax;
  }

  /** Of what was not yet handed to the sink. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False: it is full, and takes nothing. A message that is larger than all of it finds room when it is empty. */
  push(part: FramePart): boolean {
    const bytes = partBytes(part);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false;
    if (bytes <= LIMITS.frameBytesMax) this.#add(part);
    else for (const fragment of fragmentsOf(part)) this.#add(fragment);
    this.#pumpLater();
    return true;
  }

  #add(part: FramePart): void {
    this.#parts.push(part);
    this.#bytes += partBytes(part);
  }

  attach(sink: FrameSink): void {
    this.#sink = sink;
    this.#isWriting = false;
    this.#pump();
  }

  /** What waits is lost with the stream. */
  detach(): void {
    this.#sink = null;
    this.#parts = [];
    this.#bytes = 0;
    // Whoever wrote last may still hold it.
    this.#reused = NO_BYTES;
    this.#tellDrained();
  }

  /** Resolves when nothing waits any more: it was written, or lost. */
  drained(): Promise<void> {
    if (this.#isEmpty && !this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#whenDrained.push(resolve));
  }

  get #isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  #pumpLater(): void {
    if (this.#isPumpAwaited || this.#isWriting) return;
    this.#isPumpAwaited = true;
    this.#later(() => {
      this.#isPumpAwaited = false;
      this.#pump();
    });
  }

  #pump(): void {
    const sink = this.#sink;
    if (sink === null || this.#isWriting) return;
    if (this.#isEmpty) {
      this.#tellDrained();
      return;
    }
    this.#isWriting = true;
    sink.write(this.#nextFrame(), () => {
      // Of a stream that ended meanwhile.
      if (this.#sink !== sink) return;
      this.#isWriting = false;
      this.#pump();
    });
  }

  /**
   * As many messages as fit, at least one. A fragment is never behind a message in a frame, nor behind another one: all
   * but the last of a message fill a frame.
   */
  #nextFrame(): Buffer {
    let bytes = 0;
    let count = 0;
    for (const part of this.#parts) {
      const added = partBytes(part);
      if (count > 0 && bytes + added > LIMITS.frameBytesMax) break;
      bytes += added;
      count += 1;
    }
    this.#bytes -= bytes;
    return encodeFrame(this.#parts.splice(0, count), this.#memory(bytes));
  }

  /** The memory of the frame before, which has been written: to ask for as much each time costs more than to copy it. */
  #memory(bytes: number): Buffer {
    if (bytes < REUSED_BYTES_MIN) return Buffer.allocUnsafe(bytes);
    if (this.#reused.length < bytes) this.#reused = Buffer.allocUnsafeSlow(bytes);
    return this.#reused.subarray(0, bytes);
  }

  #tellDrained(): void {
    const waiting = this.#whenDrained;
    this.#whenDrained = [];
    for (const resolve of waiting) resolve();
  }
}
