import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { LocalCluster, obituary, StartFailure } from '../../../scripts/cluster/local-cluster.ts';
import { type NodePlan, planNodes, portsOf } from '../../../scripts/cluster/node-plan.ts';
import { type ClusterOptions, parseClusterOptions } from '../../../scripts/cluster/options.ts';
import { SOURCE_ROOT } from '../../../scripts/processes/caskade-program.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import { freePortOffset } from '../../support/free-port-offset.ts';

const FAKE_NODE = fileURLToPath(new URL('./fake-node.js', import.meta.url));

describe('the launcher of a cluster', () => {
  let plans: readonly NodePlan[];
  let said: string[];
  let printed: string;
  let cluster: LocalCluster;

  const print = {
    write: (text: string): boolean => {
      printed += text;
      return true;
    },
  };

  function launch(behaviour: string): LocalCluster {
    cluster = new LocalCluster(plans, {
      program: [process.execPath, FAKE_NODE, behaviour],
      say: (text) => said.push(text),
      outputOf: ({ name }) => ({ prefix: `${name} | `, stdout: print, stderr: print }),
    });
    return cluster;
  }

  beforeEach(async () => {
    said = [];
    printed = '';
    const argv = ['--port-offset', String(await freePortOffset(3))];
    plans = await planNodes(
      parseClusterOptions(argv) as ClusterOptions,
      join(SOURCE_ROOT, 'conf/cluster3'),
      {},
    );
  });

  afterEach(() => cluster.stop());

  it('is ready when every node serves and every slot has a leader', async () => {
    expect(await launch('leaderless').start()).to.equal(true);
    for (const name of ['node01', 'node02', 'node03']) expect(printed).to.include(`${name} | ready: fake`);
    const [first = 0, second, third] = plans.map(({ config }) => config.resp.port);
    expect(cluster.readyLine).to.match(/^ready: 3 nodes on 127\.0\.0\.1, /);
    expect(cluster.readyLine).to.include(
      `plain clients ${first}, ${second}, ${third}; cluster clients ${first + 10}`,
    );
    expect(cluster.readyLine).to.include('ZooKeeper 127.0.0.1:2181/caskade');
  });

  it('a leader that takes no writes yet is waited for', async () => {
    const startedMs = performance.now();
    expect(await launch('lonely').start()).to.equal(true);
    expect(performance.now() - startedMs).to.be.greaterThan(300);
  });

  it('a node that cannot start stops all, and its exit code is ours', async () => {
    const failure = await launch('refuses')
      .start()
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(StartFailure).with.property('exitCode', 3);
    expect((failure as Error).message).to.match(
      /^node0\d ended with exit code 3 before the cluster was ready/,
    );
    expect(printed).to.match(/^node0\d \| fake: this configuration is refused$/m);
    await cluster.stop();
    for (const { name } of plans) expect(cluster.pidOf(name)).to.equal(-1);
  });

  it('a node that dies by itself is named with what brings it back, and the others go on', async () => {
    await launch('serves').start();
    process.kill(cluster.pidOf('node02'), 'SIGKILL');
    while (said.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(said[0]).to.match(
      /^node02 ended by itself with signal SIGKILL; this brings it back: npx caskade server /,
    );
    expect(said[0]).to.include('server-node02.yaml --resp.port=');
    expect(cluster.pidOf('node01')).to.be.greaterThan(0);
    expect(cluster.pidOf('node02')).to.equal(-1);
  });

  it('to stop is to wait for all of them', async () => {
    await launch('stubborn').start();
    await cluster.stop();
    for (const { name } of plans) expect(cluster.pidOf(name)).to.equal(-1);
    expect(said).to.deep.equal([]);
  });

  it('after a stop nothing is started any more', async () => {
    await launch('serves').stop();
    expect(await cluster.start()).to.equal(false);
    expect(printed).to.equal('');
  });

  it('a second one beside it is refused in one line', async () => {
    await launch('serves').start();
    const second = new LocalCluster(plans, {
      program: [],
      say: () => {},
      outputOf: () => ({ prefix: '', stdout: print, stderr: print }),
    });
    const refusal = await second.refuseTakenPorts().catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(CaskadeError).with.property('code', 'portTaken');
    expect((refusal as Error).message).to.match(
      /^a server answers on 127\.0\.0\.1:\d+ \(resp\.port of node01\) already/,
    );
    expect((refusal as Error).message).to.not.include('\n');
  });

  it('a port that another program has is named with whose it was to be', async () => {
    launch('serves');
    const port = portsOf(plans[1]!.config).find(([key]) => key === 'rpc.port')?.[1];
    const other: Server = createServer().listen(port, '127.0.0.1');
    const refusal = await cluster.refuseTakenPorts().catch((error: unknown) => error);
    other.close();
    expect((refusal as Error).message).to.match(/\(rpc\.port of node02\) is taken by another program/);
  });

  it('the line that brings a node back can be typed as it stands', () => {
    const words = ['--config', 'conf/my nodes/a.yaml', "--data.dir=it's"];
    expect(obituary({ ...plans[0]!, words }, { code: 5, signal: null })).to.equal(
      `node01 ended by itself with exit code 5; this brings it back: npx caskade server --config 'conf/my nodes/a.yaml' '--data.dir=it'\\''s'`,
    );
  });
});
