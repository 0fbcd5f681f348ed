import type { Clock, Timer } from '../../env/clock.ts';
import { LIMITS } from '../../model/limits.ts';
import {
  asLeaderEpoch,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type PartitionId,
} from '../../model/numbers.ts';
import type { MapSource } from '../cluster-map.ts';
import { ForwardLane, type ForwardLaneHost, type ForwardLaneLimits } from './forward-lane.ts';
import type { ForwardAnswer, ForwardedCommand, ForwardTarget } from './forwarded-command.ts';
import type { ForwardReply } from './messages.ts';
import type { ForwardLink, ForwardLinkEvents, ForwardService, ForwardStream } from './ports.ts';

export type ForwarderLimits = ForwardLaneLimits &
  Readonly<Record<'forwardQueueMax' | 'forwardBytesMax', number>>;

export interface ForwarderParts {
  readonly self: NodeId;
  readonly map: MapSource;
  /** To other nodes. */
  readonly link: ForwardLink;
  /** What runs requests at this node: parts of commands over several partitions go there, too. */
  readonly service: ForwardService;
  readonly clock: Clock;
  /** The present life of this node (`ReplicaManager.incarnation`). */
  readonly incarnation: () => Incarnation;
  readonly limits?: ForwarderLimits;
}

const OVERLOADED: ForwardAnswer = {
  kind: 'refused',
  error: { code: 'overloaded', message: 'Too many commands wait for the leader of the partition' },
};
const STOPPED: ForwardAnswer = {
  kind: 'refused',
  error: { code: 'shuttingDown', message: 'The server is shutting down' },
};

/**
 * Sends commands to the leaders of their partitions, whoever leads them by then, until they are answered or their
 * deadline is over. One for a node; a lane for each partition.
 *
 * It numbers under the life that the node had when the lane was first used, for as long as the process runs: no other
 * process has that life, so its numbers are its own, and a new life of the same process (W5) changes nothing about what
 * is under way. Only a log that has seen a later life of this node makes a lane take the present one.
 */
export class Forwarder implements ForwardLinkEvents {
  readonly #parts: ForwarderParts;
  readonly #limits: ForwarderLimits;
  readonly #lanes = new Map<PartitionId, LaneSlot>();
  readonly #host: ForwardLaneHost;
  /** What to do when the outermost call has ended: nobody is called within a call. */
  readonly #later: (() => void)[] = [];
  #isRunning = false;
  #ids = 0;
  #bytes = 0;
  #isStopped = false;
  readonly #stopListening: () => void;
  readonly #loop: ForwardStream = { send: (reply) => this.#run(() => this.#replied(reply)) };

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
    this.#limits = parts.limits ?? LIMITS;
    this.#host = this.#newHost();
    this.#stopListening = parts.map.onChange(() => this.#run(() => this.#aimAll()));
  }

  /** Bytes of the commands that wait or are under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Commands that wait or are under way, with numbers that are to be filled. */
  get size(): number {
    let size = 0;
    for (const { lane } of this.#lanes.values()) size += lane.size;
    return size;
  }

  forward(command: ForwardedCommand): void {
    this.#run(() => {
      const slot = this.#slot(command.partition);
      const { length } = command.command;
      if (this.#isStopped) this.#later.push(() => command.answered(STOPPED));
      else if (!this.#hasRoom(slot, length)) this.#later.push(() => command.answered(OVERLOADED));
      else {
        this.#bytes += length;
        slot.bytes += length;
        slot.lane.submit(command, this.#parts.clock.monotonicMs());
        this.#arm(slot);
      }
    });
  }

  opened(node: NodeId): void {
    this.#each((lane, nowMs) => lane.opened(node, nowMs));
  }

  broken(node: NodeId): void {
    this.#each((lane, nowMs) => lane.broken(node, nowMs));
  }

  replied(_from: NodeId, reply: ForwardReply): void {
    this.#run(() => this.#replied(reply));
  }

  /** Everything that waits is answered as it stands. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopListening();
    this.#run(() => {
      for (const { lane, timer } of this.#lanes.values()) {
        lane.stop();
        timer?.cancel();
      }
    });
  }

  // Inside

  /** A partition has its share, and one command of any size, however much waits for others: one may have no leader. */
  #hasRoom(slot: LaneSlot, length: number): boolean {
    const { forwardBytesMax, forwardQueueMax } = this.#limits;
    if (slot.lane.size >= forwardQueueMax) return false;
    const shareMax = forwardBytesMax / Math.max(1, this.#parts.map.map.partitions.length);
    return slot.bytes === 0 || slot.bytes + length <= shareMax || this.#bytes + length <= forwardBytesMax;
  }

  #newHost(): ForwardLaneHost {
    const { self, link, service, incarnation } = this.#parts;
    return {
      self,
      incarnation,
      nextId: () => {
        this.#ids += 1;
        return this.#ids;
      },
      send: (to, request) => {
        if (to !== self) return link.send(to, request);
        this.#later.push(() => service.received(this.#loop, request));
        return true;
      },
      answered: (command, answer) => {
        const { length } = command.command;
        this.#bytes -= length;
        this.#slot(command.partition).bytes -= length;
        this.#later.push(() => command.answered(answer));
      },
    };
  }

  #slot(partition: PartitionId): LaneSlot {
    let slot = this.#lanes.get(partition);
    if (slot === undefined) {
      slot = new LaneSlot(new ForwardLane(partition, this.#host, this.#limits));
      this.#lanes.set(partition, slot);
      slot.lane.aim(this.#target(slot), this.#parts.clock.monotonicMs());
    }
    return slot;
  }

  #replied(reply: ForwardReply): void {
    const slot = this.#lanes.get(reply.partition);
    if (slot === undefined || this.#isStopped) return;
    const nowMs = this.#parts.clock.monotonicMs();
    slot.lane.replied(reply, nowMs);
    if (slot.heard(reply)) slot.lane.aim(this.#target(slot), nowMs);
    this.#arm(slot);
  }

  /** The newest of what this node heard of itself and what was said in answers. */
  #target(slot: LaneSlot): ForwardTarget | null {
    const route = this.#parts.map.map.partition(slot.lane.partition);
    const known: ForwardTarget | null =
      route === null || route.leader === null ? null : { node: route.leader, leaderEpoch: route.leaderEpoch };
    const { hint } = slot;
    return hint !== null && hint.leaderEpoch > (route?.leaderEpoch ?? 0) ? hint : known;
  }

  #aimAll(): void {
    this.#each((lane, nowMs, slot) => lane.aim(this.#target(slot), nowMs));
  }

  #each(action: (lane: ForwardLane, nowMs: ReturnType<Clock['monotonicMs']>, slot: LaneSlot) => void): void {
    if (this.#isStopped) return;
    this.#run(() => {
      const nowMs = this.#parts.clock.monotonicMs();
      for (const slot of this.#lanes.values()) {
        action(slot.lane, nowMs, slot);
        this.#arm(slot);
      }
    });
  }

  /** One timer for a lane; a deadline that has become later is noticed when the timer has fired. */
  #arm(slot: LaneSlot): void {
    const atMs = slot.lane.wakeAtMs;
    if (this.#isStopped || atMs >= slot.timerAtMs) return;
    slot.timer?.cancel();
    slot.timerAtMs = atMs;
    const { clock } = this.#parts;
    slot.timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => {
      slot.timer = null;
      slot.timerAtMs = Number.POSITIVE_INFINITY;
      this.#run(() => {
        if (!this.#isStopped) slot.lane.tick(clock.monotonicMs());
        this.#arm(slot);
      });
    });
  }

  #run(action: () => void): void {
    if (this.#isRunning) {
      this.#later.push(action);
      return;
    }
    this.#isRunning = true;
    try {
      action();
      for (let next = this.#later.shift(); next !== undefined; next = this.#later.shift()) next();
    } finally {
      this.#isRunning = false;
    }
  }
}

class LaneSlot {
  readonly lane: ForwardLane;
  /** Of the commands that wait or are under way. */
  bytes = 0;
  /** The newest leader that an answer named. */
  hint: (ForwardTarget & { readonly leaderEpoch: LeaderEpoch }) | null = null;
  timer: Timer | null = null;
  timerAtMs = Number.POSITIVE_INFINITY;

  constructor(lane: ForwardLane) {
    this.lane = lane;
  }

  /** True: it is news. */
  heard({ leader, leaderEpoch }: ForwardReply): boolean {
    if (leader === null || leaderEpoch <= (this.hint?.leaderEpoch ?? asLeaderEpoch(0))) return false;
    this.hint = { node: leader, leaderEpoch };
    return true;
  }
}
