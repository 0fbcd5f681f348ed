import { slotOf } from '../../src/cluster/slots.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { withClient } from '../../test/support/pipelined-client.ts';
import type { Endpoint } from '../cluster/load/lane.ts';
import type { Routes } from '../cluster/load/load-client.ts';
import { keyOf } from '../cluster/load/workload.ts';

export const SLOT_COUNT = 16_384;

export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: Endpoint;
}

/** CLUSTER SLOTS of the node that listens on this port of 127.0.0.1. */
export async function clusterSlots(port: number): Promise<readonly SlotRange[]> {
  const reply = await withClient(port, (client) => client.run('CLUSTER', 'SLOTS'));
  if (reply.kind !== 'array') throw new Error(`CLUSTER SLOTS: ${JSON.stringify(reply)}`);
  return reply.items.map((range) => {
    const [first, last, master] = itemsOf(range);
    const [host, masterPort] = itemsOf(master);
    if (host?.kind !== 'bulk') throw new Error(`CLUSTER SLOTS: no address: ${JSON.stringify(range)}`);
    const endpoint = { host: host.bytes.toString() || '127.0.0.1', port: numberOf(masterPort) };
    return { first: numberOf(first), last: numberOf(last), master: endpoint };
  });
}

/** Sends each of `keys` keys where its slot is led. Throws where a slot has no leader. */
export function routesBySlot(ranges: readonly SlotRange[], keys: number): Routes {
  const endpoints: Endpoint[] = [];
  const laneOfSlot = new Int8Array(SLOT_COUNT).fill(-1);
  for (const { first, last, master } of ranges) {
    let lane = endpoints.findIndex(({ port }) => port === master.port);
    if (lane < 0) lane = endpoints.push(master) - 1;
    laneOfSlot.fill(lane, first, last + 1);
  }
  if (laneOfSlot.includes(-1)) throw new Error('CLUSTER SLOTS leaves slots without a leader');
  const laneOfKey = Int8Array.from({ length: keys }, (_, key) => laneOfSlot[slotOfKey(keyOf(key))]!);
  return { endpoints, keyAt: null, laneOf: (key) => laneOfKey[key]! };
}

/** Of the first `keys` keys those alone that the first endpoint leads: a load that keeps one server busy. */
export function atOneLeader(
  routes: Routes,
  keys: number,
): { readonly routes: Routes; readonly keys: number } {
  const led = Int32Array.from({ length: keys }, (_, key) => key).filter((key) => routes.laneOf?.(key) === 0);
  return {
    routes: { endpoints: routes.endpoints.slice(0, 1), keyAt: (index) => led[index]!, laneOf: null },
    keys: led.length,
  };
}

/** A key whose slot lies in the range. */
export function keyInRange(first: number, last: number): string {
  for (let attempt = 0; ; attempt += 1) {
    const key = `probe:${attempt}`;
    const slot = slotOfKey(key);
    if (slot >= first && slot <= last) return key;
  }
}

function slotOfKey(key: string): number {
  const bytes = Buffer.from(key);
  return slotOf(bytes, 0, bytes.length);
}

function itemsOf(reply: Reply | undefined): readonly Reply[] {
  if (reply?.kind !== 'array') throw new Error(`CLUSTER SLOTS: no array: ${JSON.stringify(reply)}`);
  return reply.items;
}

function numberOf(reply: Reply | undefined): number {
  if (reply?.kind !== 'integer') throw new Error(`CLUSTER SLOTS: no number: ${JSON.stringify(reply)}`);
  return Number(reply.value);
}
