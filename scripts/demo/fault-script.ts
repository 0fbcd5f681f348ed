import type { ClusterProcesses } from '../../test/support/cluster/cluster-processes.ts';
import type { ClusterLoad } from '../../test/support/cluster/load/cluster-load.ts';
import type { NodeProcess } from '../../test/support/cluster/node-process.ts';
import { sleep } from '../../test/support/cluster/sleep.ts';
import type { Fault } from './fault-window.ts';
import type { TimelineEvent } from './report/report.ts';

export interface FaultTimes {
  /** Before the first fault, and after each when the cluster is whole again. */
  readonly calmMs: number;
  /** How long a killed node is down. */
  readonly downMs: number;
  /** Longer than the session. */
  readonly pausedMs: number;
  readonly withoutZooKeeperMs: number;
}

interface PlannedFault {
  readonly name: string;
  readonly lastsMs: number;
  readonly begin: () => Promise<unknown>;
  readonly undo: () => Promise<unknown>;
}

/** Does one thing after another to the cluster, each when it is whole again after the one before. */
export class FaultScript {
  readonly #cluster: ClusterProcesses;
  readonly #load: ClusterLoad;
  readonly #times: FaultTimes;
  readonly #tell: (event: TimelineEvent) => void;
  readonly #faults: Fault[] = [];
  #present = '';

  constructor(
    cluster: ClusterProcesses,
    load: ClusterLoad,
    times: FaultTimes,
    tell: (event: TimelineEvent) => void,
  ) {
    this.#cluster = cluster;
    this.#load = load;
    this.#times = times;
    this.#tell = tell;
  }

  /** Those that are over. */
  get faults(): readonly Fault[] {
    return this.#faults;
  }

  /** What is going on now; empty: nothing. */
  get present(): string {
    return this.#present;
  }

  async run(): Promise<void> {
    const { calmMs, downMs, pausedMs, withoutZooKeeperMs } = this.#times;
    const cluster = this.#cluster;
    await sleep(calmMs);
    const first = await cluster.busiestLeader();
    await this.#play(killed(first, `node ${first.id}, a leader, is killed`, downMs));
    const second = await this.#busiestBut(first);
    await this.#play({
      name: `node ${second.id}, a leader, is paused`,
      lastsMs: pausedMs,
      begin: async () => second.pause(),
      undo: async () => second.resume(),
    });
    const third = await cluster.controller();
    await this.#play(killed(third, `node ${third.id}, the controller, is killed`, downMs));
    await this.#play({
      name: 'ZooKeeper is gone',
      lastsMs: withoutZooKeeperMs,
      begin: () => Promise.all(cluster.zooKeepers.map((server) => server.kill())),
      undo: () => Promise.all(cluster.zooKeepers.map((server) => server.restart())),
    });
  }

  async #play({ name, lastsMs, begin, undo }: PlannedFault): Promise<void> {
    const { inFlight } = this.#load;
    const beganAtMs = performance.now();
    this.#present = name;
    this.#tell({ atMs: beganAtMs, kind: 'fault', text: name });
    await begin();
    await sleep(lastsMs);
    await undo();
    const undoneAtMs = performance.now();
    this.#present = `${name}: undone, not whole yet`;
    this.#tell({ atMs: undoneAtMs, kind: 'undone', text: `over: ${name}` });
    await this.#cluster.whole();
    const wholeAtMs = performance.now();
    this.#present = '';
    this.#tell({ atMs: wholeAtMs, kind: 'whole', text: 'every partition led, every replica in sync' });
    this.#faults.push({ name, beganAtMs, undoneAtMs, wholeAtMs, inFlight });
    await sleep(this.#times.calmMs);
  }

  async #busiestBut(other: NodeProcess): Promise<NodeProcess> {
    const states = await this.#cluster.states();
    const led = ({ id }: NodeProcess): number => states.filter(({ leader }) => leader === id).length;
    const others = this.#cluster.nodes.filter((node) => node !== other);
    return others.toSorted((left, right) => led(right) - led(left))[0]!;
  }
}

function killed(node: NodeProcess, name: string, lastsMs: number): PlannedFault {
  return { name, lastsMs, begin: () => node.kill(), undo: () => node.start() };
}
