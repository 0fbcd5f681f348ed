import { connect } from 'node:net';

const ANSWER_MS_MAX = 1_000;

/** Sends a four-letter word to a ZooKeeper server; rejects where nobody listens or nothing comes within a second. */
export function askZooKeeper(host: string, port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let answer = '';
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.on('connect', () => socket.write(word));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

export type ServerMode = 'standalone' | 'leader' | 'follower';

/** What a server says it is; null: it does not serve now. */
export function modeOf(answerToSrvr: string): ServerMode | null {
  return (/^Mode: (standalone|leader|follower)$/m.exec(answerToSrvr)?.[1] as ServerMode | undefined) ?? null;
}

/** Who listens on a port. `notServing`: a ZooKeeper without a quorum. */
export type Listener = 'nobody' | 'zooKeeper' | 'notServing' | 'another';

export async function listenerOn(host: string, port: number): Promise<Listener> {
  let answer: string;
  try {
    answer = await askZooKeeper(host, port, 'srvr');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'nobody' : 'another';
  }
  if (/^This ZooKeeper instance is not currently serving/.test(answer)) return 'notServing';
  // An administrator may have taken `srvr` from the words that are answered.
  return modeOf(answer) !== null || /not in the whitelist/.test(answer) ? 'zooKeeper' : 'another';
}
