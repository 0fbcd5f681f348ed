/** `make cluster`: ZooKeeper, unless one answers, and the nodes of conf/cluster3 in the foreground. --help says more. */
import { join } from 'node:path';
import { ExitCode } from '../../src/model/exit-codes.ts';
import { CASKADE, SOURCE_ROOT } from '../processes/caskade-program.ts';
import { onStopSignals, runScript } from '../processes/run-script.ts';
import { startZooKeeperIfNone } from './find-zookeeper.ts';
import { LocalCluster, StartFailure } from './local-cluster.ts';
import { isColoured, prefixOf } from './log-lines.ts';
import { type NodePlan, planNodes } from './node-plan.ts';
import { type ClusterOptions, DEFAULT_DATA, parseClusterOptions, USAGE } from './options.ts';
import { refuseOtherData } from './refuse-other-data.ts';

const { stdout, stderr } = process;
const coloured = (stream: NodeJS.WriteStream): boolean =>
  isColoured({ ...{ isTTY: stream.isTTY }, environment: process.env });
const say = (text: string): void => {
  stdout.write(`${prefixOf('cluster', null, coloured(stdout))}${text}\n`);
};

async function run(argv: readonly string[]): Promise<number> {
  const options = parseClusterOptions(argv);
  if (options === null) {
    stdout.write(USAGE);
    return ExitCode.ok;
  }
  const { CASKADE_CONFIG: _file, ...environment } = process.env;
  const plans = await planNodes(readable(options), join(SOURCE_ROOT, 'conf/cluster3'), environment);
  const outputOf: ConstructorParameters<typeof LocalCluster>[1]['outputOf'] = ({ name }, index) => ({
    prefix: prefixOf(name, index, coloured(stdout)),
    stdout,
    stderr,
  });
  const cluster = new LocalCluster(plans, { program: CASKADE, say, outputOf });
  const stopAsked = stopRequest(cluster);
  await cluster.refuseTakenPorts();
  try {
    await Promise.race([bringUp(cluster, plans, options), stopAsked]);
    await stopAsked;
    say('stopping');
    return ExitCode.ok;
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    stderr.write(`cluster: ${error.message}\n`);
    return error.exitCode;
  } finally {
    await cluster.stop();
  }
}

async function bringUp(
  cluster: LocalCluster,
  plans: readonly NodePlan[],
  { dataDirectory }: ClusterOptions,
): Promise<void> {
  const servers = plans[0]?.config.zookeeper.servers ?? [];
  const directory = join(dataDirectory ?? DEFAULT_DATA, 'zookeeper');
  const zooKeeper = await startZooKeeperIfNone(servers, directory, say);
  if (zooKeeper !== null) await cluster.adopt(zooKeeper);
  await refuseOtherData(plans);
  if (!(await cluster.start())) return;
  stdout.write(`${cluster.readyLine}\n`);
}

/** On a terminal people read along: nodes write into a pipe here, and would take JSON. */
function readable(options: ClusterOptions): ClusterOptions {
  if (stdout.isTTY !== true) return options;
  return { ...options, nodeFlags: ['--log.format=pretty', ...options.nodeFlags] };
}

/** Resolves at the first signal, or when nobody reads any more. The second signal ends all at once. */
function stopRequest(cluster: LocalCluster): Promise<void> {
  return new Promise((resolve) => {
    onStopSignals(resolve, () => {
      cluster.kill();
      process.exit(ExitCode.interrupted);
    });
    for (const stream of [stdout, stderr]) stream.on('error', () => resolve());
  });
}

await runScript('cluster', () => run(process.argv.slice(2)));
