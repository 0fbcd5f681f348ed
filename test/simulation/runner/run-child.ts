/** One child of the pool: runs what it is sent, one after the other, and answers. */
import type { PoolAnswer, PoolRequest } from './run-pool.ts';
import { settingsOf } from './run-settings.ts';
import { simulateRun } from './simulation-run.ts';

async function answerTo(request: PoolRequest): Promise<PoolAnswer> {
  try {
    return { kind: 'done', result: await simulateRun(settingsOf(request.seed, request)) };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { kind: 'broken', seed: request.seed, text };
  }
}

process.on('message', (request: PoolRequest) => {
  void answerTo(request).then((answer) => process.send?.(answer));
});

// Nobody is left to answer: the suite was ended.
process.on('disconnect', () => process.exit());
