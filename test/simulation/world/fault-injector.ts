import type { SeededRandom } from '../../support/seeded-random.ts';
import type { DataCenter } from './data-center.ts';
import type { FaultKind, FaultPlan, FaultRecord, FaultRole } from './fault.ts';
import { FAULT_WEIGHTS, type FaultScene, STRIKES } from './faults.ts';
import type { Machine, NodeProgram } from './machine.ts';

/** What the injector must know of the cluster. */
export interface FaultTargets<Program extends NodeProgram> {
  rolesOf(machine: Machine<Program>): readonly FaultRole[];
  /** Every copy of everything is where it belongs: one of them may be destroyed. */
  isWhole(): boolean;
  /** Replicas of this machine, by what changes when they are rebuilt. */
  copiesOf(machine: Machine<Program>): string;
  /** What is acknowledged need not be synced: whoever dies has to be given again what the others have (R18). */
  readonly isWeak?: boolean;
}

/** They destroy what was on disk. More of them at a time than there are spare copies would rightly lose data. */
const DESTRUCTIVE: ReadonlySet<FaultKind> = new Set(['wipe', 'bitRot', 'segmentDamage']);
/**
 * Who is hit by one of these leaves the ISR as if it had lost something, and is no spare copy until it is back: beside
 * one that destroys, only an operator could say that nothing is lost.
 */
const FAILING: ReadonlySet<FaultKind> = new Set(['syncError', 'diskError']);
/** Each ends the life of a process, now or soon. */
const DEADLY: ReadonlySet<FaultKind> = new Set([
  'crash',
  'crashAtWrite',
  'powerLoss',
  'wipe',
  'shutdown',
  'bounce',
  'syncError',
  'diskError',
  'diskFull',
  'documentDamage',
  'hintDamage',
]);
/**
 * A weak flush mode promises nothing to who loses a second copy unseen, and needs an operator where a cluster that
 * syncs does not.
 */
const NEVER_WHEN_WEAK: ReadonlySet<FaultKind> = new Set([
  'bitRot',
  'segmentDamage',
  'coordinatorLosesWrites',
]);
const ROLES: readonly FaultRole[] = ['leader', 'follower', 'controller'];
/** Of all faults, those that come on the heels of another. */
const BURST_SHARE = 0.3;
const BURST_MS_MAX = 400;
/** Between two that destroy: more than a scrub needs. */
const DESTRUCTION_MS_MIN = 5_000;

/** Lets faults happen: by order, or by chance with weights; and takes everything back. */
export class FaultInjector<Program extends NodeProgram> {
  readonly records: FaultRecord[] = [];
  readonly #center: DataCenter<Program>;
  readonly #targets: FaultTargets<Program>;
  readonly #random: SeededRandom;
  readonly #strikes: typeof STRIKES;
  readonly #heals = new Set<() => void>();
  /** What was destroyed last, and where. */
  #destroyed: {
    readonly machine: Machine<Program>;
    readonly copies: string;
    readonly atMs: number;
  } | null = null;
  #forgotAtMs = Number.NEGATIVE_INFINITY;
  /** Until then somebody may still die of what was done. */
  #deadlyUntilMs = Number.NEGATIVE_INFINITY;
  /** Counts starts and stops of the schedule: a timer of an earlier one is void. */
  #schedule = 0;

  constructor(
    center: DataCenter<Program>,
    targets: FaultTargets<Program>,
    random: SeededRandom,
    strikes = STRIKES,
  ) {
    this.#strikes = strikes;
    this.#center = center;
    this.#targets = targets;
    this.#random = random;
  }

  /** False: it may not happen now. */
  fire(kind: FaultKind, machine: Machine<Program>): boolean {
    const may = this.mayFire(kind, machine) && this.#mayWhenWeak(kind);
    if (may) this.strike(kind, machine);
    return may;
  }

  /** Without asking: whoever plans several faults has asked `mayFire` before the first. */
  strike(kind: FaultKind, machine: Machine<Program>, countMax: number | null = null): void {
    const roles = this.#targets.rolesOf(machine);
    const atMs = this.#center.scheduler.nowMs;
    if (DESTRUCTIVE.has(kind)) this.#destroyed = { machine, copies: this.#targets.copiesOf(machine), atMs };
    if (kind === 'coordinatorLosesWrites') this.#forgotAtMs = atMs;
    this.#center.events.note(`n${machine.id}`, `fault ${kind} (${roles.join(', ')})`);
    const ms = this.#strikes[kind]({ ...this.#scene(machine), countMax });
    if (DEADLY.has(kind)) this.#deadlyUntilMs = Math.max(this.#deadlyUntilMs, atMs + ms);
    this.records.push({ kind, target: machine.id, roles, atMs, untilMs: atMs + ms });
  }

  start(options: FaultPlan): void {
    this.#schedule += 1;
    this.#next(options, this.#schedule);
  }

  stop(): void {
    this.#schedule += 1;
  }

  /** Everything that would have healed later does so now. */
  healAll(): void {
    const center = this.#center;
    for (const heal of this.#heals) heal();
    center.network.heal();
    center.coordinator.isDown = false;
    for (const machine of center.machines) {
      Object.assign(machine.link, { isCut: false, replyLossShare: 0, staleMs: 0, slownessMs: 0 });
      machine.disk.heal();
      machine.wake();
      machine.start();
    }
  }

  #next(options: FaultPlan, schedule: number): void {
    const delayMs = (-Math.log(1 - this.#random.fraction()) * options.everyMs) / (1 - BURST_SHARE);
    this.#center.scheduler.after(delayMs, null, () => {
      if (schedule !== this.#schedule) return;
      this.#burst(options, this.#pickKind(options), schedule);
      this.#next(options, schedule);
    });
  }

  /** Some bring another one with them, often the same at another machine: the power goes in the whole room. */
  #burst(options: FaultPlan, kind: FaultKind, schedule: number): void {
    const machine = this.#pickTarget();
    if (machine.isUp) this.fire(kind, machine);
    if (!this.#random.chance(BURST_SHARE)) return;
    this.#center.scheduler.after(this.#random.fraction() ** 2 * BURST_MS_MAX, null, () => {
      const next = this.#random.chance(0.5) ? kind : this.#pickKind(options);
      if (schedule === this.#schedule) this.#burst(options, next, schedule);
    });
  }

  #pickKind(options: FaultPlan): FaultKind {
    const weights = Object.entries({ ...FAULT_WEIGHTS, ...options.weights }) as [FaultKind, number][];
    let left = this.#random.fraction() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of weights) {
      left -= weight;
      if (left < 0) return kind;
    }
    return 'crash';
  }

  /** By role first: leaders, followers and the controller suffer equally often. */
  #pickTarget(): Machine<Program> {
    const role = this.#random.pick(ROLES);
    const fitting = this.#center.machines.filter((machine) => this.#targets.rolesOf(machine).includes(role));
    return this.#random.pick(fitting.length > 0 ? fitting : this.#center.machines);
  }

  /**
   * Whatever destroys needs all copies whole, and the coordinator's memory. Damaged documents are not remembered: the
   * next start meets them, and until it has made good what they said the cluster is not whole. A rotten segment goes
   * unseen until a scrub.
   */
  mayFire(kind: FaultKind, target: Machine<Program>): boolean {
    if (FAILING.has(kind)) return !this.#isHurtElsewhere(target);
    const isForgetting = kind === 'coordinatorLosesWrites';
    if (!isForgetting && kind !== 'documentDamage' && !DESTRUCTIVE.has(kind)) return true;
    if (!this.#targets.isWhole() || !this.#isLongAgo(this.#forgotAtMs)) return false;
    if (this.#isFailingElsewhere(target)) return false;
    if (this.#destroyed === null) return true;
    const { machine, copies, atMs } = this.#destroyed;
    if (isForgetting) return this.#isLongAgo(atMs);
    // Who was hurt last may be hurt again: that is still one copy.
    return machine === target || (this.#isLongAgo(atMs) && this.#targets.copiesOf(machine) !== copies);
  }

  #isHurtElsewhere(target: Machine<Program>): boolean {
    const destroyed = this.#destroyed;
    return destroyed !== null && destroyed.machine !== target && !this.#isLongAgo(destroyed.atMs);
  }

  #isFailingElsewhere({ id }: Machine<Program>): boolean {
    return this.records.some(
      ({ kind, target, untilMs }) => FAILING.has(kind) && target !== id && !this.#isLongAgo(untilMs),
    );
  }

  /** One death at a time, and only where all others have everything. */
  #mayWhenWeak(kind: FaultKind): boolean {
    if (this.#targets.isWeak !== true) return true;
    if (NEVER_WHEN_WEAK.has(kind)) return false;
    const isAlone = this.#center.scheduler.nowMs > this.#deadlyUntilMs && this.#targets.isWhole();
    return isAlone || !DEADLY.has(kind);
  }

  /** Long enough for what is destroyed to be noticed. */
  #isLongAgo(atMs: number): boolean {
    return this.#center.scheduler.nowMs > atMs + DESTRUCTION_MS_MIN;
  }

  #scene(machine: Machine<Program>): FaultScene {
    return {
      center: this.#center,
      machine,
      random: this.#random,
      countMax: null,
      after: (delayMs, heal) => {
        const once = (): void => {
          if (this.#heals.delete(once)) heal();
        };
        this.#heals.add(once);
        this.#center.scheduler.after(delayMs, null, once);
      },
    };
  }
}
