import { homedir } from 'node:os';
import type { Readable, Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type TerminalReadable = Readable & { readonly isTTY?: boolean };
export type TerminalWritable = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What the command line client touches of its process, so that a test can stand in for it. */
export interface CliIo {
  readonly stdin: TerminalReadable;
  readonly stdout: TerminalWritable;
  readonly stderr: TerminalWritable;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** Calls back at Ctrl-C (SIGINT) until the answer is called. */
  onInterrupt(listener: () => void): () => void;
}

export function processIo(): CliIo {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    homeDirectory: homedir(),
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
  };
}

/** Resolves when the bytes are handed on, so that a slow reader slows the writer. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** True for the error of a reader that has gone, as `head` does: no failure of ours. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE';
}
