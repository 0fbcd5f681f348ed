/**
 * Processor time of a cluster with nothing to do: three nodes, 12 partitions.
 *
 *   node dist/bench/cluster/idle.js [seconds]
 */
import { CaskadeCluster } from '../peers/caskade-cluster.ts';
import { withPeer } from '../peers/peer.ts';

const PARTITIONS = 12;
/** After the start, until compilers and collectors have come to rest: what happens a hundred times a second is compiled late. */
const SETTLE_MS = 60_000;

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

async function main(seconds: number): Promise<void> {
  await withPeer(
    () => CaskadeCluster.start({ partitions: PARTITIONS }),
    async (cluster) => {
      await sleep(SETTLE_MS);
      const usedBefore = cluster.members.map(({ process }) => process.cpuSeconds());
      const beganMs = performance.now();
      await sleep(seconds * 1000);
      const elapsedSeconds = (performance.now() - beganMs) / 1000;
      console.log(`idle, ${cluster.settings}, over ${elapsedSeconds.toFixed(0)} s\n`);
      console.log('| node | share of a core |\n|---|---|');
      for (const [index, { process }] of cluster.members.entries()) {
        const share = (process.cpuSeconds() - usedBefore[index]!) / elapsedSeconds;
        console.log(`| ${process.name} | ${(share * 100).toFixed(2)} % |`);
      }
    },
  );
}

const [seconds = '60'] = process.argv.slice(2);
await main(Number(seconds));
