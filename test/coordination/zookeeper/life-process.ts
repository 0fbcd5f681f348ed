/**
 * A node as far as the coordinator sees it, in a process of its own that can be paused and killed: registers an
 * ephemeral node in each of its lives, and begins another life when a session is lost.
 *
 * Usage: node life-process.js SERVERS CHROOT SESSION_TIMEOUT_MS DIRECTORY. Prints one line for each event.
 */
import { ZooKeeperCoordinator } from '../../../src/coordination/zookeeper/zookeeper-coordinator.ts';
import { SystemClock } from '../../../src/env/clock.ts';
import { NullLogger } from '../../../src/env/logger.ts';
import { NodeFileSystem } from '../../../src/env/node-file-system.ts';
import { SystemRandom } from '../../../src/env/random.ts';

const RETRY_MS = 20;
const [servers = '', chroot = '', timeoutMs = '0', dataDirectory = ''] = process.argv.slice(2);
const coordinator = new ZooKeeperCoordinator(
  { servers: servers.split(','), chroot, sessionTimeoutMs: Number(timeoutMs), auth: '', dataDirectory },
  {
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: new NullLogger(),
    fileSystem: new NodeFileSystem(),
  },
);

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

function live(life: number): void {
  const session = coordinator.open();
  let isRegistered = false;
  const register = async (): Promise<void> => {
    while (!isRegistered && session.state === 'connected') {
      isRegistered = (await session.create('/me', { life, pid: process.pid }, { ephemeral: true })).ok;
      if (isRegistered) say(`life ${life} registered as ${session.sessionId}`);
      else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  };
  session.onState((state) => {
    say(`life ${life} ${state}`);
    if (state === 'connected') void register();
    if (state === 'lost') live(life + 1);
  });
}

// The clock's timers keep nobody alive.
setInterval(() => {}, 1_000);
live(1);
