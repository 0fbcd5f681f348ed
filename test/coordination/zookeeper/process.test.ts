import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { ReadNode } from '../../../src/coordination/coordinator.ts';
import type { ZooKeeperSession } from '../../../src/coordination/zookeeper/zookeeper-session.ts';
import { ZooKeeperServer } from '../../support/zookeeper-server.ts';
import { connected, until } from '../coordinator-contract.ts';
import { zooKeeperFixture } from './zookeeper-fixture.ts';

const PROGRAM = fileURLToPath(new URL('./life-process.js', import.meta.url));
const SESSION_MS = 2_000;
/** Longer than any start of a process takes. */
const LONG_SESSION_MS = 15_000;

/** One process of a node. */
class Life {
  readonly #child: ChildProcess;
  output = '';

  constructor(server: string, chroot: string, directory: string, sessionMs: number) {
    const words = [PROGRAM, server, chroot, String(sessionMs), directory];
    this.#child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  said(what: string): Promise<void> {
    return until(
      () => this.output.includes(what),
      () => `${what} in ${this.output}`,
    );
  }

  /** The session's id of a life, as it said. */
  sessionOf(life: number): string {
    return new RegExp(`life ${life} registered as (\\S+)`).exec(this.output)?.[1] ?? '';
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.signal('SIGKILL');
    await once(this.#child, 'exit');
  }
}

describe('processes that hold a ZooKeeper session', function () {
  this.timeout(30_000);
  let server: ZooKeeperServer;
  let directory = '';
  let chroot = '';
  let witness: ZooKeeperSession;
  const lives: Life[] = [];

  const start = (sessionMs = SESSION_MS): Life => {
    const life = new Life(server.address, chroot, directory, sessionMs);
    lives.push(life);
    return life;
  };

  const registered = async (): Promise<ReadNode | null> => {
    const read = await witness.read('/me');
    return read.ok ? read.value : null;
  };

  before(async () => {
    server = await ZooKeeperServer.start({ tickMs: 1_000 });
  });

  after(async () => {
    await server.destroy();
  });

  beforeEach(async () => {
    const fixture = await zooKeeperFixture([server.address]);
    chroot = fixture.settings.chroot;
    witness = fixture.coordinator.open();
    await connected(witness);
    directory = mkdtempSync(join(tmpdir(), 'caskade-life-'));
  });

  afterEach(async () => {
    await Promise.all(lives.splice(0).map((life) => life.kill()));
    rmSync(directory, { recursive: true, force: true });
    await witness.close();
  });

  it('paused for longer than T, it learns that it is lost, and lives again, once (W5)', async () => {
    const life = start();
    await life.said('life 1 registered');
    life.signal('SIGSTOP');
    await until(async () => (await registered()) === null, 'the registration expires');
    life.signal('SIGCONT');
    await life.said('life 2 registered');
    expect(life.output).to.match(/life 1 lost\nlife 2 connected/);
    expect((await registered())?.data).to.deep.include({ life: 2 });
    expect(life.sessionOf(2)).to.not.equal(life.sessionOf(1));
    // The witness and the second life: no client of the first one is left.
    await until(async () => (await server.connectionCount()) === 2, 'no zombie');
  });

  it('killed and started again within T, it does not wait for its old session (W10, H15)', async () => {
    const first = start(LONG_SESSION_MS);
    await first.said('life 1 registered');
    await first.kill();
    const since = performance.now();
    const second = start(LONG_SESSION_MS);
    await second.said('life 1 registered');
    expect(performance.now() - since).to.be.below(LONG_SESSION_MS / 2);
    expect(statSync(join(directory, 'SESSION')).mode & 0o777).to.equal(0o600);
  });

  it('a second process on the same directory ends the session of the first, which lives again (W10)', async () => {
    const first = start();
    await first.said('life 1 registered');
    const second = start();
    await first.said('life 1 lost');
    await first.said('life 2 connected');
    await second.said('life 1 connected');
    await until(async () => (await registered()) !== null, 'one of them is registered');
    // The first begins anew beside the second, and does not end it in turn.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(second.output).to.not.contain('lost');
    expect(first.output).to.not.contain('life 2 lost');
  });

  it('a start goes on without the old session when no server answers in time', async () => {
    const first = start();
    await first.said('life 1 registered');
    await first.kill();
    server.pause();
    const second = start();
    await new Promise((resolve) => setTimeout(resolve, 300));
    server.resume();
    await second.said('life 1 registered');
  });
});
