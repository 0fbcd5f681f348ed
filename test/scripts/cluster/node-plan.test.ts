import { join } from 'node:path';
import { expect } from 'chai';
import { nodeName, planNodes, portsOf } from '../../../scripts/cluster/node-plan.ts';
import { type ClusterOptions, parseClusterOptions } from '../../../scripts/cluster/options.ts';
import { SOURCE_ROOT } from '../../../scripts/processes/caskade-program.ts';

const FOLDER = join(SOURCE_ROOT, 'conf/cluster3');

function plan(argv: readonly string[], environment: Record<string, string> = {}) {
  return planNodes(parseClusterOptions(argv) as ClusterOptions, FOLDER, environment);
}

describe('what the nodes of make cluster are started with', () => {
  it('three nodes: their files, as they are', async () => {
    const plans = await plan([]);
    expect(plans.map(({ words }) => words.slice(2))).to.deep.equal([[], [], []]);
    for (const [index, { name, words, config }] of plans.entries()) {
      const id = index + 1;
      expect(name).to.equal(`node0${id}`);
      expect(words[1]).to.match(new RegExp(`conf/cluster3/server-node0${id}\\.yaml$`));
      expect(config.node.id).to.equal(id);
      expect(config.data.dir).to.equal(`./data/node0${id}`);
      expect(portsOf(config).map(([, port]) => port)).to.deep.equal([
        7000 + id,
        7010 + id,
        7100 + id,
        7200 + id,
      ]);
    }
  });

  it('all agree about the cluster', async () => {
    const plans = await plan(['--nodes', '5']);
    for (const { config } of plans) {
      expect(config.cluster).to.deep.equal(plans[0]?.config.cluster);
      expect(config.cluster).to.include({
        partitions: 6,
        replicationFactor: 3,
        minInsync: 2,
        flush: 'always',
      });
      expect(config.coordinator).to.equal('zookeeper');
      expect(config.zookeeper).to.deep.include({ servers: ['127.0.0.1:2181'], chroot: '/caskade' });
    }
  });

  it('further nodes go on with numbers, folders and ports', async () => {
    const [, , , fourth, fifth] = await plan(['--nodes', '5']);
    expect(fourth?.words.slice(2)).to.deep.equal([
      '--node.id=4',
      '--data.dir=./data/node04',
      '--resp.port=7004',
      '--resp.clusterPort=7014',
      '--rpc.port=7104',
      '--metrics.port=7204',
    ]);
    expect(fifth?.config.resp).to.include({ port: 7005, clusterPort: 7015 });
  });

  it('ten nodes share no port, with an offset neither', async () => {
    const plans = await plan(['--nodes', '10', '--port-offset', '1000']);
    const ports = plans.flatMap(({ config }) => portsOf(config).map(([, port]) => port));
    expect(new Set(ports).size).to.equal(40);
    expect(Math.min(...ports)).to.equal(8001);
    expect(nodeName(10)).to.equal('node10');
  });

  it('a flag says only what is not as in the file', async () => {
    const [first] = await plan([
      '--chroot',
      '/other',
      '--data',
      'd',
      '--zookeeper',
      'a:1,b:2',
      '--',
      '--log.level=warn',
    ]);
    expect(first?.words.slice(2)).to.deep.equal([
      '--data.dir=d/node01',
      '--zookeeper.chroot=/other',
      '--zookeeper.servers=a:1,b:2',
      '--log.level=warn',
    ]);
    expect(first?.config.zookeeper.servers).to.deep.equal(['a:1', 'b:2']);
    const [same] = await plan(['--chroot', '/caskade', '--zookeeper', '127.0.0.1:2181']);
    expect(same?.words.slice(2)).to.deep.equal([]);
  });

  it('a port that a variable gives to all is refused before anything starts', async () => {
    const error = await plan([], { CASKADE_RESP__PORT: '7500' }).catch((thrown: unknown) => thrown);
    expect((error as Error).message).to.equal('resp.port of node02 is 7500, as is resp.port of node01');
  });

  it('a flag that no node knows is refused with its name', async () => {
    const error = await plan(['--', '--storage.engin=x']).catch((thrown: unknown) => thrown);
    expect((error as Error).message).to.match(/storage\.engin: unknown key/);
  });
});
