import type { Reply } from '../../../../src/resp/reply.ts';
import { plain } from '../../pipelined-client.ts';
import type { NodeAddresses } from '../node-process.ts';
import { sleep } from '../sleep.ts';
import type { ClusterLoad } from './cluster-load.ts';
import { connectWithin, movedPort } from './load-client.ts';
import { attempted } from './reply-outcome.ts';

const READERS_CLIENT = -1;
const AT_ONCE = 500;
const CONNECT_MS_MAX = 2_000;
const READ_MS_MAX = 30_000;
const RETRY_MS = 100;

/**
 * Reads every key that was ever asked for through fresh connections: each partition through another node, every other
 * one through the plain listener. The reads become a part of the history. What is refused is asked again for a while.
 */
export async function readBack(
  load: ClusterLoad,
  nodes: readonly NodeAddresses[],
): Promise<ReadonlyMap<string, string | null>> {
  const held = new Map<string, string | null>();
  for (const [partition, keys] of load.keys.entries()) {
    const { plainPort, clusterPort } = nodes[partition % nodes.length]!;
    const port = partition % 2 === 0 ? plainPort : clusterPort;
    for (let from = 0; from < keys.length; from += AT_ONCE) {
      const some = keys.slice(from, from + AT_ONCE);
      const replies = await readSome(load, partition, port, some);
      for (const [index, reply] of replies.entries()) held.set(some[index]!, plain(reply) as string | null);
    }
  }
  return held;
}

/** All of them or nothing: a read that was refused says nothing, and is asked again with the others. */
async function readSome(
  load: ClusterLoad,
  partition: number,
  firstPort: number,
  keys: readonly string[],
): Promise<readonly Reply[]> {
  const deadline = performance.now() + READ_MS_MAX;
  let failure = '';
  let port = firstPort;
  while (performance.now() < deadline) {
    const operations = keys.map((key) =>
      load.history.invoke(READERS_CLIENT, partition, { kind: 'get', key }),
    );
    const replies = await ask(port, keys);
    const endings = keys.map((key, index) => attempted({ kind: 'get', key }, replies?.[index] ?? null));
    for (const [index, { outcome }] of endings.entries()) load.history.complete(operations[index]!, outcome);
    const bad = endings.find(({ ending }) => ending !== 'done');
    if (bad === undefined && replies !== null) return replies;
    const moved = bad?.outcome.kind === 'refused' ? movedPort(bad.outcome.reason) : null;
    port = moved ?? firstPort;
    failure = bad?.outcome.kind === 'done' ? '' : (bad?.outcome.reason ?? '');
    if (moved === null) await sleep(RETRY_MS);
  }
  throw new Error(`partition ${partition} cannot be read through port ${firstPort}: ${failure}`);
}

async function ask(port: number, keys: readonly string[]): Promise<readonly Reply[] | null> {
  const client = await connectWithin(port, CONNECT_MS_MAX);
  if (client === null) return null;
  const timer = setTimeout(() => client.close(), READ_MS_MAX);
  try {
    return await client.pipeline(keys.map((key) => ['GET', key]));
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    client.close();
  }
}
