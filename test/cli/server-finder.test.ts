import { expect } from 'chai';
import { type Address, DEFAULT_ADDRESS, parseAddress } from '../../src/cli/address.ts';
import { ServerFinder } from '../../src/cli/server-finder.ts';
import { freePorts } from '../support/free-ports.ts';
import { FakeServer } from './fake-server.ts';
import { TestIo } from './test-io.ts';

const PONG = '+PONG\r\n';

describe('the server that a client talks to', () => {
  const servers: FakeServer[] = [];
  let standalone: Address;
  let cluster: Address[];

  beforeEach(async () => {
    const [one, ...others] = await freePorts(4);
    standalone = { host: '127.0.0.1', port: one! };
    cluster = others.map((port) => ({ host: '127.0.0.1', port }));
  });
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

  async function serve(address: Address | undefined, answer = PONG): Promise<FakeServer> {
    const server = await FakeServer.start(() => answer, address?.port);
    servers.push(server);
    return server;
  }

  const finder = (io = new TestIo()): ServerFinder =>
    new ServerFinder({ kind: 'here' }, io, [[standalone], cluster]);

  it('is the one that was named, without a look at it', async () => {
    const address = parseAddress('example.org:1');
    expect(await new ServerFinder({ kind: 'address', address }, new TestIo()).find()).to.equal(address);
  });

  it('is the node alone, where it runs', async () => {
    await serve(standalone);
    await serve(cluster[0]);
    expect(await finder().find()).to.deep.equal(standalone);
  });

  it('is else the first node of the cluster that answers, be it with a refusal', async () => {
    await serve(cluster[1], '-NOAUTH Authentication required.\r\n');
    await serve(cluster[2]);
    expect(await finder().find()).to.deep.equal(cluster[1]);
  });

  it('is looked for again among its like: not another store', async () => {
    const first = await serve(cluster[0]);
    const search = finder();
    expect(await search.find()).to.deep.equal(cluster[0]);
    await first.stop();
    await serve(standalone);
    await serve(cluster[2]);
    expect(await search.find()).to.deep.equal(cluster[2]);
  });

  it('is the usual one where nobody answers, so that the connection fails with a reason', async () => {
    expect(await finder().find()).to.equal(standalone);
    expect(DEFAULT_ADDRESS).to.deep.equal({ host: '127.0.0.1', port: 6379 });
  });

  it('is named on a terminal only', async () => {
    await serve(cluster[0]);
    const terminal = new TestIo({ terminal: true });
    await finder(terminal).find();
    expect(terminal.err).to.equal(`caskade: talking to the cluster by 127.0.0.1:${cluster[0]?.port}\n`);
    const pipe = new TestIo();
    await finder(pipe).find();
    expect(pipe.err).to.equal('');
  });
});
