import { asDatabaseId, asNodeId, asPartitionId, NO_EXPIRY, type NodeId } from '../../../src/model/numbers.ts';
import { KeyView, type LeaderPartition } from '../../../src/replication/leader-partition.ts';
import type { World } from './world.ts';

export const P0 = asPartitionId(0);
const DATABASE = asDatabaseId(0);

function keyOf(partition: LeaderPartition, name: string): KeyView {
  const key = new KeyView();
  key.bytes = Buffer.from(name);
  key.start = 0;
  key.end = key.bytes.length;
  key.hash = partition.hash(key.bytes, key.start, key.end);
  return key;
}

/** What a client gets that sets a key on a node: committed, in doubt, or why not. */
function put(world: World, to: NodeId, name: string, told: (outcome: string) => void): void {
  world.request<string>({
    to,
    work: ({ cluster }, respond) => {
      const partition = cluster.replicas.leading(P0);
      const refusal = partition?.writeRefusal();
      if (partition === null || refusal !== null) {
        respond(refusal?.code ?? 'notLeader');
        return;
      }
      if (partition.congestion !== null) {
        respond('congested');
        return;
      }
      const value = Buffer.from(`value of ${name}`);
      partition.put(DATABASE, keyOf(partition, name), value, 0, value.length, NO_EXPIRY);
      partition.listen({
        committed: () => respond('done'),
        inDoubt: (_partition, _offset, error) => respond(error.code),
      });
    },
    answered: told,
    failed: told,
  });
}

/** Sets a key on whom the coordinator names as leader, and waits for the outcome; '' after 5 s without any. */
export async function written(world: World, name: string): Promise<string> {
  let outcome = '';
  put(world, world.leader(P0) ?? asNodeId(1), name, (told) => {
    outcome = told;
  });
  await world.runUntil(() => outcome !== '', 5000, 1);
  return outcome;
}

/** Writes again until it is done: refusals and doubts are what clients live with. */
export async function writtenAtLast(world: World, name: string, msMax: number): Promise<boolean> {
  const untilMs = world.nowMs + msMax;
  while (world.nowMs < untilMs) {
    if ((await written(world, name)) === 'done') return true;
    await world.run(50);
  }
  return false;
}
