import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import type { ControlMessage } from '../../../src/model/control-messages.ts';
import { asNodeId, type NodeId } from '../../../src/model/numbers.ts';
import type { PeerMessage } from '../../../src/replication/messages.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { CoordinatorServer } from './coordinator-server.ts';
import { copyMessage } from './copy-message.ts';
import { describeControl, describePeer } from './describe-message.ts';
import { RingEventLog } from './event-log.ts';
import type { Life } from './life.ts';
import {
  CLOCK_RATE_SPREAD,
  Machine,
  type MachineHost,
  type NodeProgram,
  type ProgramDoors,
} from './machine.ts';
import { type Channel, Network, type NetworkMood } from './network.ts';
import { Scheduler } from './scheduler.ts';

export interface DataCenterOptions<Program extends NodeProgram> {
  readonly seed: number;
  readonly nodeCount: number;
  readonly mood: Partial<NetworkMood>;
  readonly sessionMs: number;
  readonly boot: (doors: ProgramDoors) => Promise<Program>;
}

/** A request of somebody outside, as far as the machine that it went to matters. */
export interface OutsideRequest<Program extends NodeProgram, Answer> {
  readonly to: NodeId;
  readonly work: (machine: Machine<Program>, respond: (answer: Answer) => void) => void;
  readonly answered: (answer: Answer) => void;
  readonly failed: (how: 'refused' | 'broken') => void;
}

/** A process that ended itself is started again after this. */
const RESTART_MS = 400;
/** A message with more than this many bytes is bulk. */
const TAIL_BYTES_MAX = 16 * 1024;
/** The other nodes learn of a dead process when their streams break, within this time. */
const BREAK_MS_MAX = 5;

/** Machines, the network between them and the coordinator: everything but what the machines run. */
export class DataCenter<Program extends NodeProgram> implements MachineHost<Program> {
  readonly scheduler = new Scheduler();
  readonly events: RingEventLog;
  readonly random: SeededRandom;
  readonly network: Network;
  readonly coordinator: CoordinatorServer;
  readonly machines: readonly Machine<Program>[];
  /**
   * The slowest monotonic clock; the fastest is `CLOCK_RATE_SPREAD` above it: in some worlds all are slow, in others
   * all fast.
   */
  readonly rateMin: number;
  readonly defects: string[] = [];
  readonly #options: DataCenterOptions<Program>;
  readonly #observers: (() => void)[] = [];
  readonly #openRequests = new Map<NodeId, Set<() => void>>();
  readonly #random: SeededRandom;

  constructor(options: DataCenterOptions<Program>) {
    this.#options = options;
    this.events = new RingEventLog(() => this.scheduler.nowMs);
    const seeded = new SeededRandom(options.seed);
    this.random = seeded.fork();
    this.#random = seeded.fork();
    this.rateMin = 0.95 + seeded.fraction() * CLOCK_RATE_SPREAD;
    this.coordinator = new CoordinatorServer(this.scheduler, options.sessionMs);
    this.network = new Network(
      this.scheduler,
      seeded.fork(),
      (node) => this.machine(node).endpoint,
      options.mood,
    );
    this.machines = Array.from(
      { length: options.nodeCount },
      (_, index) => new Machine(asNodeId(index + 1), this, seeded.fork()),
    );
    for (const { id } of this.machines) this.#openRequests.set(id, new Set());
  }

  machine(id: NodeId): Machine<Program> {
    const machine = this.machines[id - 1];
    if (machine === undefined) throw new RangeError(`there is no node ${id}`);
    return machine;
  }

  /** Over everything that happened: equal for two runs of one seed. */
  get digest(): string {
    return `${this.events.digest}-${this.scheduler.digest.toString(16)}-${this.scheduler.eventCount}`;
  }

  /** Tells of every transaction of the coordinator. */
  onTransaction(listener: (paths: ReadonlySet<string>) => void): void {
    this.coordinator.onCommit = listener;
  }

  observe(observer: () => void): void {
    this.#observers.push(observer);
  }

  async run(ms: number): Promise<void> {
    await this.runUntil(() => false, ms, ms);
  }

  /** Looks at the condition after the first event behind each `everyMs`. */
  async runUntil(condition: () => boolean, msMax: number, everyMs = 10): Promise<boolean> {
    if (condition()) return true;
    const untilMs = this.scheduler.nowMs + msMax;
    let nextMs = this.scheduler.nowMs + everyMs;
    let isMet = false;
    await this.scheduler.run(untilMs, () => {
      for (const observer of this.#observers) observer();
      if (this.scheduler.nowMs < nextMs) return false;
      nextMs = this.scheduler.nowMs + everyMs;
      isMet = condition();
      return isMet;
    });
    return isMet || condition();
  }

  boot(doors: ProgramDoors): Promise<Program> {
    return this.#options.boot(doors);
  }

  sendPeer(from: Machine<Program>, sender: Life, to: NodeId, message: PeerMessage): void {
    const bytes =
      message.kind === 'fetchReply' && message.outcome.result === 'data' ? message.outcome.bytes.length : 0;
    const isLease = message.kind === 'leaseStamp' || message.kind === 'leaseEcho';
    const channel =
      isLease || message.kind === 'leaderReleased' ? 'control' : bytes > TAIL_BYTES_MAX ? 'bulk' : 'tail';
    const sent = this.#damaged(message, from.id, to);
    this.#send(from, sender, to, channel, bytes, sent, (program, arrived) => {
      this.events.note(`${from.id}>${to}`, describePeer(arrived));
      program.receivePeer(arrived);
    });
  }

  #damaged(message: PeerMessage, from: NodeId, to: NodeId): PeerMessage {
    if (message.kind !== 'fetchReply' || message.outcome.result !== 'data') return message;
    const bytes = this.network.bytesAfter(message.outcome.bytes, from, to);
    return { ...message, outcome: { ...message.outcome, bytes } };
  }

  sendControl(from: Machine<Program>, sender: Life, to: NodeId, message: ControlMessage): void {
    this.#send(from, sender, to, 'control', 0, message, (program, arrived) => {
      this.events.note(`${from.id}>${to}`, describeControl(arrived));
      program.receiveControl(arrived);
    });
  }

  ended(machine: Machine<Program>, policy: SurvivalPolicy): void {
    const open = [...(this.#openRequests.get(machine.id) ?? [])];
    this.#openRequests.get(machine.id)?.clear();
    if (policy !== 'keepAll') return;
    for (const broken of open) this.scheduler.after(this.network.latencyMs('tail'), null, broken);
    for (const other of this.machines) {
      if (other !== machine) this.#scheduleBreak(machine.id, other);
    }
  }

  exited(machine: Machine<Program>, reason: string, isDefect: boolean): void {
    if (isDefect) this.defects.push(`node ${machine.id}: ${reason}`);
    this.scheduler.after(RESTART_MS, null, () => machine.start());
  }

  /**
   * Travels to the node like a packet; never answered when the machine is off or silent, as its sender knows by the
   * clock alone.
   */
  request<Answer>(request: OutsideRequest<Program, Answer>): void {
    const { scheduler, network } = this;
    scheduler.after(network.latencyMs('tail'), null, () => {
      const machine = this.machine(request.to);
      if (network.isSilent(machine.id) || !machine.endpoint.isOn) return;
      const running = machine.running;
      if (running === null) {
        scheduler.after(network.latencyMs('tail'), null, () => request.failed('refused'));
        return;
      }
      const open = this.#openRequests.get(machine.id);
      const broken = (): void => request.failed('broken');
      open?.add(broken);
      const respond = (answer: Answer): void => {
        if (!running.life.isAlive || open?.delete(broken) !== true) return;
        scheduler.after(network.latencyMs('tail'), null, () => {
          if (!network.isSilent(machine.id)) request.answered(answer);
        });
      };
      scheduler.after(0, running.life, () => request.work(machine, respond));
    });
  }

  #send<Message>(
    from: Machine<Program>,
    sender: Life,
    to: NodeId,
    channel: Channel,
    bytes: number,
    message: Message,
    receive: (program: Program, arrived: Message) => void,
  ): void {
    const sent = copyMessage(message);
    const deliver = (): void => {
      const running = this.machine(to).running;
      if (running !== null) receive(running.program, sent);
    };
    this.network.send({ from: from.id, to, channel, bytes }, sender, deliver, () => {
      from.running?.program.peerRefused(to);
    });
  }

  #scheduleBreak(dead: NodeId, other: Machine<Program>): void {
    const running = other.running;
    if (running === null) return;
    const delayMs = this.network.latencyMs('tail') + this.#random.fraction() * BREAK_MS_MAX;
    this.scheduler.after(delayMs, null, () => {
      const { host, isOn } = this.machine(dead).endpoint;
      const isReachable =
        !this.network.isCut(dead, other.id) &&
        !this.network.isCut(other.id, dead) &&
        !this.network.isSilent(dead) &&
        !this.network.isSilent(other.id);
      if (host !== null || !isOn || !isReachable) return;
      this.scheduler.after(0, running.life, () => running.program.peerRefused(dead));
    });
  }
}
