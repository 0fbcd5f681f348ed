import { ReadArrivals } from '../../../src/cluster/index.ts';
import { asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import { FakePartition } from '../../support/fake-partition.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { ServiceCall } from './service-call.ts';
import type { ServiceNode } from './service-node.ts';
import type { ClientTransport } from './simulated-client.ts';

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

const NODES = [asNodeId(1), asNodeId(2), asNodeId(3)];

/**
 * A transport for clients over one partition in memory, with commits, truncations and changes of the leader's place at
 * random: what a cluster does to its clients, without a cluster.
 */
export class FakeCluster implements ClientTransport {
  readonly nodes: readonly NodeId[] = NODES;
  readonly partition: FakePartition;
  readonly #random: SeededRandom;
  readonly #clock = new SimulatedClock({ wallMs: 0 });
  readonly #arrivals = new ReadArrivals();
  readonly #lossShare: number;
  #events: Event[] = [];
  #sequence = 0;
  #leader = asNodeId(1);
  nowMs = 0;

  constructor(random: SeededRandom, lossShare: number, partition?: FakePartition) {
    this.#random = random;
    this.#lossShare = lossShare;
    this.partition = partition ?? new FakePartition({ commit: 'manual', wallMs: () => this.nowMs });
  }

  after(delayMs: number, callback: () => void): void {
    this.#sequence += 1;
    this.#events.push({ atMs: this.nowMs + delayMs, sequence: this.#sequence, run: callback });
  }

  readonly send: ClientTransport['send'] = (to, request, answered, failed) => {
    if (this.#random.chance(this.#lossShare)) {
      this.after(1, () => failed(this.#random.chance(0.5) ? 'refused' : 'broken'));
      return;
    }
    this.after(this.#random.fraction(), () => {
      const call = new ServiceCall(this.#node(to), request, (answer) => {
        if (this.#random.chance(this.#lossShare)) this.after(1, () => failed('broken'));
        else this.after(this.#random.fraction(), () => answered(answer));
      });
      call.start();
    });
  };

  async run(ms: number): Promise<void> {
    this.#commitNow();
    const untilMs = this.nowMs + ms;
    for (;;) {
      const next = this.#takeNext(untilMs);
      if (next === undefined) return;
      this.nowMs = next.atMs;
      this.#clock.wallJump(next.atMs - this.#clock.wallMs());
      next.run();
      for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
    }
  }

  #commitNow(): void {
    const { partition } = this;
    if (this.#random.chance(0.03)) partition.fail();
    else if (partition.logEndOffset > partition.highWatermark) {
      const open = partition.logEndOffset - partition.highWatermark;
      partition.commitTo(this.#groupBorder(partition.highWatermark + 1 + this.#random.below(open)));
    }
    if (this.#random.chance(0.02)) this.#leader = this.#random.pick(NODES);
    this.after(this.#random.fraction() * 4, () => this.#commitNow());
  }

  /** A group lies in one batch: it is committed as a whole. */
  #groupBorder(offset: number): number {
    const groupAt = (at: number): number =>
      this.partition.records.find((record) => record.offset === at)?.group ?? 0;
    let border = offset;
    while (groupAt(border) !== 0 && groupAt(border) === groupAt(border - 1)) border += 1;
    return border;
  }

  #node(id: NodeId): ServiceNode {
    return {
      clock: this.#clock,
      arrivals: this.#arrivals,
      lead: () => (id === this.#leader ? this.partition : null),
      leaderHint: () => this.#leader,
      followerRead: () => ({ kind: 'refused' }),
    };
  }

  #takeNext(untilMs: number): Event | undefined {
    let first: Event | undefined;
    for (const event of this.#events) {
      if (event.atMs > untilMs) continue;
      if (first === undefined || event.atMs < first.atMs) first = event;
      else if (event.atMs === first.atMs && event.sequence < first.sequence) first = event;
    }
    if (first !== undefined) this.#events = this.#events.filter((event) => event !== first);
    return first;
  }
}
