import { expect } from 'chai';
import { runCli } from '../../src/cli/main.ts';
import { type Answer, bulk, CLOSE, FakeServer, tinyStore } from './fake-server.ts';
import { TestIo, until } from './test-io.ts';

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function cli(argv: string[], { terminal = false } = {}): Promise<Result> {
  const io = new TestIo({ terminal });
  const code = await runCli(argv, io);
  return { code, out: io.out, err: io.err };
}

describe('caskade cli, one command', () => {
  let server: FakeServer;
  const start = async (answer: Answer): Promise<void> => {
    server = await FakeServer.start(answer);
  };
  const run = (...words: string[]): Promise<Result> => cli(['--addr', server.address, ...words]);
  afterEach(() => server?.stop());

  it('set prints OK, get the value, rm nothing, each with exit 0', async () => {
    await start(tinyStore());
    expect(await run('set', 'k', 'v')).to.deep.equal({ code: 0, out: 'OK\n', err: '' });
    expect(await run('-q', 'set', 'k', 'v')).to.deep.equal({ code: 0, out: '', err: '' });
    expect(await run('get', 'k')).to.deep.equal({ code: 0, out: 'v\n', err: '' });
    expect(await run('rm', 'k')).to.deep.equal({ code: 0, out: '', err: '' });
  });

  it('get of a missing key prints Key not found and exits 0', async () => {
    await start(tinyStore());
    expect(await run('get', 'k')).to.deep.equal({ code: 0, out: 'Key not found\n', err: '' });
    const terminal = await cli(['--addr', server.address, 'get', 'k'], { terminal: true });
    expect(terminal).to.deep.equal({ code: 0, out: 'Key not found\n', err: '' });
  });

  it('rm of a missing key prints Key not found to stderr and exits 1', async () => {
    await start(tinyStore());
    expect(await run('rm', 'k')).to.deep.equal({ code: 1, out: '', err: 'Key not found\n' });
    expect(server.requests.at(-1)).to.deep.equal(['DEL', 'k']);
  });

  it("any other command goes to the server as it stands and prints raw in a pipe, in redis-cli's form on a terminal", async () => {
    await start(tinyStore());
    expect(await run('incrby', 'k', '-5')).to.include({ code: 1 });
    expect(server.requests.at(-1)).to.deep.equal(['incrby', 'k', '-5']);
    expect(await run('strlen', 'k')).to.include({ code: 0, out: '0\n' });
    const terminal = await cli(['--addr', server.address, 'strlen', 'k'], { terminal: true });
    expect(terminal.out).to.equal('(integer) 0\n');
    expect((await run('set', '--json', '--addr')).out).to.equal('OK\n');
  });

  it("--redis is redis-cli's form and --json is JSON, exit codes staying as they are", async () => {
    await start(tinyStore());
    const redis = await cli(['--addr', server.address, '--redis', 'get', 'k'], { terminal: true });
    expect(redis).to.include({ code: 0, out: '(nil)\n' });
    expect(await run('--redis', 'get', 'k')).to.include({ code: 0, out: '\n' });
    expect(await run('--json', 'get', 'k')).to.include({ code: 0, out: 'null\n' });
    expect(await run('--json', 'rm', 'k')).to.deep.equal({ code: 1, out: '0\n', err: 'Key not found\n' });
  });

  it('--json asks for RESP3 and speaks RESP2 with a server that refuses it', async () => {
    await start((words) => (words[0] === 'HELLO' ? '-NOPROTO no\r\n' : bulk('v')));
    expect(await run('--json', 'get', 'k')).to.include({ code: 0, out: '"v"\n' });
    expect(server.requests[0]).to.deep.equal(['HELLO', '3']);
  });

  it('prints the bytes of a value as they are', async () => {
    await start(() => Buffer.from('$3\r\n\xff\x00\x80\r\n', 'latin1'));
    const io = new TestIo();
    await runCli(['--addr', server.address, 'get', 'k'], io);
    expect(io.outBytes.toString('latin1')).to.equal('\xff\x00\x80\n');
  });

  it('an error of the server goes to stderr with exit 1, one in doubt with exit 7', async () => {
    await start((words) => (words[0] === 'set' ? '-INDOUBT 0 1 7 fsync failed\r\n' : '-ERR no\r\n'));
    expect(await run('incr', 'k')).to.deep.equal({ code: 1, out: '', err: '(error) ERR no\n' });
    expect(await run('--redis', 'incr', 'k')).to.deep.equal({ code: 1, out: 'ERR no\n\n', err: '' });
    expect(await run('--json', 'incr', 'k')).to.deep.equal({ code: 1, out: '{"error":"ERR no"}\n', err: '' });
    expect((await run('set', 'k', 'v')).code).to.equal(7);
  });

  it('a connection lost before the reply leaves a write in doubt and fails a read', async () => {
    await start(() => CLOSE);
    const write = await run('set', 'k', 'v');
    expect(write.code).to.equal(7);
    expect(write.err).to.match(/connection to 127\.0\.0\.1:\d+ lost: .*not known\n$/);
    expect((await run('get', 'k')).code).to.equal(1);
    expect(await run('shutdown')).to.deep.equal({ code: 0, out: '', err: '' });
  });

  it('a reply that is not RESP ends the connection with a clear line', async () => {
    await start(() => 'HTTP/1.1 400 Bad Request\r\n\r\n');
    const { code, err } = await run('get', 'k');
    expect(code).to.equal(1);
    expect(err).to.contain("the server's reply is not RESP");
  });

  it('without a server it exits 1 and says what to do', async () => {
    await start(() => null);
    const { address } = server;
    await server.stop();
    for (const words of [['get', 'k'], []]) {
      const io = new TestIo();
      io.stdin.end();
      expect(await runCli(['--addr', address, ...words], io)).to.equal(1);
      expect(io.err).to.equal(
        `caskade: could not connect to Caskade at ${address}: connection refused; ` +
          "start one with 'make standalone' or 'make cluster', or name another with --addr HOST:PORT\n",
      );
    }
  });

  it('Ctrl-C while waiting exits 130', async () => {
    await start(() => null);
    const io = new TestIo();
    const done = runCli(['--addr', server.address, 'set', 'k', 'v'], io);
    await until(() => server.requests.length > 0);
    io.interrupt();
    expect(await done).to.equal(130);
    expect(io.err).to.match(/^caskade: interrupted; /);
  });

  it('bad usage exits 2 and never reaches the server', async () => {
    await start(tinyStore());
    for (const words of [['get'], ['get', 'a', 'b'], ['set', 'k'], ['rm'], ['rm', 'a', 'b'], ['--nosuch']]) {
      expect((await run(...words)).code, words.join(' ')).to.equal(2);
    }
    expect(server.requests).to.have.length(0);
  });

  it('an address that does not parse exits 2 and is named', async () => {
    for (const address of [
      'nonsense',
      'host:',
      ':1',
      'host:0',
      'host:65536',
      '1.2.3:1',
      '999.1.1.1:1',
      '::1:1',
    ]) {
      const { code, err } = await cli(['--addr', address, 'get', 'k']);
      expect(code, address).to.equal(2);
      expect(err, address).to.contain(`'${address}'`);
    }
  });

  it('-V prints the version and --help two examples and the exit codes', async () => {
    const version = await cli(['-V']);
    expect(version).to.include({ code: 0, err: '' });
    expect(version.out).to.match(/^\d+\.\d+\.\d+\n$/);
    const help = await cli(['--help']);
    expect(help.code).to.equal(0);
    expect(help.out.match(/^ {2}caskade cli .+$/gm)).to.have.length(2);
    expect(help.out).to.contain('130 interrupted');
  });

  it('an IPv6 host stands in brackets', async () => {
    const { code, err } = await cli(['--addr', '[::1]:1', 'ping']);
    expect(code).to.equal(1);
    expect(err).to.contain('Caskade at [::1]:1: ');
  });
});
