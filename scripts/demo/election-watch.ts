import type { ZooKeeperView } from '../../test/support/cluster/zookeeper-view.ts';
import type { TimelineEvent } from './report/report.ts';

const POLL_MS = 50;

/** Sees who leads and who reigns, as ZooKeeper has it, and tells of every change. */
export class ElectionWatch {
  readonly #view: ZooKeeperView;
  readonly #tell: (event: TimelineEvent) => void;
  /** Leader and epoch, by partition. */
  readonly #leaders = new Map<number, string>();
  #led = new Map<number, number>();
  #controller: number | null = null;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(view: ZooKeeperView, tell: (event: TimelineEvent) => void) {
    this.#view = view;
    this.#tell = tell;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** How many partitions each node leads, and who reigns: as last seen. */
  get summary(): string {
    const led = [...this.#led].sort(([a], [b]) => a - b).map(([node, count]) => `${node}:${count}`);
    return `leading ${led.join(' ')}, controller ${this.#controller ?? '-'}`;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#look();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #look(): Promise<void> {
    const [states, controller] = await Promise.all([this.#view.partitions(), this.#view.controller()]);
    const atMs = performance.now();
    if (controller !== null && controller !== this.#controller) {
      if (this.#controller !== null)
        this.#tell({ atMs, kind: 'controller', text: `node ${controller} is the controller` });
      this.#controller = controller;
    }
    if (states === null) return;
    this.#led = new Map();
    for (const { id, leader, leaderEpoch } of states) {
      if (leader === null) continue;
      this.#led.set(leader, (this.#led.get(leader) ?? 0) + 1);
      const now = `node ${leader} leads partition ${id} in epoch ${leaderEpoch}`;
      const before = this.#leaders.get(id);
      this.#leaders.set(id, now);
      if (before !== undefined && before !== now) this.#tell({ atMs, kind: 'election', text: now });
    }
  }
}
