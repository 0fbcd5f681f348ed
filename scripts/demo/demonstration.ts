import { ClusterProcesses, SHORT_TIMES } from '../../test/support/cluster/cluster-processes.ts';
import { ClusterLoad } from '../../test/support/cluster/load/cluster-load.ts';
import { judgeLoad } from '../../test/support/cluster/load/load-verdict.ts';
import { readBack } from '../../test/support/cluster/load/read-back.ts';
import { ElectionWatch } from './election-watch.ts';
import { FaultScript, type FaultTimes } from './fault-script.ts';
import { figuresOf, isInDoubt, outside, rateIn, spansOutside } from './fault-window.ts';
import { LiveLine } from './live-line.ts';
import { report, seconds, type TimelineEvent } from './report/report.ts';
import { count, type DemoFigures, type Judgement, judge } from './verdict.ts';

export interface DemonstrationOptions {
  readonly seed: number;
  readonly times: FaultTimes;
  readonly partitions: number;
  readonly clientsPerPartition: number;
  readonly actionsPerSecond: number;
  readonly acknowledgedMin: number;
  /** What to run instead of `caskade server`. */
  readonly program?: readonly string[];
  /** Where data and logs of the nodes are kept; default: nowhere. */
  readonly directory?: string;
  readonly stream: NodeJS.WriteStream;
}

export interface DemonstrationResult {
  readonly judgements: readonly Judgement[];
  readonly figures: DemoFigures;
  /** HTML. */
  readonly report: string;
}

/** Longer than the server's own deadline. */
const CLIENT_TIMEOUT_MS = SHORT_TIMES.writeMs + 2_000;
/** Followers hear of the last commits. */
const QUIET_MS = 500;
/** At the begin nothing is warm. */
const WARM_UP_MS = 1_500;

/** ZooKeeper and three nodes, clients that never stop, one fault after another, and what became of every write. */
export class Demonstration {
  readonly #options: DemonstrationOptions;
  readonly #cluster: ClusterProcesses;
  readonly #load: ClusterLoad;
  readonly #events: TimelineEvent[] = [];
  readonly #watch: ElectionWatch;
  readonly #script: FaultScript;
  readonly #line: LiveLine;

  private constructor(options: DemonstrationOptions, cluster: ClusterProcesses, load: ClusterLoad) {
    this.#options = options;
    this.#cluster = cluster;
    this.#load = load;
    this.#line = new LiveLine(
      options.stream,
      load,
      () => `${this.#watch.summary}  ${this.#script.present.toUpperCase()}`,
    );
    const beganAtMs = performance.now();
    const tell = (event: TimelineEvent): void => {
      this.#events.push(event);
      this.#line.say(`${seconds(event.atMs - beganAtMs).padStart(9)}  ${event.text}`);
    };
    this.#watch = new ElectionWatch(cluster.view, tell);
    this.#script = new FaultScript(cluster, load, options.times, tell);
  }

  static async run(options: DemonstrationOptions): Promise<DemonstrationResult> {
    const { partitions, program, directory, seed, clientsPerPartition, actionsPerSecond } = options;
    const cluster = await ClusterProcesses.start({
      partitions,
      ...(program !== undefined && { program }),
      ...(directory !== undefined && { directory }),
    });
    try {
      const facts = await cluster.view.facts();
      if (facts === null) throw new Error('ZooKeeper does not tell what the cluster is made of');
      const nodes = cluster.nodes.map(({ addresses }) => addresses);
      const timeoutMs = CLIENT_TIMEOUT_MS;
      const load = new ClusterLoad({
        name: 'demo',
        seed,
        facts,
        nodes,
        clientsPerPartition,
        actionsPerSecond,
        timeoutMs,
      });
      return await new Demonstration(options, cluster, load).#run();
    } finally {
      await cluster.destroy();
    }
  }

  async #run(): Promise<DemonstrationResult> {
    const beganAtMs = performance.now();
    this.#watch.start();
    this.#line.start();
    this.#load.start();
    try {
      await this.#script.run();
    } finally {
      await this.#load.stop();
      await this.#watch.stop();
      this.#line.stop();
    }
    const endedAtMs = performance.now();
    const figures = await this.#figures(beganAtMs, endedAtMs);
    const judgements = judge(figures, this.#options);
    const html = report({
      beganAtMs,
      endedAtMs,
      record: this.#load.record,
      figures,
      judgements,
      events: this.#events,
      setting: this.#setting(),
    });
    return { judgements, figures, report: html };
  }

  async #figures(beganAtMs: number, endedAtMs: number): Promise<DemoFigures> {
    const { record, clients } = this.#load;
    const { faults } = this.#script;
    const { partitions } = this.#options;
    const warm = { fromMs: beganAtMs + WARM_UP_MS, toMs: endedAtMs };
    const faultFree = { ...warm, toMs: faults[0]?.beganAtMs ?? endedAtMs };
    const others = outside(record, faults);
    const { differences, held } = await this.#restart();
    return {
      load: judgeLoad(this.#load, held),
      faults: faults.map((fault) => figuresOf(fault, record, partitions)),
      clients: clients.length,
      refusedOutside: others.filter(({ ending }) => ending === 'refused').length,
      inDoubtOutside: others.filter(isInDoubt).length,
      rateFaultFree: rateIn(record, [faultFree]),
      rateOutside: rateIn(record, spansOutside(warm, faults)),
      differences,
      keysReadBack: held.size,
    };
  }

  /** Everything down, the disks compared, everything up again, and every key read by connections that are new. */
  async #restart(): Promise<{
    readonly differences: readonly string[];
    readonly held: ReadonlyMap<string, string | null>;
  }> {
    const { stream } = this.#options;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    stream.write('all nodes are stopped, compared and started again; every key is read back\n');
    await this.#cluster.stopNodes();
    const differences = await this.#cluster.differences();
    await this.#cluster.startNodes();
    const held = await readBack(
      this.#load,
      this.#cluster.nodes.map(({ addresses }) => addresses),
    );
    return { differences, held };
  }

  #setting(): Readonly<Record<string, string>> {
    const { partitions, actionsPerSecond, seed } = this.#options;
    const { sessionMs, lagMs, leaseMs, writeMs } = SHORT_TIMES;
    return {
      cluster: `3 nodes, ${partitions} partitions of 3 replicas, min.insync 2, flush always; one ZooKeeper`,
      clients: `${count(this.#load.clients.length)}, half through plain and half through cluster listeners, ${count(actionsPerSecond)} operations a second together`,
      times: `session ${sessionMs} ms, lag ${lagMs} ms, lease ${leaseMs} ms, write deadline ${writeMs} ms`,
      seed: String(seed),
      machine: `${process.platform}, Node ${process.version}`,
    };
  }
}
