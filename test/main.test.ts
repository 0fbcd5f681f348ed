import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { VERSION } from '../src/model/version.ts';

/** Runs the compiled program as the wrapper in bin/ does. */
function caskade(argv: readonly string[], environment: Record<string, string> = {}) {
  const main = new URL('../src/main.js', import.meta.url).href;
  const script = `import { main } from ${JSON.stringify(main)}; await main(process.argv.slice(1));`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script, '--', ...argv],
    { encoding: 'utf8', env: { PATH: process.env.PATH, ...environment } },
  );
  return { status, stdout, stderr };
}

describe('caskade', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'caskade-main-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('without arguments, and with --help, explains itself', () => {
    for (const argv of [[], ['--help'], ['-h'], ['help']]) {
      const { status, stdout, stderr } = caskade(argv);
      expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
      expect(stdout).to.match(/^Usage: caskade <command>.*server.*cli.*load.*Exit codes: 0 ok/s);
    }
  });

  it('prints its version', () => {
    for (const argv of [['-V'], ['--version'], ['server', '-V']]) {
      expect(caskade(argv)).to.deep.equal({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
    }
  });

  it('names the nearest command for an unknown one, exit code 2', () => {
    expect(caskade(['sever'])).to.deep.equal({
      status: 2,
      stdout: '',
      stderr: "caskade: unknown command 'sever'; did you mean 'server'?\n",
    });
    expect(caskade(['constructor']).status).to.equal(2);
  });

  it('ends with exit code 2 for bad usage and for an address that does not parse', () => {
    expect(caskade(['server', '--addr', 'nonsense'])).to.deep.equal({
      status: 2,
      stdout: '',
      stderr: 'caskade: --addr nonsense: not an address; write HOST:PORT or [IPv6]:PORT\n',
    });
    const unknown = caskade(['server', '--nonsense']);
    expect(unknown.status).to.equal(2);
    expect(unknown.stderr).to.match(/^caskade: unknown option '--nonsense'\n$/);
  });

  it('ends with exit code 3 and every problem of the configuration, and starts nothing', () => {
    const path = join(folder, 'bad.yaml');
    writeFileSync(path, 'resp:\n  port: 66666\n  prot: 1\n');
    for (const check of [['--check-config'], []]) {
      const { status, stdout, stderr } = caskade(['server', '--config', path, ...check], {
        CASKADE_STORAGE__ENGINE: 'x',
      });
      expect({ status, stdout }).to.deep.equal({ status: 3, stdout: '' });
      expect(stderr.split('\n')).to.deep.equal([
        'caskade: configuration refused, 3 problems:',
        `  ${path}:2: resp.port: "66666" is not allowed; allowed: an integer from 0 to 65535`,
        `  ${path}:3: resp.prot: unknown key; nearest known key: resp.port`,
        '  environment CASKADE_STORAGE__ENGINE: storage.engine: "x" is not allowed; allowed: bitcask | memory',
        '',
      ]);
    }
  });

  it('names a configuration file that cannot be read, exit code 3', () => {
    const { status, stderr } = caskade(['server', '--config', join(folder, 'missing.yaml')]);
    expect(status).to.equal(3);
    expect(stderr).to.match(/^caskade: cannot read the configuration file .*missing\.yaml: .+\n$/);
  });

  it('shows the effective configuration with its origins', () => {
    const path = join(folder, 'good.yaml');
    writeFileSync(
      path,
      'resp: { port: 7000 }\nzookeeper: { auth: "ann:hunter2" }\nzk: { sessionTimeout: 3000 }\n',
    );
    const { status, stdout, stderr } = caskade([
      'server',
      '--check-config',
      '--config',
      path,
      '--engine',
      'memory',
    ]);
    expect(status).to.equal(0);
    expect(stderr).to.match(
      /^caskade: warning: .*good\.yaml: zk\.sessionTimeout is now zookeeper\.sessionTimeoutMs: .*\n$/,
    );
    expect(stdout).to.match(/^configuration ok\n/);
    expect(stdout).to.match(/^resp\.port += 7000 +\(.*good\.yaml:1\)$/m);
    expect(stdout).to.match(/^storage\.engine += memory +\(flag --engine\)$/m);
    expect(stdout).to.match(/^resp\.host += 127\.0\.0\.1 +\(default\)$/m);
    expect(stdout).to.not.include('hunter2');
  });
});
