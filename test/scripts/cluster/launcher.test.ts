import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { CASKADE, SOURCE_ROOT } from '../../../scripts/processes/caskade-program.ts';
import { listenerOn } from '../../../scripts/zookeeper/four-letter-word.ts';
import { freePortOffset } from '../../support/free-port-offset.ts';
import { freePorts } from '../../support/free-ports.ts';
import { type ProgramEnd, runProgram } from '../../support/run-program.ts';
import { childEnvironment } from '../../support/server-process.ts';

const MAIN = fileURLToPath(new URL('../../../scripts/cluster/main.js', import.meta.url));
const START_MS_MAX = 60_000;

/** What `make cluster` runs, on free ports. */
class Launcher {
  readonly #child: ChildProcess;
  readonly ended: Promise<ProgramEnd>;
  stdout = '';
  stderr = '';

  constructor(options: readonly string[]) {
    const child = spawn(process.execPath, [MAIN, ...options], { cwd: SOURCE_ROOT, env: childEnvironment() });
    child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#child = child;
    this.ended = once(child, 'close').then(([code]) => ({ code, stdout: this.stdout, stderr: this.stderr }));
  }

  /** The first line that matches; rejects when the launcher ends before, or a minute has passed. */
  async line(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + START_MS_MAX;
    for (;;) {
      const found = this.stdout.split('\n').find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null || performance.now() > deadline)
        throw new Error(`no line ${pattern} in:\n${this.stdout.slice(-4000)}\n${this.stderr.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(signal: NodeJS.Signals): Promise<ProgramEnd> {
    this.#child.kill(signal);
    return await this.ended;
  }
}

describe('make cluster, as it is run', function () {
  this.timeout(180_000);
  let directory: string;
  let offset: number;
  let zooKeeperPort: number;
  let options: readonly string[];
  let launcher: Launcher;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-make-cluster-'));
    offset = await freePortOffset(4);
    [zooKeeperPort = 0] = await freePorts(1);
    const zooKeeper = `127.0.0.1:${zooKeeperPort}`;
    options = ['--port-offset', String(offset), '--zookeeper', zooKeeper, '--data', directory];
  });
  after(async () => {
    await launcher.stop('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  async function launch(...more: string[]): Promise<void> {
    launcher = new Launcher([...options, ...more]);
    await launcher.line(/^ready: /);
  }

  async function redis(port: number, ...words: string[]): Promise<string> {
    return (await runProgram(['redis-cli', '-p', String(port + offset), ...words])).stdout.trim();
  }

  const readyLines = (text: string): number =>
    text.split('\n').filter((line) => line.startsWith('ready:')).length;

  it('serves on every node', async () => {
    await launch();
    expect(await redis(7001, 'set', 'greeting', 'hello')).to.equal('OK');
    for (const port of [7001, 7002, 7003]) expect(await redis(port, 'get', 'greeting')).to.equal('hello');
    expect(await redis(7012, '-c', 'get', 'greeting')).to.equal('hello');
  });

  it('a second one beside it is one line and exit code 4', async () => {
    const second = await new Launcher(options).ended;
    expect(second.code).to.equal(4);
    expect(second.stdout).to.equal('');
    expect(second.stderr).to.match(
      /^cluster: a server answers on 127\.0\.0\.1:\d+ \(resp\.port of node01\) already.*\n$/,
    );
  });

  it('a node that was killed is named, and comes back by the line that is printed', async () => {
    const pid = Number(/process_id:(\d+)/.exec(await redis(7002, 'info', 'server'))?.[1]);
    process.kill(pid, 'SIGKILL');
    const line = await launcher.line(
      /^cluster \| node02 ended by itself with signal SIGKILL; this brings it back: /,
    );
    expect(await redis(7001, 'set', 'while', 'two')).to.equal('OK');
    const words = line.replace(/^.*: npx caskade server /, '').split(' ');
    const [command = '', ...program] = [...CASKADE, 'server', ...words];
    const node = spawn(command, program, { cwd: SOURCE_ROOT, env: childEnvironment() });
    try {
      let printed = '';
      for await (const chunk of node.stdout) {
        printed += chunk;
        if (/^ready: /m.test(printed)) break;
      }
      expect(await redis(7002, 'get', 'while')).to.equal('two');
    } finally {
      node.kill('SIGTERM');
      await once(node, 'exit');
    }
  });

  it('what ZooKeeper knows of other data is not joined by new directories', async () => {
    const elsewhere = [
      '--data',
      join(directory, 'elsewhere'),
      '--port-offset',
      String(await freePortOffset(3)),
    ];
    const { code, stdout, stderr } = await new Launcher([...options, ...elsewhere]).ended;
    expect(code).to.equal(5);
    expect(stdout).to.match(/^cluster \| ZooKeeper answers on .*\n$/);
    expect(stderr).to.match(
      /^cluster: ZooKeeper at 127.*\/caskade belongs to a cluster whose data is not in .*\n$/,
    );
  });

  it('ends with 0 at Ctrl-C, has said once that it was ready, and leaves nothing running', async () => {
    const { code, stdout, stderr } = await launcher.stop('SIGINT');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(readyLines(stdout)).to.equal(1);
    expect(stdout).to.match(/^cluster \| stopping$/m);
    for (const port of [7001, 7011, 7101, 7201])
      expect(await listenerOn('127.0.0.1', port + offset)).to.equal('nobody');
    expect(await listenerOn('127.0.0.1', zooKeeperPort)).to.equal('nobody');
  });

  it('finds its data again', async () => {
    await launch();
    expect(await redis(7003, 'get', 'greeting')).to.equal('hello');
    expect(await redis(7003, 'get', 'while')).to.equal('two');
    expect((await launcher.stop('SIGTERM')).code).to.equal(0);
  });

  it('a node that cannot start ends all with its exit code', async () => {
    launcher = new Launcher([...options, '--', '--cluster.minInsync=1']);
    const { code, stdout, stderr } = await launcher.ended;
    expect(code).to.equal(3);
    expect(stderr).to.match(/^cluster: node0\d ended with exit code 3 before the cluster was ready/m);
    expect(readyLines(stdout)).to.equal(0);
    expect(await listenerOn('127.0.0.1', zooKeeperPort)).to.equal('nobody');
  });
});
