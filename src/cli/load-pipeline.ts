import type { Socket } from 'node:net';
import { CaskadeError } from '../model/errors.ts';
import type { LoadCounts } from './load-counts.ts';
import { RespScanner } from './resp-scanner.ts';

/** A piece that was sent: answered once `commands` replies have come in all. */
interface Piece {
  readonly commands: number;
  readonly bytes: number;
}

/**
 * Sends commands without waiting for each reply, with at most `windowBytes` of them unanswered. A command larger
 * than the window is let through alone.
 */
export class LoadPipeline {
  readonly #socket: Socket;
  readonly #windowBytes: number;
  readonly #counts: LoadCounts;
  readonly #replies: RespScanner;
  readonly #pieces: Piece[] = [];
  #oldest = 0;
  #sent = 0;
  #unansweredBytes = 0;
  #failure: CaskadeError | undefined;
  #finished = false;
  #wake: (() => void) | undefined;
  /** Most bytes that were ever unanswered at once. */
  unansweredBytesPeak = 0;

  constructor(socket: Socket, windowBytes: number, counts: LoadCounts) {
    this.#socket = socket;
    this.#windowBytes = windowBytes;
    this.#counts = counts;
    this.#replies = new RespScanner({ onError: (text) => this.#error(text) });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the server closed the connection'));
  }

  /**
   * Sends `bytes`, in which `commands` commands end, when the window has room. Throws CaskadeError when the
   * connection has ended.
   */
  async send(bytes: Buffer, commands: number): Promise<void> {
    while (!this.#hasRoom(bytes.length)) await this.#change();
    this.#throwFailure();
    this.#sent += commands;
    this.#unansweredBytes += bytes.length;
    this.unansweredBytesPeak = Math.max(this.unansweredBytesPeak, this.#unansweredBytes);
    this.#pieces.push({ commands: this.#sent, bytes: bytes.length });
    if (!this.#socket.write(bytes)) await this.#drained();
  }

  /** Resolves when every command sent is answered; throws CaskadeError when the connection ends before. */
  async finish(): Promise<void> {
    while (this.unanswered > 0 && this.#failure === undefined) await this.#change();
    this.#throwFailure();
    this.#finished = true;
    this.#socket.end();
  }

  /** Gives up what is not answered yet. */
  abort(): void {
    this.#fail('interrupted');
  }

  get unanswered(): number {
    return this.#sent - this.#replies.completed;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#failure !== undefined || this.#unansweredBytes + bytes <= this.#windowBytes) return true;
    // No reply is due that could make room: this is a piece of a command larger than the window.
    return this.unanswered === 0;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#replies.scan(chunk);
    } catch (error) {
      this.#fail(`the server's reply is not RESP (${(error as Error).message})`);
      return;
    }
    const { completed } = this.#replies;
    if (completed > this.#sent) this.#fail('the server sent more replies than it was asked for');
    this.#counts.loaded = completed - this.#counts.refused - this.#counts.inDoubt;
    this.#release(completed);
    this.#signal();
  }

  #error(text: string): void {
    this.#counts.addError(text);
  }

  #release(completed: number): void {
    let piece = this.#pieces[this.#oldest];
    while (piece !== undefined && piece.commands <= completed) {
      this.#unansweredBytes -= piece.bytes;
      this.#oldest += 1;
      piece = this.#pieces[this.#oldest];
    }
    if (this.#oldest > 1024 || piece === undefined) {
      this.#pieces.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }

  #drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #fail(reason: string): void {
    if (this.#finished || this.#failure !== undefined) return;
    this.#failure = new CaskadeError('connectionFailed', `connection lost: ${reason}`);
    this.#counts.unanswered = this.unanswered;
    this.#socket.destroy();
    this.#signal();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
