import { expect } from 'chai';
import { runCli } from '../../src/cli/main.ts';
import { KeyValueClient } from '../../src/client/key-value-client.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { TestIo } from '../cli/test-io.ts';
import { ClusterProcesses } from '../support/cluster/cluster-processes.ts';

const WORKERS = 12;
const PHASE_MS_MAX = 30_000;
const doors = { clock: new SystemClock(), random: new SystemRandom() };

/** Writes counting numbers under one key, one after the other, and reads its own writes. */
class Worker {
  readonly key: string;
  /** The newest number that was acknowledged. */
  acknowledged = 0;
  /** In doubt, and above all that was acknowledged since. */
  doubts: number[] = [];
  refused = 0;
  done = 0;
  #isStopped = false;
  readonly #client: KeyValueClient;

  constructor(client: KeyValueClient, number: number) {
    this.#client = client;
    this.key = `worker${number}`;
  }

  async run(): Promise<void> {
    for (let number = 1; !this.#isStopped; number += 1) {
      await this.#write(number);
      if (number % 4 === 0) await this.read(this.#client);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What is there is the newest acknowledged, or what came after it in doubt. */
  async read(client: KeyValueClient): Promise<void> {
    try {
      const { value } = await client.get(this.key);
      const number = value === null ? 0 : Number(Buffer.from(value).toString());
      expect([this.acknowledged, ...this.doubts], this.key).to.include(number);
    } catch (error) {
      if (!(error instanceof CaskadeError)) throw error;
    }
  }

  async #write(number: number): Promise<void> {
    try {
      const { guarantee } = await this.#client.set(this.key, `${number}`);
      expect(guarantee).to.equal('committed');
      this.acknowledged = number;
      this.doubts = [];
      this.done += 1;
    } catch (error) {
      if (!(error instanceof CaskadeError)) throw error;
      if (error.code === 'inDoubt') this.doubts.push(number);
      else this.refused += 1;
    }
  }
}

describe('the KeyValue service of a cluster of processes', function () {
  this.timeout(120_000);
  let cluster: ClusterProcesses;
  const clients: KeyValueClient[] = [];

  before(async () => {
    cluster = await ClusterProcesses.start();
  });
  after(async () => {
    for (const client of clients) client.close();
    await cluster.destroy();
  });

  const rpcOf = ({ options }: ClusterProcesses['nodes'][number]): string => `127.0.0.1:${options.rpcPort}`;

  function clientOf(addresses: readonly string[]): KeyValueClient {
    const client = new KeyValueClient(addresses, doors);
    clients.push(client);
    return client;
  }

  it('every key is served, whichever node is asked first', async () => {
    for (const node of cluster.nodes) {
      const client = clientOf([rpcOf(node)]);
      for (let key = 0; key < 30; key += 1) {
        const { version } = await client.set(`key${key}`, `by ${node.id}`);
        expect((await client.get(`key${key}`)).version).to.deep.equal(version);
      }
    }
    for (const node of cluster.nodes) {
      const io = new TestIo();
      expect(await runCli(['--grpc', '--addr', rpcOf(node), 'get', 'key7'], io), io.err).to.equal(0);
      expect(io.out).to.equal('by 3\n');
    }
  });

  it('kill -9 of a leader: nothing acknowledged is lost, in doubt is at most what was under way', async () => {
    const client = clientOf(cluster.nodes.map(rpcOf));
    const workers = Array.from({ length: WORKERS }, (_, number) => new Worker(client, number));
    const running = Promise.all(workers.map((worker) => worker.run()));
    const haveWritten = async (count: number): Promise<void> => {
      const untilMs = Date.now() + PHASE_MS_MAX;
      const before = workers.map(({ done }) => done);
      while (workers.some(({ done }, index) => done < (before[index] ?? 0) + count)) {
        if (Date.now() > untilMs) throw new Error('the workers do not get on');
        await doors.clock.sleep(5);
      }
    };
    let doubtsBefore = 0;
    try {
      await haveWritten(5);
      doubtsBefore = workers.reduce((sum, { doubts }) => sum + doubts.length, 0);
      const leader = await cluster.busiestLeader();
      await leader.kill();
      await haveWritten(20);
      await leader.start();
      await haveWritten(5);
    } finally {
      for (const worker of workers) worker.stop();
    }
    await running;
    expect(doubtsBefore).to.equal(0);
    await cluster.whole();
    const fresh = clientOf(cluster.nodes.map(rpcOf));
    for (const worker of workers) {
      await fresh.ttl(worker.key);
      await worker.read(fresh);
    }
  });
});
