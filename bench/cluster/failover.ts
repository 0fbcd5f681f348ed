/**
 * `kill -9` and a silent machine: how long until every partition answers again, writes and reads.
 *
 *   node dist/bench/cluster/failover.js [rounds] [silent rounds] [rounds of Redis Cluster]
 *
 * A figure is the time from the signal until *every* partition has acknowledged a command that was sent after the signal.
 * Every partition is probed at every server's cluster listener all the time, one command in flight, 10 ms between them.
 * Each round begins with a whole cluster. In even rounds the victim is the controller, in odd ones another leader. The
 * silent machine is a process under SIGSTOP: it answers nothing, and its connections stay open.
 */
import { CaskadeCluster } from '../peers/caskade-cluster.ts';
import { withPeer } from '../peers/peer.ts';
import { RedisCluster } from '../peers/redis-cluster.ts';
import type { ShardCluster, Victim } from '../peers/shard-cluster.ts';
import { warnOfLoad } from './machine-load.ts';
import { measureOutage, type Outage } from './outage/measure-outage.ts';

interface Fault {
  readonly name: string;
  readonly strike: (victim: Victim) => void;
  /** Makes a server of the victim again. */
  readonly undo: (victim: Victim) => Promise<void>;
}

const KILLED: Fault = {
  name: 'kill -9',
  strike: ({ member }) => member.process.signal('SIGKILL'),
  undo: ({ member }) => member.process.restart(),
};
const SILENT: Fault = {
  name: 'silent (SIGSTOP)',
  strike: ({ member }) => member.process.signal('SIGSTOP'),
  undo: ({ member }) => member.process.restart(),
};

async function repeat(cluster: ShardCluster, fault: Fault, rounds: number): Promise<void> {
  if (rounds === 0) return;
  console.log(`\n${cluster.name}, ${fault.name}: ${cluster.settings}\n`);
  console.log('| round | victim | every partition written after ms | read after ms |');
  console.log('|---|---|---|---|');
  const outages: Outage[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await cluster.whole();
    const victim = await cluster.victim(round);
    const outage = await measureOutage(cluster, victim, fault.strike);
    outages.push(outage);
    console.log(
      `| ${round + 1} | ${outage.role} | ${outage.writesMs.toFixed(0)} | ${outage.readsMs.toFixed(0)} |`,
    );
    await fault.undo(victim);
  }
  console.log('');
  console.log(
    summary(
      'writes',
      outages.map(({ writesMs }) => writesMs),
    ),
  );
  console.log(
    summary(
      'reads',
      outages.map(({ readsMs }) => readsMs),
    ),
  );
}

/** All values in order, and the one that 95 % do not exceed: the 19th of 20. */
function summary(what: string, values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right);
  const rank = Math.ceil(sorted.length * 0.95);
  const list = sorted.map((value) => value.toFixed(0)).join(' ');
  return `${what}, ms in order: ${list}; number ${rank} of ${sorted.length}: ${sorted[rank - 1]?.toFixed(0)}`;
}

async function main(rounds: number, silentRounds: number, roundsOfRedis: number): Promise<void> {
  warnOfLoad();
  if (rounds + silentRounds > 0)
    await withPeer(
      () => CaskadeCluster.start(),
      async (cluster) => {
        await repeat(cluster, KILLED, rounds);
        await repeat(cluster, SILENT, silentRounds);
      },
    );
  if (roundsOfRedis > 0)
    await withPeer(
      () => RedisCluster.start(),
      (cluster) => repeat(cluster, KILLED, roundsOfRedis),
    );
}

const [rounds = '20', silentRounds = '6', roundsOfRedis = '3'] = process.argv.slice(2);
await main(Number(rounds), Number(silentRounds), Number(roundsOfRedis));
