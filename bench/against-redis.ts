/**
 * SET and GET beside redis-server at the same durability, in the same run, on the same disk:
 *
 *   node dist/bench/against-redis.js [rounds] [pipelines, as 1,16]
 *
 * Redis runs with `appendonly yes`, `appendfsync always`; Caskade with its defaults (flush always, 1 partition, ISR 1).
 * Rounds alternate between the two, and the ratio is taken within a round, because the machine is shared: the table gives
 * the medians. Processor time a request is the server's own.
 */
import { median } from './support/median.ts';
import { redisBenchmark, type Server, startCaskade, startRedis } from './support/processes.ts';

const CLIENTS = 50;
const VALUE_BYTES = 64;
const KEYS = 1_000_000;
const WARM_REQUESTS = 300_000;

interface Sample {
  readonly rate: number;
  readonly cpuMicros: number;
}

async function measure(server: Server, test: string, pipeline: number, requests: number): Promise<Sample> {
  const before = server.cpuSeconds();
  const rate = await redisBenchmark(server.port, [
    ...['-t', test, '-n', String(requests), '-c', String(CLIENTS), '-d', String(VALUE_BYTES)],
    ...['-r', String(KEYS), '-P', String(pipeline)],
  ]);
  return { rate, cpuMicros: ((server.cpuSeconds() - before) / requests) * 1e6 };
}

function row(test: string, pipeline: number, ours: readonly Sample[], theirs: readonly Sample[]): string {
  const rate = (samples: readonly Sample[]): string =>
    Math.round(median(samples.map((sample) => sample.rate))).toString();
  const cpu = (samples: readonly Sample[]): string =>
    median(samples.map((sample) => sample.cpuMicros)).toFixed(1);
  const ratios = ours.map((sample, index) => sample.rate / (theirs[index]?.rate ?? 1));
  const spread = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  return `| ${test} | ${pipeline} | ${rate(ours)} | ${rate(theirs)} | ${median(ratios).toFixed(2)} | ${spread} | ${cpu(ours)} / ${cpu(theirs)} |`;
}

async function main(rounds: number, pipelines: readonly number[]): Promise<void> {
  const caskade = await startCaskade();
  const redis = await startRedis();
  try {
    for (const server of [caskade, redis]) await measure(server, 'set', 16, WARM_REQUESTS);
    console.log(
      `${CLIENTS} clients, ${VALUE_BYTES} B, ${KEYS} random keys, flush always, 1 partition, ${rounds} rounds`,
    );
    console.log('| command | pipeline | caskade/s | redis/s | ratio | spread | CPU us caskade / redis |');
    console.log('|---|---|---|---|---|---|---|');
    for (const pipeline of pipelines) {
      for (const test of ['set', 'get']) {
        const requests = pipeline === 1 ? 100_000 : 50_000 * Math.min(pipeline, 16);
        const ours: Sample[] = [];
        const theirs: Sample[] = [];
        for (let round = 0; round < rounds; round += 1) {
          ours.push(await measure(caskade, test, pipeline, requests));
          theirs.push(await measure(redis, test, pipeline, requests));
        }
        console.log(row(test, pipeline, ours, theirs));
      }
    }
  } finally {
    await caskade.stop();
    await redis.stop();
  }
}

const [rounds = '5', pipelines = '1,16'] = process.argv.slice(2);
await main(Number(rounds), pipelines.split(',').map(Number));
