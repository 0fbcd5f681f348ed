import { spawn } from 'node:child_process';
import { childEnvironment } from './server-process.ts';

const DEADLINE_MS = 30_000;

export interface ProgramEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, or kills it after 30 s, with `input` on its standard input. A program that is missing rejects. */
export function runProgram(
  [command = '', ...words]: readonly string[],
  input: string | Uint8Array = '',
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { env: childEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', (cause) =>
      reject(
        new Error(`${command}, which this test needs, does not start: run make setup-system`, { cause }),
      ),
    );
    child.on('close', (code) => {
      clearTimeout(deadline);
      resolve({ code, stdout, stderr });
    });
    // The program may end before it has read everything.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
