import { PipelinedClient } from '../../../test/support/pipelined-client.ts';
import type { Routes } from './load-client.ts';
import { keyOf, VALUE_BYTES } from './workload.ts';

const BATCH = 500;

/** Stores every key that a load over `routes` reads. */
export async function preload(routes: Routes, keys: number): Promise<void> {
  const clients = await Promise.all(routes.endpoints.map(({ port }) => PipelinedClient.connect(port)));
  const value = 'v'.repeat(VALUE_BYTES);
  for (let from = 0; from < keys; from += BATCH) {
    const batches: string[][][] = clients.map(() => []);
    for (let index = from; index < Math.min(from + BATCH, keys); index += 1) {
      const key = routes.keyAt?.(index) ?? index;
      batches[routes.laneOf?.(key) ?? 0]!.push(['SET', keyOf(key), value]);
    }
    const replies = await Promise.all(clients.map((client, lane) => client.pipeline(batches[lane]!)));
    const bad = replies.flat().find(({ kind }) => kind !== 'simple');
    if (bad !== undefined) throw new Error(`a SET was answered ${JSON.stringify(bad)}`);
  }
  for (const client of clients) client.close();
}
