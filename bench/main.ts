/** `make bench`: every benchmark, one after the other, each in a process of its own. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Benchmark {
  readonly name: string;
  readonly nodeFlags: readonly string[];
  readonly args: readonly string[];
}

const BENCHMARKS: readonly Benchmark[] = [
  { name: 'flush-rounds', nodeFlags: [], args: [] },
  { name: 'keydir', nodeFlags: ['--expose-gc'], args: ['8'] },
  { name: 'engine', nodeFlags: [], args: [] },
  { name: 'against-redis', nodeFlags: [], args: ['5', '1,16'] },
  { name: 'cluster/throughput', nodeFlags: [], args: [] },
  { name: 'cluster/reads', nodeFlags: [], args: [] },
  { name: 'cluster/idle', nodeFlags: [], args: [] },
  { name: 'cluster/failover', nodeFlags: [], args: [] },
];

/** `cluster` stands for all of its folder. */
const isMeant = (word: string, name: string): boolean => name === word || name.startsWith(`${word}/`);

const wanted = process.argv.slice(2);
const unknown = wanted.filter((word) => !BENCHMARKS.some(({ name }) => isMeant(word, name)));
if (unknown.length > 0) {
  console.error(
    `no benchmark is called ${unknown.join(', ')}; there are: ${BENCHMARKS.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
for (const { name, nodeFlags, args } of BENCHMARKS) {
  if (wanted.length > 0 && !wanted.some((word) => isMeant(word, name))) continue;
  console.log(`\n## ${name}\n`);
  const script = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { status } = spawnSync(process.execPath, [...nodeFlags, script, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
