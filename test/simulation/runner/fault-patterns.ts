import type { NodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { Disturbance } from '../checkers/disturbance.ts';
import type { World } from '../world/world.ts';
import { CONTROL_PATTERNS } from './control-patterns.ts';
import { LEASE_JOIN_PATTERN, LEASE_PATTERNS } from './lease-patterns.ts';
import { MEMORY_PATTERNS, SPARE_PATTERNS } from './memory-patterns.ts';
import type { PatternScene } from './pattern-scene.ts';
import { JOIN_PATTERN, PATTERNS } from './patterns.ts';
import { STORAGE_PATTERNS } from './storage-patterns.ts';

/** Mean time between the end of one pattern and the beginning of the next. */
const PAUSE_MS = 800;
/** Until another is tried after one that did not fit what is. */
const UNFIT_MS = 10;
/** Of the patterns under a coordinator that is known to forget, those that are about it. */
const MEMORY_SHARE = 0.85;
/** Of the members that join an ISR, those that a pattern meets. */
const JOIN_SHARE = 0.15;

const WIDE = 5;
const WIDE_SHARE = 0.25;

const AT_ANY_TIME = {
  ...PATTERNS,
  ...LEASE_PATTERNS,
  ...CONTROL_PATTERNS,
  ...MEMORY_PATTERNS,
  ...STORAGE_PATTERNS,
};
const AT_A_JOIN = { ...JOIN_PATTERN, ...LEASE_JOIN_PATTERN };
const ALL = { ...AT_ANY_TIME, ...AT_A_JOIN };
export type PatternName = keyof typeof ALL;
export const PATTERN_NAMES = Object.keys(ALL) as readonly PatternName[];

/** R17: whether the coordinator of this run may forget, and whether it does so often. */
export interface CoordinatorMemory {
  readonly mayForget: boolean;
  readonly isForgetful: boolean;
}

export const patternOf = (name: PatternName): string => `pattern ${name}`;

/**
 * Faults that belong together: the rules about epochs, joining and leases hold off traces of three or four events of
 * which each is common and all of them, in this order and this soon after each other, are not. Each pattern is one such
 * trace, with chance in its times; one is played at a time, over the single faults.
 */
export class FaultPatterns {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #memory: CoordinatorMemory;
  readonly #met: (name: PatternName) => void;
  readonly #states = new Map<number, PartitionState>();
  /** Each with all that it did. */
  readonly disturbances: Disturbance[] = [];
  #isOn = false;
  #isPlaying = false;

  constructor(
    world: World,
    random: SeededRandom,
    memory: CoordinatorMemory,
    met: (name: PatternName) => void,
  ) {
    this.#world = world;
    this.#random = random;
    this.#memory = memory;
    this.#met = met;
  }

  start(): void {
    this.#isOn = true;
    this.#pause();
  }

  /** A pattern that is being played does nothing more that hurts. */
  stop(): void {
    this.#isOn = false;
  }

  /** Called for each state that the coordinator holds, after every event. */
  look(state: PartitionState): void {
    const before = this.#states.get(state.id);
    if (before === state) return;
    this.#states.set(state.id, state);
    const joined = state.isr.find((node) => before?.isr.includes(node) === false);
    if (!this.#isOn || this.#isPlaying || joined === undefined || before?.leaderEpoch !== state.leaderEpoch)
      return;
    const names = Object.keys(AT_A_JOIN) as (keyof typeof AT_A_JOIN)[];
    if (this.#random.chance(JOIN_SHARE)) void this.#play(this.#random.pick(names), state, joined);
  }

  #pause(ms = this.#random.fraction() * 2 * PAUSE_MS): void {
    this.#world.after(ms, () => {
      if (!this.#isOn) return;
      const state = this.#world.partitionState(this.#random.pick(this.#world.partitions));
      const follower = state?.isr.filter((node) => node !== state.leader) ?? [];
      if (this.#isPlaying || state?.leader == null || follower.length === 0) this.#pause();
      else void this.#playAndPause(this.#pick(state), state, this.#random.pick(follower));
    });
  }

  /** What only so many replicas can show, or only a coordinator that forgets, is played more often where it can be. */
  #pick({ isr, replicas }: PartitionState): PatternName {
    const random = this.#random;
    if (isr.length >= WIDE && random.chance(WIDE_SHARE)) return 'majorityInACorner';
    if (!this.#memory.isForgetful || !random.chance(MEMORY_SHARE)) return pickOf(AT_ANY_TIME, random);
    const hasSpare = this.#world.nodes.length > replicas.length;
    return hasSpare && random.chance(0.5) ? pickOf(SPARE_PATTERNS, random) : pickOf(MEMORY_PATTERNS, random);
  }

  async #playAndPause(name: PatternName, state: PartitionState, follower: NodeId): Promise<void> {
    const beganMs = this.#world.nowMs;
    await this.#play(name, state, follower);
    this.#pause(this.#world.nowMs > beganMs ? undefined : UNFIT_MS);
  }

  async #play(name: PatternName, state: PartitionState, follower: NodeId): Promise<void> {
    const world = this.#world;
    const { leader } = state;
    if (leader === null) return;
    const disturbance = { atMs: world.nowMs, untilMs: Number.POSITIVE_INFINITY };
    this.disturbances.push(disturbance);
    this.#isPlaying = true;
    world.events.note('pattern', `${name}: partition ${state.id}, leader ${leader}, follower ${follower}`);
    const scene: PatternScene = {
      world,
      random: this.#random,
      state,
      leader,
      follower,
      coordinatorMayForget: this.#memory.mayForget,
      isOn: () => this.#isOn,
    };
    const isWhole = await ALL[name](scene);
    if (isWhole) this.#met(name);
    disturbance.untilMs = world.nowMs;
    this.#isPlaying = false;
  }
}

const pickOf = (patterns: Partial<typeof ALL>, random: SeededRandom): PatternName =>
  random.pick(Object.keys(patterns) as PatternName[]);
