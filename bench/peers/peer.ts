import { rmSync } from 'node:fs';
import { newDataDirectory } from '../support/processes.ts';
import type { PeerProcess } from './peer-process.ts';

/** A system under test: several servers that together keep copies of the same data. */
export interface Peer {
  readonly name: string;
  /** What a row must say of its settings. */
  readonly settings: string;
  /** Of all its servers together. */
  cpuSeconds(): number;
  /** Ends the servers and removes their data. */
  stop(): Promise<void>;
}

export function cpuSecondsOfAll(servers: readonly PeerProcess[]): number {
  return servers.reduce((sum, server) => sum + (server.isRunning ? server.cpuSeconds() : 0), 0);
}

/** Of peers that are not stopped yet: they go with this process, however it ends. */
const directories = new Set<string>();
process.on('exit', () => {
  for (const directory of directories) remove(directory);
});

/** Of one peer, on the file system of the project. */
export function newPeerDirectory(): string {
  const directory = newDataDirectory();
  directories.add(directory);
  return directory;
}

export async function endAll(servers: readonly PeerProcess[], directory: string): Promise<void> {
  await Promise.all(servers.map((server) => server.end()));
  remove(directory);
  directories.delete(directory);
}

/** Runs `use` over a peer and stops it afterwards, also when `use` fails. */
export async function withPeer<Some extends Peer, Result>(
  start: () => Promise<Some>,
  use: (peer: Some) => Promise<Result>,
): Promise<Result> {
  const peer = await start();
  try {
    return await use(peer);
  } finally {
    await peer.stop();
  }
}

export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  deadlineMs: number,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A server that was killed a moment ago may still be creating a file. */
function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
