/**
 * GET at a leader of a cluster beside GET at a node alone, in turns in one run: what leading costs a read.
 *
 *   node dist/bench/cluster/reads.js [rounds] [seconds a sample]
 *
 * Both answer the same keys, those that one node of the cluster leads, from 50 connections: one server works on each side.
 * The processor time of the cluster is that of all three nodes, so it holds what they do at rest as well.
 */
import { CaskadeCluster } from '../peers/caskade-cluster.ts';
import { atOneLeader } from '../peers/cluster-slots.ts';
import { OneNode } from '../peers/one-node.ts';
import { withPeer } from '../peers/peer.ts';
import type { Routes } from './load/load-client.ts';
import { preload } from './load/preload.ts';
import { runLoad } from './load/run-load.ts';
import type { Workload } from './load/workload.ts';
import { warnOfLoad } from './machine-load.ts';
import { type Series, TABLE_HEAD, tableRow } from './samples.ts';

const KEYS = 300_000;
const CONNECTIONS = 50;
const WARM_UP_MS = 1_000;
const WINDOWS: readonly number[] = [1, 16];

async function compare(
  cluster: CaskadeCluster,
  alone: OneNode,
  rounds: number,
  seconds: number,
): Promise<void> {
  const { routes, keys } = atOneLeader(await cluster.routes(KEYS), KEYS);
  const atNode: Routes = { ...routes, endpoints: alone.routes.endpoints };
  for (const target of [routes, atNode]) await preload(target, keys);
  console.log(
    `${keys} keys, ${CONNECTIONS} connections\n- cluster: ${cluster.settings}\n- alone: ${alone.settings}`,
  );
  for (const window of WINDOWS) {
    const workload: Workload = { command: 'GET', perUnit: 1, wait: 0, window };
    const options = { connections: CONNECTIONS, keys, warmUpMs: WARM_UP_MS, measureMs: seconds * 1000 };
    const leader: Series = { name: 'leader in the cluster', results: [] };
    const node: Series = { name: 'node alone', results: [] };
    for (let round = 0; round < rounds; round += 1) {
      leader.results.push(await runLoad(workload, routes, options, () => cluster.cpuSeconds()));
      node.results.push(await runLoad(workload, atNode, options, () => alone.cpuSeconds()));
    }
    console.log(`\n### GET, ${window} in flight\n\n${TABLE_HEAD}`);
    for (const series of [leader, node]) console.log(tableRow(series, leader));
  }
}

async function main(rounds: number, seconds: number): Promise<void> {
  warnOfLoad();
  await withPeer(
    () => CaskadeCluster.start(),
    (cluster) =>
      withPeer(
        () => OneNode.start(),
        (alone) => compare(cluster, alone, rounds, seconds),
      ),
  );
}

const [rounds = '5', seconds = '4'] = process.argv.slice(2);
await main(Number(rounds), Number(seconds));
