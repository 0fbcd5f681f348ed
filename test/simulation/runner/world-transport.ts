import type { NodeId } from '../../../src/model/numbers.ts';
import { type ServiceAnswer, ServiceCall } from '../clients/service-call.ts';
import type { ServiceNode } from '../clients/service-node.ts';
import type { ClientTransport } from '../clients/simulated-client.ts';
import type { LiveNode, World } from '../world/world.ts';
import { LiveServiceNode } from './live-service-node.ts';

/** Carries the requests of clients into a world. */
export class WorldTransport implements ClientTransport {
  readonly nodes: readonly NodeId[];
  readonly #world: World;
  /** One command layer a life: its numbers of arrival belong to that life. */
  readonly #services = new WeakMap<LiveNode['cluster'], ServiceNode>();

  constructor(world: World) {
    this.#world = world;
    this.nodes = world.nodes.map(({ id }) => id);
  }

  after(delayMs: number, callback: () => void): void {
    this.#world.after(delayMs, callback);
  }

  readonly send: ClientTransport['send'] = (to, request, answered, failed) => {
    this.#world.request<ServiceAnswer>({
      to,
      work: (node, respond) => new ServiceCall(this.#serviceOf(node), request, respond).start(),
      answered,
      failed,
    });
  };

  #serviceOf(node: LiveNode): ServiceNode {
    const known = this.#services.get(node.cluster);
    if (known !== undefined) return known;
    const service = new LiveServiceNode(node);
    this.#services.set(node.cluster, service);
    return service;
  }
}
