/**
 * The engine in process, without sockets: PUT of a million records through log and sync, then warm GETs of random keys.
 *
 *   node dist/bench/engine.js [keys]
 */
import { rmSync } from 'node:fs';
import { EntryView, KeyView, type LeaderPartition, ReadOutcome } from '../src/cluster/index.ts';
import { loadConfig } from '../src/config/load.ts';
import { SystemClock } from '../src/env/clock.ts';
import { NullLogger } from '../src/env/logger.ts';
import { NodeFileSystem } from '../src/env/node-file-system.ts';
import { SystemRandom } from '../src/env/random.ts';
import { asDatabaseId, NO_EXPIRY } from '../src/model/numbers.ts';
import { StoreNode } from '../src/server/store-node.ts';
import { newDataDirectory } from './support/processes.ts';

const VALUE = Buffer.alloc(64, 'v');
const DATABASE = asDatabaseId(0);
const PER_TURN = 1000;
const GETS = 2_000_000;

function setKey(key: KeyView, partition: LeaderPartition, number: number): void {
  (key.bytes as Buffer).write(String(number).padStart(16, '0'), 0, 'latin1');
  key.hash = partition.hash(key.bytes, 0, 16);
}

function newKey(): KeyView {
  const key = new KeyView();
  key.bytes = Buffer.alloc(16);
  key.end = 16;
  return key;
}

async function putAll(partition: LeaderPartition, key: KeyView, keys: number): Promise<number> {
  const startedAt = performance.now();
  for (let number = 0; number < keys; number += PER_TURN) {
    let last = partition.highWatermark;
    for (let index = 0; index < PER_TURN; index += 1) {
      setKey(key, partition, number + index);
      last = partition.put(DATABASE, key, VALUE, 0, VALUE.length, NO_EXPIRY);
    }
    await partition.whenResolved(last);
  }
  return performance.now() - startedAt;
}

function getRandom(partition: LeaderPartition, key: KeyView, keys: number): { ms: number; warm: number } {
  const entry = new EntryView();
  let seed = 12345;
  let warm = 0;
  const startedAt = performance.now();
  for (let count = 0; count < GETS; count += 1) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    setKey(key, partition, seed % keys);
    if (partition.readCommitted(DATABASE, key, entry, true) === ReadOutcome.ready) warm += 1;
  }
  return { ms: performance.now() - startedAt, warm };
}

/** What making the keys costs, to be taken off. */
function keysOnly(partition: LeaderPartition, key: KeyView, keys: number): number {
  let seed = 12345;
  const startedAt = performance.now();
  for (let count = 0; count < GETS; count += 1) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    setKey(key, partition, seed % keys);
  }
  return performance.now() - startedAt;
}

async function main(keys: number): Promise<void> {
  const directory = newDataDirectory();
  const { config } = loadConfig({ flags: [{ flag: '--data.dir', key: 'data.dir', value: directory }] });
  const doors = {
    fileSystem: new NodeFileSystem(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: new NullLogger(),
  };
  const node = await StoreNode.open(config, doors);
  try {
    const partition = node.router.partitions[0] as LeaderPartition;
    const key = newKey();
    const putMs = await putAll(partition, key, keys);
    getRandom(partition, key, keys);
    const { ms, warm } = getRandom(partition, key, keys);
    const overheadMs = keysOnly(partition, key, keys);
    console.log(`| PUT, ${PER_TURN} a batch, flush always | ${((putMs / keys) * 1000).toFixed(2)} us |`);
    console.log(
      `| warm GET of ${keys} random keys, 64 B (${((warm / GETS) * 100).toFixed(1)} % in memory) | ${(((ms - overheadMs) / GETS) * 1000).toFixed(2)} us |`,
    );
  } finally {
    await node.close();
    rmSync(directory, { recursive: true });
  }
}

await main(Number(process.argv[2] ?? '1000000'));
