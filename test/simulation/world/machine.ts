import type { CoordinatorFactory } from '../../../src/coordination/coordinator.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { FileSystem } from '../../../src/env/file-system.ts';
import type { Random } from '../../../src/env/random.ts';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import type { ControlMessage } from '../../../src/model/control-messages.ts';
import type { NodeId } from '../../../src/model/numbers.ts';
import type { PeerMessage } from '../../../src/replication/messages.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { CoordinatorServer, ServerSession } from './coordinator-server.ts';
import { type CoordinatorLink, SimulatedSessionFactory } from './coordinator-session.ts';
import { Life } from './life.ts';
import { MachineDisk } from './machine-disk.ts';
import type { Endpoint } from './network.ts';
import { NodeClock, WallClock } from './node-clock.ts';
import type { Scheduler } from './scheduler.ts';
import type { EventLog } from './world.ts';

/** What a machine runs. */
export interface NodeProgram {
  receivePeer(message: PeerMessage): void;
  receiveControl(message: ControlMessage): void;
  peerRefused(node: NodeId): void;
  /** Controlled shutdown; the process ends when it resolves. */
  stop(): Promise<void>;
}

/** What a life of it is given. */
export interface ProgramDoors {
  readonly id: NodeId;
  readonly life: number;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly coordinator: CoordinatorFactory;
  sendPeer(to: NodeId, message: PeerMessage): void;
  sendControl(to: NodeId, message: ControlMessage): void;
  /** The process ends itself. */
  exit(reason: string): void;
}

/** What the world around a machine does for it. */
export interface MachineHost<Program extends NodeProgram> {
  readonly scheduler: Scheduler;
  readonly events: EventLog;
  readonly coordinator: CoordinatorServer;
  readonly rateMin: number;
  boot(doors: ProgramDoors): Promise<Program>;
  sendPeer(from: Machine<Program>, sender: Life, to: NodeId, message: PeerMessage): void;
  sendControl(from: Machine<Program>, sender: Life, to: NodeId, message: ControlMessage): void;
  /** A life ended; `how` says whether anything was heard of it. */
  ended(machine: Machine<Program>, policy: SurvivalPolicy): void;
  /** It ended of itself: `isDefect` when by an error that nothing expects. */
  exited(machine: Machine<Program>, reason: string, isDefect: boolean): void;
}

export interface RunningProgram<Program extends NodeProgram> {
  readonly program: Program;
  readonly life: Life;
  readonly lifeNumber: number;
  readonly clock: NodeClock;
}

/**
 * Of any two clocks the faster one gains at most this on the other: rho of PROTOCOL 4.4, L3. Two clocks that are each
 * off by 5 % of true time in opposite directions would differ by more, and no lease of D(1 - rho) would be sound.
 */
export const CLOCK_RATE_SPREAD = 0.05;
const WALL_OFFSET_MS_MAX = 150;

/** One machine: its disk, its clocks and its place in the network outlive the processes that run on it, one after the other. */
export class Machine<Program extends NodeProgram> {
  readonly id: NodeId;
  readonly disk: MachineDisk;
  readonly wall: WallClock;
  readonly link: CoordinatorLink = { isCut: false, replyLossShare: 0, staleMs: 0, slownessMs: 0 };
  readonly #host: MachineHost<Program>;
  readonly #random: SeededRandom;
  #isOn = true;
  #lifeNumber = 0;
  #life: Life | null = null;
  #clock: NodeClock | null = null;
  #sessions: SimulatedSessionFactory | null = null;
  #running: RunningProgram<Program> | null = null;
  #isStopping = false;

  constructor(id: NodeId, host: MachineHost<Program>, random: SeededRandom) {
    this.id = id;
    this.#host = host;
    this.#random = random;
    this.disk = new MachineDisk(random.fork());
    this.wall = new WallClock(host.scheduler, (random.fraction() * 2 - 1) * WALL_OFFSET_MS_MAX);
  }

  /** Null while dead or starting. */
  get running(): RunningProgram<Program> | null {
    return this.#running;
  }

  /** A process exists: it starts, runs or stops. */
  get isUp(): boolean {
    return this.#life !== null;
  }

  get isStalled(): boolean {
    return this.#life?.isStalled ?? false;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  get endpoint(): Endpoint {
    return { host: this.#running?.life ?? null, isOn: this.#isOn };
  }

  get clock(): NodeClock | null {
    return this.#clock;
  }

  /** The coordinator's half of its session. */
  get session(): ServerSession | null {
    return this.#sessions?.current?.server ?? null;
  }

  start(): void {
    if (this.#life !== null) return;
    this.#isOn = true;
    this.#isStopping = false;
    this.#lifeNumber += 1;
    const { scheduler, events, coordinator } = this.#host;
    const life = new Life(scheduler, (error) => this.#crashed(life, error));
    const rate = this.#host.rateMin * (1 + this.#random.fraction() * CLOCK_RATE_SPREAD);
    const clock = new NodeClock(scheduler, life, this.wall, {
      monotonicMs: this.#random.fraction() * 1e7,
      rate,
    });
    const random = this.#random.fork();
    this.#life = life;
    this.#clock = clock;
    this.#sessions = new SimulatedSessionFactory({
      scheduler,
      server: coordinator,
      link: this.link,
      life,
      clock,
      random: this.#random.fork(),
    });
    events.note(`n${this.id}`, `starts life ${this.#lifeNumber}`);
    const doors: ProgramDoors = {
      id: this.id,
      life: this.#lifeNumber,
      fileSystem: this.disk.mount(clock, life),
      clock,
      random,
      coordinator: this.#sessions,
      sendPeer: (to, message) => {
        if (life.isAlive) this.#host.sendPeer(this, life, to, message);
      },
      sendControl: (to, message) => {
        if (life.isAlive) this.#host.sendControl(this, life, to, message);
      },
      exit: (reason) => {
        if (life.isAlive) this.#exit(reason, false);
      },
    };
    scheduler.after(0, life, () => void this.#run(doors, life, clock));
  }

  /** The life ends at this instant. `keepAll`: the process was killed; else the machine lost power, and refuses nothing. */
  kill(policy: SurvivalPolicy): void {
    if (this.#life === null) return;
    this.#host.events.note(`n${this.id}`, `is killed (${policy})`);
    this.#end(policy);
  }

  /** The machine is on again, its process not. */
  powerOn(): void {
    this.#isOn = true;
  }

  stall(ms: number): void {
    this.#life?.stall(ms, this.#random.chance(0.5));
  }

  wake(): void {
    this.#life?.wake();
  }

  shutDown(): void {
    const running = this.#running;
    if (running === null || this.#isStopping) return;
    this.#isStopping = true;
    const { scheduler, events } = this.#host;
    events.note(`n${this.id}`, 'shuts down');
    scheduler.after(0, running.life, () => void this.#stop(running));
  }

  async #run(doors: ProgramDoors, life: Life, clock: NodeClock): Promise<void> {
    try {
      const program = await this.#host.boot(doors);
      if (!life.isAlive) return;
      this.#running = { program, life, lifeNumber: doors.life, clock };
      this.#host.events.note(`n${this.id}`, 'runs');
    } catch (error) {
      if (life.isAlive) this.#exit(`could not start: ${describe(error)}`, isDefect(error));
    }
  }

  async #stop({ program, life }: RunningProgram<Program>): Promise<void> {
    try {
      await program.stop();
      if (!life.isAlive) return;
      this.#host.events.note(`n${this.id}`, 'has shut down');
      this.#end('keepAll');
    } catch (error) {
      if (life.isAlive) this.#exit(`could not stop: ${describe(error)}`, isDefect(error));
    }
  }

  #crashed(life: Life, error: unknown): void {
    if (life.isAlive) this.#exit(`crashed: ${describe(error)}`, true);
  }

  #exit(reason: string, isDefect: boolean): void {
    this.#host.events.note(`n${this.id}`, `exits: ${reason}`);
    this.#end('keepAll');
    this.#host.exited(this, reason, isDefect);
  }

  #end(policy: SurvivalPolicy): void {
    this.#life?.end();
    this.#life = null;
    this.#running = null;
    this.#clock = null;
    this.#isOn = policy === 'keepAll';
    this.disk.crash(policy);
    this.#host.ended(this, policy);
  }
}

/** An error of the outside world has a code; one of ours has a stack that somebody must read. */
const isDefect = (error: unknown): boolean => !(error instanceof Error && 'code' in error);

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
