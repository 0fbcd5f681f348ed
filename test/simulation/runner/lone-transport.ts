import { type LeaderPartition, ReadArrivals } from '../../../src/cluster/index.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { NodeId, PartitionId } from '../../../src/model/numbers.ts';
import { type ServiceAnswer, ServiceCall } from '../clients/service-call.ts';
import type { FollowerRead, ServiceNode } from '../clients/service-node.ts';
import type { ClientTransport } from '../clients/simulated-client.ts';
import type { LiveLoneNode, LoneWorld } from '../world/lone-world.ts';

/** Carries the requests of clients to the only node there is. */
export class LoneTransport implements ClientTransport {
  readonly nodes: readonly NodeId[];
  readonly #world: LoneWorld;
  readonly #services = new WeakMap<LiveLoneNode, ServiceNode>();

  constructor(world: LoneWorld) {
    this.#world = world;
    this.nodes = world.nodes;
  }

  after(delayMs: number, callback: () => void): void {
    this.#world.after(delayMs, callback);
  }

  readonly send: ClientTransport['send'] = (_to, request, answered, failed) => {
    this.#world.request<ServiceAnswer>({
      work: (live, respond) => new ServiceCall(this.#serviceOf(live), request, respond).start(),
      answered,
      failed,
    });
  };

  #serviceOf(live: LiveLoneNode): ServiceNode {
    const known = this.#services.get(live);
    if (known !== undefined) return known;
    const service = new LoneServiceNode(live);
    this.#services.set(live, service);
    return service;
  }
}

/** It leads everything; nobody follows. */
class LoneServiceNode implements ServiceNode {
  readonly clock: Clock;
  readonly arrivals = new ReadArrivals();
  readonly #live: LiveLoneNode;

  constructor(live: LiveLoneNode) {
    this.#live = live;
    this.clock = live.clock;
  }

  lead(partition: PartitionId): LeaderPartition | null {
    return this.#live.node.partitions[partition] ?? null;
  }

  leaderHint(): NodeId {
    return this.#live.id;
  }

  followerRead(): FollowerRead {
    return { kind: 'refused' };
  }
}
