import { expect } from 'chai';
import { parseClusterOptions } from '../../../scripts/cluster/options.ts';
import { CaskadeError } from '../../../src/model/errors.ts';

describe('options of make cluster', () => {
  it('without any: three nodes, everything else as the files say', () => {
    expect(parseClusterOptions([])).to.deep.equal({
      nodeCount: 3,
      chroot: null,
      zooKeeperServers: null,
      portOffset: 0,
      dataDirectory: null,
      nodeFlags: [],
    });
  });

  it('what stands behind -- is for the nodes', () => {
    const options = parseClusterOptions([
      '--nodes',
      '5',
      '--chroot',
      '/a/b',
      '--',
      '--log.level=debug',
      '--help',
    ]);
    expect(options).to.include({ nodeCount: 5, chroot: '/a/b' });
    expect(options?.nodeFlags).to.deep.equal(['--log.level=debug', '--help']);
  });

  it('ZooKeeper is a list of addresses', () => {
    const options = parseClusterOptions(['--zookeeper', 'one:2181,[::1]:2182']);
    expect(options?.zooKeeperServers).to.deep.equal(['one:2181', '[::1]:2182']);
  });

  it('help is asked for', () => {
    expect(parseClusterOptions(['-h'])).to.equal(null);
  });

  it('a wrong one is named, with what is allowed', () => {
    const wrong: [string[], RegExp][] = [
      [['--nodes', '2'], /--nodes is '2': expected a whole number from 3 to 10/],
      [['--nodes', ''], /--nodes is ''/],
      [['--nodes', '3.5'], /--nodes is '3\.5'/],
      [['--chroot', 'caskade'], /--chroot is 'caskade': expected a path/],
      [['--chroot', '/'], /--chroot is '\/'/],
      [['--zookeeper', 'host'], /--zookeeper names 'host': expected HOST:PORT/],
      [['--port-offset', '-1'], /port-offset/],
      [['--node', '3'], /Unknown option '--node'/],
      [['five'], /five/],
    ];
    for (const [argv, message] of wrong) {
      expect(() => parseClusterOptions(argv), argv.join(' '))
        .to.throw(CaskadeError, message)
        .with.property('code', 'usage');
    }
  });
});
