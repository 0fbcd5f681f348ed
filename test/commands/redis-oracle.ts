import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../support/free-ports.ts';

const READY_MS_MAX = 5_000;

/** A redis-server of our own: what it answers is what we must answer. */
export class RedisOracle {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  readonly #directory: string;
  #received = '';

  private constructor(process: ChildProcess, socket: Socket, directory: string, port: number) {
    this.port = port;
    this.#process = process;
    this.#socket = socket;
    this.#directory = directory;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
    });
  }

  static async start(more: readonly string[] = []): Promise<RedisOracle> {
    const directory = mkdtempSync(join(tmpdir(), 'oracle-'));
    const [port] = (await freePorts(1)) as [number];
    const options = [
      '--port',
      port,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--databases',
      '1',
      '--dir',
      directory,
      ...more,
    ];
    const child = spawn('redis-server', options.map(String), { stdio: 'ignore' });
    const failed = once(child, 'error').then(([error]) => {
      throw new Error('redis-server, the oracle of this test, does not start', { cause: error });
    });
    const socket = await Promise.race([connectWhenReady(port), failed]);
    return new RedisOracle(child, socket, directory, port);
  }

  /** The raw reply to one command, Latin-1. */
  async run(...words: string[]): Promise<string> {
    return (await this.runAll([words]))[0] as string;
  }

  /** The raw replies to several commands, sent together. */
  async runAll(commands: readonly (readonly string[])[]): Promise<string[]> {
    this.#received = '';
    this.#socket.write(commands.map(encode).join(''), 'latin1');
    const replies: string[] = [];
    let at = 0;
    while (replies.length < commands.length) {
      const end = replyEnd(this.#received, at);
      if (end < 0) {
        await once(this.#socket, 'data');
        continue;
      }
      replies.push(this.#received.slice(at, end));
      at = end;
    }
    return replies;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#socket.destroy();
    this.#process.kill('SIGKILL');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** Where the RESP reply that begins at `at` ends; -1 while it is not complete. */
function replyEnd(text: string, at: number): number {
  const lineEnd = text.indexOf('\r\n', at);
  if (lineEnd < 0) return -1;
  const count = Number(text.slice(at + 1, lineEnd));
  let end = lineEnd + 2;
  switch (text[at]) {
    case '$':
    case '=':
      if (count >= 0) end += count + 2;
      return end <= text.length ? end : -1;
    case '*':
    case '~':
    case '%':
      for (let left = text[at] === '%' ? count * 2 : count; left > 0 && end >= 0; left -= 1)
        end = replyEnd(text, end);
      return end;
    default:
      return end;
  }
}

async function connectWhenReady(port: number): Promise<Socket> {
  const untilMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      socket.destroy();
      if (performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
