import { PassThrough } from 'node:stream';
import type { CliIo, TerminalWritable } from '../../src/cli/cli-io.ts';

/** A process's streams in memory. */
export class TestIo implements CliIo {
  readonly stdin: PassThrough & { isTTY?: boolean } = new PassThrough();
  readonly environment: Record<string, string | undefined> = { CASKADE_HISTFILE: '' };
  readonly homeDirectory = '/nonexistent';
  readonly #out: Buffer[] = [];
  readonly #err: Buffer[] = [];
  readonly #interrupts = new Set<() => void>();
  readonly stdout: TerminalWritable;
  readonly stderr: TerminalWritable;

  constructor({ terminal = false }: { terminal?: boolean } = {}) {
    this.stdout = collecting(this.#out, terminal);
    this.stderr = collecting(this.#err, terminal);
  }

  get out(): string {
    return Buffer.concat(this.#out).toString();
  }

  get outBytes(): Buffer {
    return Buffer.concat(this.#out);
  }

  get err(): string {
    return Buffer.concat(this.#err).toString();
  }

  onInterrupt(listener: () => void): () => void {
    this.#interrupts.add(listener);
    return () => this.#interrupts.delete(listener);
  }

  get interruptible(): boolean {
    return this.#interrupts.size > 0;
  }

  interrupt(): void {
    for (const listener of this.#interrupts) listener();
  }
}

function collecting(chunks: Buffer[], terminal: boolean): TerminalWritable {
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return Object.assign(stream, terminal ? { isTTY: true, columns: 100 } : {});
}

/** Waits for a condition, not for a time. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
