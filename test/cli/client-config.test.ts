import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { formatAddress, parseAddress } from '../../src/cli/address.ts';
import { parseClientConfig, readClientConfig } from '../../src/cli/client-config.ts';
import { runCli } from '../../src/cli/main.ts';
import { TestIo } from './test-io.ts';

describe('client configuration', () => {
  it('reads the address', () => {
    expect(parseClientConfig('addr: example.org:7001', 'c.yaml')).to.deep.equal({
      address: { host: 'example.org', port: 7001 },
    });
    expect(parseClientConfig('', 'c.yaml')).to.deep.equal({});
  });

  it("takes the predecessor's file and says in one line what of it has no effect", () => {
    const config = parseClientConfig('zk:\n  servers: [127.0.0.1:2181]\n  sessionTimeout: 3', 'c.yaml');
    expect(config).to.deep.equal({
      zooKeeper: { servers: ['127.0.0.1:2181'], chroot: '/caskade', auth: '' },
    });
    const modes = [
      [-1, 'all'],
      [0, 'none'],
      [1, 'leader'],
      ['leader', 'leader'],
    ] as const;
    for (const [ack, acks] of modes) expect(parseClientConfig(`ack: ${ack}`, 'c.yaml').acks).to.equal(acks);
    expect(parseClientConfig('ack: -1', 'c.yaml').notice).to.equal(undefined);
    expect(parseClientConfig('ack: 1', 'c.yaml').notice).to.match(/^c\.yaml: ack is ignored without --grpc/);
  });

  it('reads the file that comes with the product', () => {
    const shipped = fileURLToPath(new URL('../../../conf/client/cli.yaml', import.meta.url));
    expect(readClientConfig(shipped)).to.deep.equal({});
    const lines = readFileSync(shipped, 'utf8').split('\n');
    // What stands there as an example is taken as it stands.
    const examples = lines.map((line) => line.replace(/^#(\w+:| {2})/, '$1')).join('\n');
    expect(parseClientConfig(examples, 'cli.yaml')).to.deep.equal({
      address: { host: '127.0.0.1', port: 6379 },
      zooKeeper: { servers: ['127.0.0.1:2181'], chroot: '/caskade', auth: '' },
      acks: 'all',
    });
  });

  it('a file that is wrong exits 3', async () => {
    const io = new TestIo();
    expect(await runCli(['--config', '/nonexistent/c.yaml', 'ping'], io)).to.equal(3);
    expect(io.err).to.match(/^caskade: cannot read the client configuration .*\n$/);
  });

  it('names the file, the key and what is allowed', () => {
    const bad: [string, RegExp][] = [
      ['adr: h:1', /c\.yaml: .*adr.*allowed keys: addr/],
      ['addr: 5', /c\.yaml: addr: /],
      ['addr: h', /c\.yaml: addr: invalid address 'h'/],
      ['zk: {}', /c\.yaml: zk\.servers: /],
      [
        'zk: {servers: [a:1], chroot: /caskade/../other}',
        /zk\.chroot: expected a path such as \/caskade, without/,
      ],
      ['zk: {servers: [], chroot: x}', /zk\.servers: .*; zk\.chroot: expected a path/],
      ['ack: 2', /c\.yaml: ack: expected all, leader or none/],
      ['addr: [', /c\.yaml is not valid YAML/],
    ];
    for (const [text, message] of bad)
      expect(() => parseClientConfig(text, 'c.yaml'), text).to.throw(message);
    expect(() => readClientConfig('/nonexistent/c.yaml')).to.throw(
      /cannot read .*\/nonexistent\/c\.yaml \(ENOENT\)/,
    );
  });

  it('an address is printed as it is read', () => {
    for (const text of ['127.0.0.1:6379', '[::1]:1', 'my-host.example:65535', 'localhost:80']) {
      expect(formatAddress(parseAddress(text))).to.equal(text);
    }
  });
});
