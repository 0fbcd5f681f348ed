import { type Endpoint, Lane, type LaneListener } from './lane.ts';
import type { LoadMeter } from './load-meter.ts';
import { type KeyNumbers, RequestTemplate, type Workload, waitRequest } from './workload.ts';

/** Whom to ask for which key. */
export interface Routes {
  readonly endpoints: readonly Endpoint[];
  /** Which key is number `index` of those that are used; null: key number `index`. */
  readonly keyAt: ((index: number) => number) | null;
  /** Key number to index of its endpoint; null: there is one only. */
  readonly laneOf: ((key: number) => number) | null;
}

/**
 * One client as an application has it: `window` units in flight in all, over one connection to each endpoint, like a
 * cluster client that keeps a connection per node.
 */
export class LoadClient implements LaneListener {
  readonly #workload: Workload;
  readonly #routes: Routes;
  readonly #keys: KeyNumbers;
  readonly #meter: LoadMeter;
  readonly #template: RequestTemplate;
  readonly #wait: Buffer;
  readonly #unitBytes: number;
  #lanes: readonly Lane[] = [];
  /** Of the packet being put together: the units for each lane, as key numbers. */
  readonly #chosen: number[][];
  #free: number;

  private constructor(workload: Workload, routes: Routes, keys: KeyNumbers, meter: LoadMeter) {
    this.#workload = workload;
    this.#routes = routes;
    this.#keys = keys;
    this.#meter = meter;
    this.#template = new RequestTemplate(workload.command);
    this.#wait = workload.wait > 0 ? waitRequest(workload.wait) : Buffer.alloc(0);
    this.#unitBytes = this.#template.bytes * workload.perUnit + this.#wait.length;
    this.#chosen = routes.endpoints.map(() => []);
    this.#free = workload.window;
  }

  static async open(
    workload: Workload,
    routes: Routes,
    keys: KeyNumbers,
    meter: LoadMeter,
  ): Promise<LoadClient> {
    const client = new LoadClient(workload, routes, keys, meter);
    client.#lanes = await Promise.all(
      routes.endpoints.map((endpoint) => Lane.open(endpoint, workload, client)),
    );
    return client;
  }

  get isIdle(): boolean {
    return this.#free === this.#workload.window;
  }

  /** Sends as many units as are free. */
  packetRead(): void {
    if (!this.#meter.isOpen || this.#free === 0) return;
    const { laneOf } = this.#routes;
    for (; this.#free > 0; this.#free -= 1) {
      const key = this.#nextKey();
      this.#chosen[laneOf === null ? 0 : laneOf(key)]!.push(key);
    }
    const nowMs = performance.now();
    for (let lane = 0; lane < this.#lanes.length; lane += 1) this.#flush(lane, nowMs);
  }

  answered(sentAtMs: number): void {
    this.#free += 1;
    this.#meter.answered(sentAtMs, this.#workload.perUnit);
  }

  failed(reason: string): void {
    this.#meter.fail(reason);
  }

  close(): void {
    for (const lane of this.#lanes) lane.close();
  }

  #nextKey(): number {
    const index = this.#keys.next();
    const { keyAt } = this.#routes;
    return keyAt === null ? index : keyAt(index);
  }

  #flush(lane: number, nowMs: number): void {
    const chosen = this.#chosen[lane]!;
    if (chosen.length === 0) return;
    const bytes = Buffer.allocUnsafe(this.#unitBytes * chosen.length);
    let at = 0;
    for (const first of chosen) {
      at = this.#template.write(bytes, at, first);
      for (let further = 1; further < this.#workload.perUnit; further += 1)
        at = this.#template.write(bytes, at, this.#nextKey());
      at += this.#wait.copy(bytes, at);
    }
    this.#lanes[lane]!.send(bytes, chosen.length, nowMs);
    chosen.length = 0;
  }
}
