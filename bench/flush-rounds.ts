/**
 * What a round of flushes costs over 1, 6 and 12 logs: one batch of 4 KiB a log, written into zeros laid ahead and
 * synced, through the production file system and the flush scheduler's cap; beside the same without zeros laid ahead.
 *
 *   node dist/bench/flush-rounds.js [rounds]
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../src/env/clock.ts';
import type { FileHandle } from '../src/env/file-system.ts';
import { NodeFileSystem } from '../src/env/node-file-system.ts';
import { LIMITS } from '../src/model/limits.ts';
import { type Flushable, FlushScheduler } from '../src/storage/flush-scheduler.ts';
import { median } from './support/median.ts';
import { newDataDirectory } from './support/processes.ts';

const BATCH = Buffer.alloc(4096, 7);
const FILE_BYTES = 16 * 1024 * 1024;
const PIECE = Buffer.alloc(1024 * 1024);

/** One log file that is always dirty again when the next round begins. */
class DirtyLog implements Flushable {
  hasUnflushed = false;
  #position = 0;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async flushOne(): Promise<void> {
    await this.#handle.writeAt([BATCH], this.#position);
    await this.#handle.sync();
    this.#position += BATCH.length;
    this.hasUnflushed = false;
  }
}

async function openLogs(directory: string, count: number, isZeroed: boolean): Promise<DirtyLog[]> {
  const fileSystem = new NodeFileSystem();
  const logs: DirtyLog[] = [];
  for (let index = 0; index < count; index += 1) {
    const handle = await fileSystem.open(join(directory, `${count}-${isZeroed}-${index}`), 'create');
    for (let at = 0; isZeroed && at < FILE_BYTES; at += PIECE.length) await handle.writeAt([PIECE], at);
    await handle.sync();
    logs.push(new DirtyLog(handle));
  }
  await fileSystem.syncDirectory(directory);
  return logs;
}

async function roundsMs(logs: readonly DirtyLog[], rounds: number): Promise<number[]> {
  const scheduler = new FlushScheduler(new SystemClock(), LIMITS.concurrentSyncsMax);
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    for (const log of logs) {
      log.hasUnflushed = true;
      scheduler.request(log);
    }
    while (logs.some((log) => log.hasUnflushed)) await new Promise((resolve) => setImmediate(resolve));
    times.push(performance.now() - startedAt);
  }
  return times;
}

async function main(rounds: number): Promise<void> {
  const directory = newDataDirectory();
  try {
    console.log(
      `rounds of one 4 KiB batch a log, at most ${LIMITS.concurrentSyncsMax} syncs at a time, ${rounds} rounds`,
    );
    console.log('| logs | zeros ahead, ms a round (median / p95) | appended to the end of the file, ms |');
    console.log('|---|---|---|');
    for (const count of [1, 6, 12]) {
      const cells: string[] = [];
      for (const isZeroed of [true, false]) {
        const times = await roundsMs(await openLogs(directory, count, isZeroed), rounds);
        const sorted = times.toSorted((left, right) => left - right);
        const p95 = sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN;
        cells.push(`${median(times).toFixed(2)} / ${p95.toFixed(2)}`);
      }
      console.log(`| ${count} | ${cells.join(' | ')} |`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

await main(Number(process.argv[2] ?? '1000'));
