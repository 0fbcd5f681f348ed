/**
 * Replicated SET: three Caskade nodes, Redis with two replicas and WAIT, three etcd servers, in turns in one run.
 *
 *   node dist/bench/cluster/throughput.js [rounds] [seconds a sample] [partitions]
 *
 * One client program (bench/cluster/load) drives all: 64-byte values, random keys of a million, every answer checked, and
 * every answer means that the write is on disk at every replica (etcd: at two of three). What is sent to Redis:
 *
 * - one in flight: each connection sends `SET`, `WAIT 2 0` in one packet, and the next pair once both are answered;
 * - 16 pairs: 16 such pairs are in flight on each connection (Redis holds the pairs behind a WAIT that waits);
 * - 16 and one WAIT: 16 SETs and then one `WAIT 2 0`, in one packet; the next 16 once all is answered. That is a weaker
 *   thing than the others, since no SET of the 16 is known to be safe before all are; it is judged by all the same.
 */
import { CaskadeCluster } from '../peers/caskade-cluster.ts';
import { EtcdServers } from '../peers/etcd.ts';
import { withPeer } from '../peers/peer.ts';
import { RedisReplicas } from '../peers/redis-replicas.ts';
import { runEtcdLoad } from './load/etcd-load.ts';
import type { Routes } from './load/load-client.ts';
import { type LoadResult, runLoad } from './load/run-load.ts';
import type { Workload } from './load/workload.ts';
import { warnOfLoad } from './machine-load.ts';
import { latencyRatio, type Series, TABLE_HEAD, tableRow } from './samples.ts';

const KEYS = 1_000_000;
const WARM_UP_MS = 1_000;
const FIRST_WARM_UP_MS = 5_000;
const ETCD_CLIENTS: readonly number[] = [50, 100, 200, 500, 1000];

const PAIRS: Workload = { command: 'SET', perUnit: 1, wait: 2, window: 1 };
const OURS: Workload = { command: 'SET', perUnit: 1, wait: 0, window: 1 };

interface Peers {
  readonly caskade: CaskadeCluster;
  readonly routes: Routes;
  readonly redis: RedisReplicas;
  readonly etcd: EtcdServers;
}

/** Takes one sample of one peer. */
type Sampler = () => Promise<LoadResult>;

interface Row {
  readonly title: string;
  /** Ours first. */
  readonly samplers: readonly (readonly [name: string, sample: Sampler])[];
}

/** The concurrency at which etcd does most Puts a second, and whom its clients ask then. */
interface EtcdBest {
  readonly clients: number;
  readonly addresses: readonly string[];
}

class Throughput {
  readonly #peers: Peers;
  readonly #measureMs: number;

  constructor(peers: Peers, measureMs: number) {
    this.#peers = peers;
    this.#measureMs = measureMs;
  }

  rows(etcd: EtcdBest): readonly Row[] {
    const sixteen = { window: 16 };
    return [
      {
        title: '50 connections, one in flight',
        samplers: [
          ['Caskade', this.#caskade(50, OURS)],
          ['Redis, SET + WAIT 2 0', this.#redis(50, PAIRS)],
        ],
      },
      {
        title: '50 connections, 16 in flight',
        samplers: [
          ['Caskade', this.#caskade(50, { ...OURS, ...sixteen })],
          ['Redis, 16 pairs SET + WAIT 2 0', this.#redis(50, { ...PAIRS, ...sixteen })],
          ['Redis, 16 SET and one WAIT 2 0', this.#redis(50, { ...PAIRS, perUnit: 16 })],
          [`etcd, ${etcd.clients} clients, one in flight each`, this.#etcd(etcd)],
        ],
      },
      {
        title: 'one connection, one in flight',
        samplers: [
          ['Caskade', this.#caskade(1, OURS)],
          ['Redis, SET + WAIT 2 0', this.#redis(1, PAIRS)],
        ],
      },
    ];
  }

  /** What is measured should be compiled and running warm. */
  async warmUp(): Promise<void> {
    const warm = new Throughput(this.#peers, FIRST_WARM_UP_MS);
    await warm.#caskade(50, { ...OURS, window: 16 })();
    await warm.#redis(50, { ...PAIRS, perUnit: 16 })();
  }

  async bestOfEtcd(): Promise<EtcdBest> {
    const { addresses } = this.#peers.etcd;
    let best: EtcdBest & { readonly rate: number } = { clients: 0, addresses, rate: 0 };
    console.log('etcd, to find its best concurrency:');
    for (const asked of [addresses.slice(0, 1), addresses]) {
      for (const clients of ETCD_CLIENTS) {
        const { rate } = await this.#etcd({ clients, addresses: asked })();
        const whom = asked.length === 1 ? 'the leader' : 'all three';
        console.log(`- ${clients} clients asking ${whom}: ${Math.round(rate)} /s`);
        if (rate > best.rate) best = { clients, addresses: asked, rate };
      }
    }
    return best;
  }

  #caskade(connections: number, workload: Workload): Sampler {
    const { caskade, routes } = this.#peers;
    return () => runLoad(workload, routes, this.#options(connections), () => caskade.cpuSeconds());
  }

  #redis(connections: number, workload: Workload): Sampler {
    const { redis } = this.#peers;
    return () => runLoad(workload, redis.routes, this.#options(connections), () => redis.cpuSeconds());
  }

  #etcd({ clients, addresses }: EtcdBest): Sampler {
    const { etcd } = this.#peers;
    return () => runEtcdLoad(addresses, this.#options(clients), () => etcd.cpuSeconds());
  }

  #options(connections: number): Parameters<typeof runLoad>[2] {
    return { connections, keys: KEYS, warmUpMs: WARM_UP_MS, measureMs: this.#measureMs };
  }
}

async function measureRow({ title, samplers }: Row, rounds: number): Promise<void> {
  const all: Series[] = samplers.map(([name]) => ({ name, results: [] }));
  for (let round = 0; round < rounds; round += 1)
    for (const [index, [, sample]] of samplers.entries()) all[index]!.results.push(await sample());
  const ours = all[0]!;
  console.log(`\n### ${title}\n\n${TABLE_HEAD}`);
  for (const series of all) console.log(tableRow(series, ours));
  console.log(`\n${latencyRatio(ours, all[1]!)}`);
}

/** `partitions`: undefined takes what the configuration of a cluster says. With 1 one node leads everything, as Redis' master does. */
async function main(rounds: number, seconds: number, partitions?: number): Promise<void> {
  warnOfLoad();
  await withPeer(
    () => CaskadeCluster.start(partitions === undefined ? {} : { partitions }),
    (caskade) =>
      withPeer(
        () => RedisReplicas.start(),
        (redis) =>
          withPeer(
            () => EtcdServers.start(),
            async (etcd) => {
              for (const { name, settings } of [caskade, redis, etcd]) console.log(`- ${name}: ${settings}`);
              const peers = { caskade, redis, etcd, routes: await caskade.routes(KEYS) };
              const throughput = new Throughput(peers, seconds * 1000);
              await throughput.warmUp();
              const best = await throughput.bestOfEtcd();
              for (const row of throughput.rows(best)) await measureRow(row, rounds);
            },
          ),
      ),
  );
}

const [rounds = '5', seconds = '4', partitions] = process.argv.slice(2);
await main(Number(rounds), Number(seconds), partitions === undefined ? undefined : Number(partitions));
