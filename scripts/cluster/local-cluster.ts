import type { Address } from '../../src/config/address.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';
import type { ZooKeeperProcess } from '../zookeeper/zookeeper-process.ts';
import { askOnce, type NodeView, viewOf, whatIsMissing } from './cluster-state.ts';
import type { Say } from './find-zookeeper.ts';
import { type NodePlan, portsOf } from './node-plan.ts';
import { describeEnd, type NodeEnd, type NodeOutput, NodeProcess } from './node-process.ts';
import { isTaken } from './port-probe.ts';

/** From the last node's ready line until every partition is led and takes writes. */
const SERVE_MS_MAX = 60_000;
const POLL_MS = 100;
/** A log that must be read again may take minutes: then at least something is said. */
const REMIND_MS = 10_000;

export interface ClusterDoors {
  /** The words that run `caskade`. */
  readonly program: readonly string[];
  readonly say: Say;
  outputOf(plan: NodePlan, index: number): NodeOutput;
}

/** A node ended before all of them served. */
export class StartFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The nodes of a cluster on this machine, each a process of its own, and the ZooKeeper that was started for them. */
export class LocalCluster {
  readonly #plans: readonly NodePlan[];
  readonly #doors: ClusterDoors;
  readonly #nodes: NodeProcess[] = [];
  #zooKeeper: ZooKeeperProcess | null = null;
  #isStopping = false;
  /** Why a client could be refused, as last seen. */
  #missing: string | null = null;

  constructor(plans: readonly NodePlan[], doors: ClusterDoors) {
    this.#plans = plans;
    this.#doors = doors;
  }

  /** Throws CaskadeError `portTaken`, in one line, where something listens already: another cluster, as a rule. */
  async refuseTakenPorts(): Promise<void> {
    for (const { name, config } of this.#plans) {
      for (const [key, port] of portsOf(config)) {
        const { host } = key === 'rpc.port' ? config.rpc : config.resp;
        if (port !== 0 && (await isTaken(host, port))) throw await portTaken(name, key, { host, port });
      }
    }
  }

  /** Takes over a ZooKeeper that was started for this cluster: it is stopped last. */
  async adopt(zooKeeper: ZooKeeperProcess): Promise<void> {
    this.#zooKeeper = zooKeeper;
    // Ctrl-C came while it started.
    if (this.#isStopping) return zooKeeper.stop();
    zooKeeper.ended().then(
      () => {
        const { clientPort, directory, logPath } = zooKeeper;
        const words = [
          'node',
          'dist/scripts/zookeeper/main.js',
          '--port',
          String(clientPort),
          '--data',
          directory,
        ];
        if (!this.#isStopping)
          this.#doors.say(
            `ZooKeeper ended by itself (its log: ${logPath}); this brings it back: ${words.map(quoted).join(' ')}`,
          );
      },
      () => {},
    );
  }

  /** True when every node serves, and every partition is led and takes writes; false when it was stopped. Throws StartFailure. */
  async start(): Promise<boolean> {
    if (this.#isStopping) return false;
    for (const [index, plan] of this.#plans.entries())
      this.#nodes.push(new NodeProcess(plan, this.#doors.program, this.#doors.outputOf(plan, index)));
    const reminder = setInterval(() => this.#remind(), REMIND_MS);
    try {
      await Promise.all(this.#nodes.map((node) => Promise.race([node.ready, failWhenEnded(node)])));
      await Promise.race([this.#serve(), ...this.#nodes.map(failWhenEnded)]);
    } finally {
      clearInterval(reminder);
    }
    for (const node of this.#nodes) this.#watch(node);
    return !this.#isStopping;
  }

  #remind(): void {
    const waiting = this.#nodes.filter(({ isReady }) => !isReady).map(({ plan }) => plan.name);
    this.#doors.say(
      waiting.length > 0
        ? `waiting for ${waiting.join(', ')}`
        : `waiting: ${this.#missing ?? 'nothing is missing'}`,
    );
  }

  async #serve(): Promise<void> {
    const deadline = performance.now() + SERVE_MS_MAX;
    while (!this.#isStopping) {
      this.#missing = await this.#whatIsMissing();
      if (this.#missing === null) return;
      if (performance.now() > deadline)
        throw new StartFailure(`after ${SERVE_MS_MAX / 1000} s ${this.#missing}`, ExitCode.failed);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #whatIsMissing(): Promise<string | null> {
    const views = this.#plans.map(async ({ name, config }): Promise<[string, NodeView]> => {
      const { host, port, clusterPort } = config.resp;
      return [name, await viewOf(reachable(host, clusterPort || port))];
    });
    return whatIsMissing(new Map(await Promise.all(views)), this.#plans[0]?.config.cluster.minInsync ?? 1);
  }

  /** Nothing restarts a dead node; its own command line, run again, brings it back. */
  #watch(node: NodeProcess): void {
    node.ended.then(
      (end) => {
        if (!this.#isStopping) this.#doors.say(obituary(node.plan, end));
      },
      () => {},
    );
  }

  /** By name, as long as it runs; -1: it does not. */
  pidOf(name: string): number {
    return this.#nodes.find(({ plan, isRunning }) => plan.name === name && isRunning)?.pid ?? -1;
  }

  /** The nodes, then ZooKeeper. What they stored stays. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#nodes.map((node) => this.#stopNode(node)));
    await this.#zooKeeper?.stop();
  }

  async #stopNode(node: NodeProcess): Promise<void> {
    if (!node.isRunning) return;
    const how = await node.stop();
    const end = await node.ended;
    if (how === 'killed')
      this.#doors.say(`${node.plan.name} did not stop in time and was killed; nothing is lost by that`);
    // Before it can take signals, it ends by them.
    else if (end.code !== null && end.code !== ExitCode.ok)
      this.#doors.say(`${node.plan.name} ended with ${describeEnd(end)}`);
  }

  /** Everything at once, now. */
  kill(): void {
    this.#isStopping = true;
    for (const node of this.#nodes) node.kill();
    this.#zooKeeper?.kill().catch(() => {});
  }

  /** The line that says that it can be used. */
  get readyLine(): string {
    const [first] = this.#plans;
    const list = (of: (plan: NodePlan) => number): string => this.#plans.map(of).filter(Boolean).join(', ');
    const { servers = [], chroot = '' } = first?.config.zookeeper ?? {};
    const plain = list(({ config }) => config.resp.port);
    const cluster = list(({ config }) => config.resp.clusterPort);
    return `ready: ${this.#plans.length} nodes on ${first?.config.resp.host}, plain clients ${plain}; cluster clients ${cluster}; ZooKeeper ${servers.join(',')}${chroot}`;
  }
}

async function failWhenEnded(node: NodeProcess): Promise<never> {
  const end = await node.ended;
  const text = `${node.plan.name} ended with ${describeEnd(end)} before the cluster was ready (its last words are above)`;
  throw new StartFailure(text, end.code === null || end.code === ExitCode.ok ? ExitCode.failed : end.code);
}

/** What is said of a node that died by itself. */
export function obituary({ name, words }: NodePlan, end: NodeEnd): string {
  return `${name} ended by itself with ${describeEnd(end)}; this brings it back: npx caskade server ${words.map(quoted).join(' ')}`;
}

function quoted(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

async function portTaken(name: string, key: string, address: Address): Promise<CaskadeError> {
  const place = `${address.host}:${address.port} (${key} of ${name})`;
  const reply = key.startsWith('resp.')
    ? await askOnce(reachable(address.host, address.port), ['PING'])
    : null;
  const who =
    reply === null
      ? `${place} is taken by another program`
      : `a server answers on ${place} already, a cluster that runs elsewhere as a rule: make cli talks to it`;
  return new CaskadeError(
    'portTaken',
    `${who}; a second one beside it: make cluster CHROOT=/other ARGS="--port-offset 1000 --data ./data/other"`,
  );
}

/** Where a client on this machine reaches a listener. */
function reachable(host: string, port: number): Address {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}
