import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Answer, bulk, FakeServer, tinyStore } from './fake-server.ts';
import { TerminalSession } from './terminal-session.ts';

// biome-ignore lint/complexity/useRegexLiterals: a control character in a regular expression is asked for.
const DIM_KEY = new RegExp('\\u001b\\[2mkey');
const array = (...items: string[]): string => `*${items.length}\r\n${items.join('')}`;
const argument = (name: string): string => array(bulk('name'), bulk(name), bulk('type'), bulk('string'));
const DOCS = array(
  bulk('get'),
  array(
    bulk('summary'),
    bulk('Reads a value'),
    bulk('group'),
    bulk('string'),
    bulk('arguments'),
    array(argument('key')),
  ),
  bulk('set'),
  array(bulk('arguments'), array(argument('key'), argument('value'))),
);

/** Adds COMMAND DOCS to a store. */
function withDocs(store: Answer): Answer {
  return (words, socket) => (words[0] === 'COMMAND' ? DOCS : store(words, socket));
}

describe('caskade cli on a terminal', () => {
  const clock = { now: 0 };
  let server: FakeServer;
  let session: TerminalSession;
  let prompt: string;

  async function open(
    answer: Answer,
    flags: string[] = [],
    environment: Record<string, string> = {},
  ): Promise<void> {
    server = await FakeServer.start(withDocs(answer));
    prompt = `${server.address}> `;
    session = new TerminalSession([...flags, '--addr', server.address], environment);
    await session.shows(new RegExp(`${prompt}`));
  }

  afterEach(async () => {
    session.kill();
    await server.stop();
  });

  it("holds the predecessor's transcript, word for word", async () => {
    await open(tinyStore(clock));
    const transcript: [string, string][] = [
      ['set hello 1', 'OK'],
      ['get hello', '1'],
      ['ttl hello', 'expire not set'],
      ['expire hello 200', 'OK'],
      ['ttl hello', '198'],
      ['del hello', 'OK'],
      ['get hello', 'record not found'],
      ['expire hello 200', 'record not found'],
      ['ttl hello', 'record not found'],
      ['del hello', 'record not found'],
    ];
    for (const [line, answer] of transcript) {
      clock.now = line === 'ttl hello' ? 2 : 0;
      expect(await session.ask(line, prompt), line).to.equal(answer);
    }
  });

  it('prints everything else as redis-cli does', async () => {
    await open(tinyStore());
    expect(await session.ask('set k "a b\\n"', prompt)).to.equal('OK');
    expect(await session.ask('strlen k', prompt)).to.equal('(integer) 4');
    expect(await session.ask('mget k', prompt)).to.equal('1) "a b\\n"');
    expect(await session.ask('set "k', prompt)).to.equal('Invalid argument(s)');
    expect(await session.ask('2 ping', prompt)).to.equal('PONG\nPONG');
    expect(await session.ask('nosuch', prompt)).to.equal(
      "(error) ERR unknown command 'nosuch', with args beginning with: ",
    );
  });

  it("--redis keeps to redis-cli's words", async () => {
    await open(tinyStore(), ['--redis']);
    expect(await session.ask('get k', prompt)).to.equal('(nil)');
    expect(await session.ask('set k 1', prompt)).to.equal('OK');
    expect(await session.ask('get k', prompt)).to.equal('"1"');
    expect(await session.ask('ttl k', prompt)).to.equal('(integer) -1');
    expect(await session.ask('del k', prompt)).to.equal('(integer) 1');
  });

  it('completes commands, hints at arguments and explains them', async () => {
    await open(tinyStore());
    await session.ask('ping', prompt);
    let from = session.raw.length;
    session.type('ge\t');
    await session.shows(/get /, from);
    from = await session.shows(DIM_KEY, from);
    session.type('hello\r');
    await session.shows(/record not found/, from);
    expect(server.requests.at(-1)).to.deep.equal(['get', 'hello']);
    expect(await session.ask('help get', prompt)).to.equal(
      '\n  GET key\n  summary: Reads a value\n  group: string',
    );
    expect(await session.ask('help', prompt)).to.contain('help COMMAND');
  });

  it('Ctrl-C cancels the line, and the command that waits; Ctrl-D leaves with exit 0', async () => {
    await open((words, socket) => (words[0] === 'hang' ? null : tinyStore()(words, socket)));
    let from = session.raw.length;
    session.type('set k v');
    await session.shows(/set k v/, from);
    session.type('\x03');
    expect(await session.ask('ping', prompt)).to.equal('PONG');
    expect(server.requests.filter(([name]) => name === 'set')).to.have.length(0);
    from = session.raw.length;
    session.type('hang\r');
    await session.shows(/hang\r*\n/, from);
    session.type('\x03');
    from = await session.shows(/interrupted; [\s\S]*not connected> /, from);
    session.type('\x04');
    expect(await session.exitCode).to.equal(0);
  });

  it('shows that the connection is lost and connects again with the next command', async () => {
    await open(tinyStore());
    expect(await session.ask('ping', prompt)).to.equal('PONG');
    const { port } = server;
    await server.stop();
    await session.shows(/not connected> /);
    expect(await session.ask('ping', 'not connected> ')).to.match(
      /^could not connect to Caskade at 127\.0\.0\.1:/,
    );
    server = await FakeServer.start(withDocs(tinyStore()), port);
    expect(await session.ask('ping', prompt)).to.equal('PONG');
  });

  it('keeps a history for its owner alone, without the lines that hold secrets', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'caskade-history-'));
    const path = join(directory, 'history');
    try {
      await open(tinyStore(), [], { CASKADE_HISTFILE: path });
      for (const line of ['set a 1', 'auth secret', 'get a']) await session.ask(line, prompt);
      session.type('exit\r');
      expect(await session.exitCode).to.equal(0);
      expect(readFileSync(path, 'utf8')).to.equal('set a 1\nget a\nexit\n');
      expect(statSync(path).mode & 0o777).to.equal(0o600);
      session = new TerminalSession(['--addr', server.address], { CASKADE_HISTFILE: path });
      await session.shows(new RegExp(prompt));
      expect(await session.ask('\x1b[A\x1b[A', prompt)).to.equal('1');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
