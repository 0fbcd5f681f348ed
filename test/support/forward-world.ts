import { ClusterRouter } from '../../src/cluster/cluster-router.ts';
import { Forwarder } from '../../src/cluster/forward/forwarder.ts';
import type { ForwardReply, ForwardRequest } from '../../src/cluster/forward/messages.ts';
import type { ForwardStream } from '../../src/cluster/forward/ports.ts';
import { ForwardInbox } from '../../src/commands/forwarded/forward-inbox.ts';
import type { ServerPorts } from '../../src/commands/ports.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import {
  asDatabaseId,
  asIncarnation,
  asNodeId,
  asPartitionId,
  NO_EXPIRY,
  type NodeId,
  SLOT_COUNT,
} from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import { Harness } from '../commands/harness.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { CLUSTER_FACTS, partitionState } from './partition-states.ts';
import { ProducingPartition } from './producing-partition.ts';
import type { SimulatedClock } from './simulated-clock.ts';

export const PARTITION = asPartitionId(0);
/** The node that clients speak to. It may lead, too. */
export const FORWARDER = asNodeId(1);

/** One direction of one stream: delivered in order, one by one, whenever the test says so. */
class Stream implements ForwardStream {
  readonly requests: ForwardRequest[] = [];
  readonly replies: ForwardReply[] = [];
  isOpen = true;

  send(reply: ForwardReply): void {
    if (this.isOpen) this.replies.push(reply);
  }
}

class WorldNode {
  readonly id: NodeId;
  readonly inbox: ForwardInbox;
  readonly router: ClusterRouter;
  leading: ProducingPartition | null = null;
  known: PartitionState;
  readonly #listeners = new Set<() => void>();

  constructor(id: NodeId, known: PartitionState, ports: ServerPorts, clock: SimulatedClock) {
    this.id = id;
    this.known = known;
    const metadata = {
      facts: { ...CLUSTER_FACTS, slots: [[0, SLOT_COUNT - 1, 0]] as const },
      nodes: [1, 2, 3].map((nodeId) => ({
        nodeId: asNodeId(nodeId),
        incarnation: asIncarnation(nodeId),
        rack: '',
        addresses: {},
      })),
      state: () => this.known,
      onChange: (listener: () => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    this.router = new ClusterRouter({ self: id, metadata, leading: () => this.leading });
    this.inbox = new ForwardInbox({ router: this.router, ports, clock, logger: new CollectingLogger() });
  }

  tell(state: PartitionState): void {
    if (state.leaderEpoch < this.known.leaderEpoch) return;
    this.known = state;
    this.changed();
  }

  changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/**
 * One partition whose leadership wanders over three nodes, and a forwarder at one of them. What is delivered, when
 * streams break, when the leader commits, doubts, refuses or is replaced is in the test's hand.
 */
export class ForwardWorld {
  readonly harness = new Harness();
  readonly clock = this.harness.clock;
  readonly nodes: readonly WorldNode[];
  forwarder: Forwarder;
  readonly streams = new Map<NodeId, Stream>();
  /** Broken, with what the receiver may have taken from them and not looked at. */
  readonly zombies: { readonly to: NodeId; readonly stream: Stream }[] = [];
  /** Leaders that were replaced and do not know it. */
  readonly deposed: { readonly node: WorldNode; readonly partition: ProducingPartition }[] = [];
  state: PartitionState;
  leader: ProducingPartition;
  /** Elected, and its role has not begun: everybody may know, and it serves nothing. */
  #appointed: WorldNode | null = null;
  /** Of the node that forwards: it may begin another one in the same process (W5). */
  life = 1;

  constructor(leader = 2) {
    this.state = partitionState({ leader, leaderEpoch: 1, replicas: [1, 2, 3], isr: [1, 2, 3] });
    this.nodes = [1, 2, 3].map(
      (id) => new WorldNode(asNodeId(id), this.state, this.harness.server, this.clock),
    );
    this.leader = new ProducingPartition({ leaderEpoch: 1 });
    this.#lead(leader, this.leader);
    this.forwarder = this.#newForwarder();
  }

  node(id: number): WorldNode {
    return this.nodes[id - 1] as WorldNode;
  }

  get self(): WorldNode {
    return this.node(FORWARDER);
  }

  // Streams

  deliverRequest(to: number): boolean {
    const stream = this.streams.get(asNodeId(to));
    const request = stream?.requests.shift();
    if (stream === undefined || request === undefined) return false;
    this.node(to).inbox.received(stream, request);
    return true;
  }

  deliverReply(from: number): boolean {
    const reply = this.streams.get(asNodeId(from))?.replies.shift();
    if (reply === undefined) return false;
    this.forwarder.replied(asNodeId(from), reply);
    return true;
  }

  /** What the receiver has not looked at yet comes late, or never. */
  break(to: number): void {
    const id = asNodeId(to);
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    this.streams.delete(id);
    stream.isOpen = false;
    this.zombies.push({ to: id, stream });
    this.forwarder.broken(id);
  }

  open(to: number): void {
    const id = asNodeId(to);
    if (this.streams.has(id)) return;
    this.streams.set(id, new Stream());
    this.forwarder.opened(id);
  }

  deliverLate(pick: number): void {
    const at = pick % Math.max(1, this.zombies.length);
    const zombie = this.zombies[at];
    if (zombie === undefined) return;
    const request = zombie.stream.requests.shift();
    if (request !== undefined) this.node(zombie.to).inbox.received(zombie.stream, request);
    else {
      this.zombies.splice(at, 1);
      this.node(zombie.to).inbox.ended(zombie.stream);
    }
  }

  // Leaders

  /** By a client of the leader. */
  write(key: string, text: string): void {
    const bytes = Buffer.from(key);
    const value = Buffer.from(text);
    const view = { bytes, start: 0, end: bytes.length, hash: 0 };
    this.leader.put(asDatabaseId(0), view, value, 0, value.length, NO_EXPIRY);
  }

  /** Some of what was appended and not committed. */
  commit(share: number): void {
    const { highWatermark, logEndOffset } = this.leader;
    this.leader.commitTo(highWatermark + Math.ceil((logEndOffset - highWatermark) * share));
  }

  /**
   * `kept`: of what is not committed, the share that the next leader has. `how`: the old one learns of it at once, and
   * says that what it had is in doubt, or refused (R22: then nothing of it is anywhere); or it does not know it yet.
   * `isBegun` false: the next one's role begins later (`beginRole`).
   */
  elect(id: number, kept: number, how: 'inDoubt' | 'refused' | 'unaware', isBegun = true): void {
    this.beginRole();
    const old = this.leader;
    const oldNode = this.nodes.find(({ leading }) => leading === old) as WorldNode;
    const share = how === 'refused' ? 0 : kept;
    const end = old.highWatermark + Math.floor((old.logEndOffset - old.highWatermark) * share);
    const next = new ProducingPartition({ leaderEpoch: old.leaderEpoch + 1, inherited: old.log(end) });
    if (how === 'unaware' && oldNode.id !== id) this.deposed.push({ node: oldNode, partition: old });
    else {
      oldNode.leading = null;
      old.end(how === 'refused' ? new CaskadeError('notLeader', 'it was not written') : undefined);
    }
    next.commitTo(old.highWatermark);
    this.leader = next;
    for (const other of this.deposed.filter(({ node }) => node.id === id)) this.#learn(other);
    this.#appointed = this.node(id);
    if (isBegun) this.beginRole();
    this.state = { ...this.state, leader: asNodeId(id), leaderEpoch: next.leaderEpoch };
  }

  /** Of the leader that was elected. */
  beginRole(): void {
    if (this.#appointed !== null) this.#lead(this.#appointed.id, this.leader);
    this.#appointed = null;
  }

  /** A leader that was replaced hears of it. */
  learnOne(): void {
    const first = this.deposed[0];
    if (first !== undefined) this.#learn(first);
  }

  tell(id: number): void {
    this.node(id).tell(this.state);
  }

  /** The process of the forwarder ends; the next one is another life. */
  restart(): void {
    this.forwarder.stop();
    for (const to of [...this.streams.keys()]) this.break(to);
    this.life += 1;
    this.forwarder = this.#newForwarder();
  }

  /** Everything is well from now on, until nothing is under way. */
  async heal(): Promise<void> {
    for (const deposed of [...this.deposed]) this.#learn(deposed);
    this.beginRole();
    this.leader.refuseWrites = null;
    for (let round = 0; round < 200 && (this.forwarder.size > 0 || round < 3); round += 1) {
      for (const id of [1, 2, 3]) {
        this.tell(id);
        this.open(id);
        while (this.deliverRequest(id) || this.deliverReply(id));
      }
      await this.clock.advance(10);
      this.commit(1);
    }
    while (this.zombies.length > 0) this.deliverLate(0);
    await this.clock.settle();
    this.commit(1);
  }

  #learn(deposed: { readonly node: WorldNode; readonly partition: ProducingPartition }): void {
    this.deposed.splice(this.deposed.indexOf(deposed), 1);
    if (deposed.node.leading === deposed.partition) deposed.node.leading = null;
    deposed.partition.end();
    deposed.node.changed();
  }

  #lead(id: number, partition: ProducingPartition): void {
    const node = this.node(id);
    node.leading = partition;
    node.changed();
  }

  #newForwarder(): Forwarder {
    const { self, clock } = this;
    return new Forwarder({
      self: FORWARDER,
      map: self.router,
      link: {
        send: (to, request) => {
          this.streams.get(to)?.requests.push(request);
          return this.streams.has(to);
        },
      },
      service: self.inbox,
      clock,
      incarnation: () => asIncarnation(this.life),
      limits: { ...LIMITS, forwardWindow: 4, forwardRetryMs: 5 },
    });
  }
}
