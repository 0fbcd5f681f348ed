import { Forwarder } from '../../src/cluster/forward/forwarder.ts';
import type { ForwardReply, ForwardRequest } from '../../src/cluster/forward/messages.ts';
import { ForwardInbox } from '../../src/commands/forwarded/forward-inbox.ts';
import { ForwardPlacement } from '../../src/commands/forwarding/forward-placement.ts';
import { asIncarnation, asNodeId } from '../../src/model/numbers.ts';
import { Harness } from '../commands/harness.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { FakeCluster, type FakeClusterOptions } from './fake-cluster.ts';
import { SimulatedClock } from './simulated-clock.ts';

export const PATIENCE_MS = 1000;

/** The plain listener of one node: a client, and what the node does for those of others. */
export class ForwardingNode {
  readonly client: Harness;
  readonly forwarder: Forwarder;
  readonly inbox: ForwardInbox;

  constructor(cluster: ForwardingCluster, id: number) {
    const node = cluster.fake.node(id);
    const { clock } = cluster;
    const { router } = node;
    let placement: ForwardPlacement | null = null;
    this.client = new Harness({
      node,
      clock,
      listener: 'plain',
      placement: { place: (entry, context) => (placement as ForwardPlacement).place(entry, context) },
    });
    const ports = this.client.server;
    this.inbox = new ForwardInbox({ router, ports, clock, logger: new CollectingLogger() });
    this.forwarder = new Forwarder({
      self: node.id,
      map: router,
      link: { send: (to, request) => cluster.carry(id, to, request) },
      service: this.inbox,
      clock,
      incarnation: () => asIncarnation(100 * id),
    });
    placement = new ForwardPlacement({ router, forwarder: this.forwarder, patienceMs: PATIENCE_MS });
  }
}

/** Three nodes of a fake cluster whose plain listeners forward to each other, at once unless the test holds it. */
export class ForwardingCluster {
  readonly clock = new SimulatedClock();
  readonly fake: FakeCluster;
  readonly nodes: readonly ForwardingNode[];
  /** Not null: what was sent waits here. */
  held: (() => void)[] | null = null;
  sentCount = 0;

  constructor(options: FakeClusterOptions = {}) {
    this.fake = new FakeCluster({ commit: 'now', wallMs: () => this.clock.wallMs(), ...options });
    this.nodes = this.fake.nodes.map(({ id }) => new ForwardingNode(this, id));
  }

  client(id: number): Harness {
    return this.node(id).client;
  }

  node(id: number): ForwardingNode {
    return this.nodes[id - 1] as ForwardingNode;
  }

  release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const deliver of held) deliver();
  }

  carry(from: number, to: number, request: ForwardRequest): boolean {
    this.sentCount += 1;
    const stream = {
      send: (reply: ForwardReply) =>
        this.clock.atTurnEnd(() => this.node(from).forwarder.replied(asNodeId(to), reply)),
    };
    const deliver = (): void => this.node(to).inbox.received(stream, request);
    if (this.held === null) this.clock.atTurnEnd(deliver);
    else this.held.push(deliver);
    return true;
  }
}
