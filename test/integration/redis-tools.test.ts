import { expect } from 'chai';
import { encodeRequests } from '../../src/resp/request-encoder.ts';
import { type Command, withClient } from '../support/pipelined-client.ts';
import { type ProgramEnd, runProgram } from '../support/run-program.ts';
import { ServerProcess } from '../support/server-process.ts';

describe("Redis' own tools with their defaults", () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });
  after(() => server.destroy());
  beforeEach(() => withClient(server.port, (client) => client.run('FLUSHALL')));

  function redisCli(words: readonly string[], input: string | Uint8Array = ''): Promise<ProgramEnd> {
    return runProgram(['redis-cli', '-p', String(server.port), ...words], input);
  }

  async function replies(...lines: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await redisCli(['--no-raw'], `${lines.join('\n')}\n`);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    return stdout.trimEnd().split('\n');
  }

  it('redis-cli does a round of the commands', async () => {
    const round: [string, string][] = [
      ['set k v', 'OK'],
      ['get k', '"v"'],
      ['get none', '(nil)'],
      ['mset a 1 b 2', 'OK'],
      ['incr a', '(integer) 2'],
      ['expire k 100', '(integer) 1'],
      ['ttl k', '(integer) 100'],
      ['persist k', '(integer) 1'],
      ['type k', 'string'],
      ['del k none', '(integer) 1'],
      ['set "\\x00\\xff" "a\\r\\nb"', 'OK'],
      ['get "\\x00\\xff"', '"a\\r\\nb"'],
      ['incr "\\x00\\xff"', '(error) ERR value is not an integer or out of range'],
      ['get', "(error) ERR wrong number of arguments for 'get' command"],
      ['nosuch x', "(error) ERR unknown command 'nosuch', with args beginning with: 'x' "],
      ['select 1', '(error) ERR DB index is out of range'],
      ['dbsize', '(integer) 3'],
      ['ping', 'PONG'],
    ];
    expect(await replies(...round.map(([line]) => line))).to.deep.equal(round.map(([, reply]) => reply));
  });

  it('redis-cli -3 speaks RESP3', async () => {
    const { code, stdout } = await redisCli(['-3', '--no-raw'], 'hello\nset k v\nget none\nmget k none\n');
    expect(code).to.equal(0);
    expect(stdout).to.match(/"proto" => \(integer\) 3/);
    expect(stdout).to.match(/OK\n\(nil\)\n1\) "v"\n2\) \(nil\)\n$/);
  });

  it('redis-cli --json prints JSON', async () => {
    await redisCli(['mset', 'a', '1', 'b', 'x']);
    const { code, stdout } = await redisCli(['--json', 'mget', 'a', 'b', 'none']);
    expect({ code, stdout: stdout.trim() }).to.deep.equal({ code: 0, stdout: '["1","x",null]' });
  });

  it('redis-cli --pipe loads, --scan lists, --bigkeys and --stat look', async () => {
    const commands = Array.from(
      { length: 5000 },
      (_, index): Command => ['SET', `key:${index}`, 'v'.repeat(index % 50)],
    );
    const piped = await redisCli(['--pipe'], encodeRequests(commands));
    expect(piped.stdout).to.match(/errors: 0, replies: 5000/);
    expect(piped.code).to.equal(0);
    const scanned = await redisCli(['--scan', '--pattern', 'key:12*']);
    const keys = scanned.stdout.trim().split('\n');
    expect(new Set(keys).size).to.equal(111);
    const bigKeys = await redisCli(['--bigkeys']);
    expect(bigKeys.code, bigKeys.stdout + bigKeys.stderr).to.equal(0);
    expect(bigKeys.stdout).to.match(/Biggest string found .* has 49 bytes/);
    // It runs until it is ended, and holds its lines back unless it is on a terminal.
    const stat = await runProgram([
      'script',
      '-qec',
      `timeout 1 redis-cli -p ${server.port} --stat`,
      '/dev/null',
    ]);
    expect(stat.stdout).to.match(/keys +mem +clients[\s\S]*\n5000 /);
  });

  it('redis-benchmark runs to its end without a warning', async function () {
    this.timeout(30_000);
    const words = [
      '-p',
      String(server.port),
      '-t',
      'ping,set,get,incr,mset',
      '-P',
      '16',
      '-q',
      '-n',
      '20000',
    ];
    const { code, stdout, stderr } = await runProgram(['redis-benchmark', ...words]);
    expect(code).to.equal(0);
    expect(stderr).to.equal('');
    const lines = stdout.split(/[\r\n]+/).map((line) => line.trim());
    expect(lines.filter((line) => /^(WARN|ERROR)/i.test(line))).to.deep.equal([]);
    const finished = lines.filter((line) => /requests per second, p50=/.test(line));
    expect(finished.map((line) => line.split(':')[0])).to.deep.equal([
      'PING_INLINE',
      'PING_MBULK',
      'SET',
      'GET',
      'INCR',
      'MSET (10 keys)',
    ]);
  });
});
