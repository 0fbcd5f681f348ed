import { Writable } from 'node:stream';
import { expect } from 'chai';
import { runCli } from '../../src/cli/main.ts';
import { type Answer, CLOSE, FakeServer, tinyStore } from './fake-server.ts';
import { TestIo, until } from './test-io.ts';

describe('caskade cli, commands from a pipe', () => {
  let server: FakeServer;
  afterEach(() => server?.stop());

  async function pipe(input: string | Buffer, answer: Answer, flags: string[] = []) {
    server = await FakeServer.start(answer);
    const io = new TestIo();
    io.stdin.end(input);
    const code = await runCli(['--addr', server.address, ...flags], io);
    return { code, out: io.out, err: io.err };
  }

  it("prints redis-cli's raw form, and goes on after an error with exit 0", async () => {
    const input = 'set a "x y"\nget a\n\nget missing\nnosuch\nget a';
    const { code, out } = await pipe(input, tinyStore());
    expect(out).to.equal("OK\nx y\n\nERR unknown command 'nosuch', with args beginning with: \n\nx y\n");
    expect(code).to.equal(0);
  });

  it('keeps bytes that are not UTF-8, and lines that come in pieces', async () => {
    server = await FakeServer.start(() => '+OK\r\n');
    const io = new TestIo();
    const done = runCli(['--addr', server.address], io);
    for (const piece of ['set k \xff\x80', '\xfe', '\nset k 2\n'])
      io.stdin.write(Buffer.from(piece, 'latin1'));
    io.stdin.end();
    expect(await done).to.equal(0);
    expect(server.requests).to.deep.equal([
      ['set', 'k', '\xff\x80\xfe'],
      ['set', 'k', '2'],
    ]);
  });

  it('repeats a command with a number before it, names unbalanced quotes, stops at quit', async () => {
    const { out } = await pipe('3 ping\nset "a\nquit\nping\n', tinyStore());
    expect(out).to.equal('PONG\nPONG\nPONG\nInvalid argument(s)\n');
    expect(server.requests).to.have.length(3);
  });

  it('--exit-on-error makes an error exit 1; a write in doubt exits 7 with or without it', async () => {
    expect((await pipe('nosuch\nping\n', tinyStore(), ['-e'])).code).to.equal(1);
    await server.stop();
    const doubtful: Answer = (words) => (words[0] === 'set' ? '-INDOUBT 0 1 2 text\r\n' : '-ERR no\r\n');
    expect((await pipe('set a b\nping\n', doubtful)).code).to.equal(7);
  });

  it('a connection that is lost ends it: exit 7 after a write, 1 after a read', async () => {
    const written = await pipe('set a b\nping\n', () => CLOSE);
    expect(written.code).to.equal(7);
    expect(written.err).to.contain('not known');
    await server.stop();
    expect((await pipe('get a\n', () => CLOSE)).code).to.equal(1);
  });

  it('--json prints one line of JSON a reply', async () => {
    const { out } = await pipe('set a 1\nmget a b\nnosuch\n', tinyStore(), ['--json']);
    const lines = out.trimEnd().split('\n');
    expect(lines.slice(0, 2)).to.deep.equal(['"OK"', '["1",null]']);
    expect(JSON.parse(lines[2] ?? '')).to.have.property('error');
  });

  it('ends with exit 0 when whoever read its output has gone', async () => {
    server = await FakeServer.start(tinyStore());
    const io = new TestIo();
    const gone = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    io.stdin.end('ping\nping\n');
    expect(await runCli(['--addr', server.address], Object.assign(io, { stdout: gone }))).to.equal(0);
    expect(server.requests).to.have.length(1);
  });

  it('Ctrl-C exits 130', async () => {
    server = await FakeServer.start(tinyStore());
    const io = new TestIo();
    const done = runCli(['--addr', server.address], io);
    io.stdin.write('ping\n');
    await until(() => server.requests.length > 0);
    io.interrupt();
    expect(await done).to.equal(130);
  });
});
