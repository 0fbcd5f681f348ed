import type { NodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { FaultKind } from '../world/fault.ts';
import type { World } from '../world/world.ts';

/** Share of changes of a partition's leader, or of its ISR, that a fault follows; and how soon. */
const SHARE = 0.12;
const DELAY_MS_MAX = 700;

/** What hurts a leader, or who is about to become one, most. */
const KINDS: readonly FaultKind[] = [
  'crash',
  'crash',
  'crashAtWrite',
  'powerLoss',
  'bounce',
  'bounce',
  'stall',
  'stall',
  'isolate',
  'silent',
  'cutOneWay',
  'slowNetwork',
  'slowDisk',
  'sessionExpiry',
];

/**
 * Faults seldom come alone: soon after a partition changed hands, its old leader, its new one or another replica is hit
 * too. The rules about epochs, leases and joining matter just then, and chance alone finds those moments seldom.
 */
export class Aftershocks {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #states = new Map<number, PartitionState>();
  #isOn = false;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
  }

  start(): void {
    this.#isOn = true;
  }

  stop(): void {
    this.#isOn = false;
  }

  /** Called for each state that the coordinator holds, after every event. */
  look(state: PartitionState): void {
    const before = this.#states.get(state.id);
    if (before?.version === state.version && before.leaderEpoch === state.leaderEpoch) return;
    this.#states.set(state.id, state);
    if (!this.#isOn || before === undefined || !this.#random.chance(SHARE)) return;
    const target = this.#targetAmong(before, state);
    const kind = this.#random.pick(KINDS);
    this.#world.after(this.#random.fraction() ** 2 * DELAY_MS_MAX, () => {
      if (this.#isOn && this.#world.node(target).isUp) this.#world.fire(kind, target);
    });
  }

  #targetAmong(before: PartitionState, after: PartitionState): NodeId {
    const leaders = [after.leader, before.leader].filter((node) => node !== null);
    const others = after.isr.filter((node) => node !== after.leader);
    const candidates = this.#random.chance(0.6) && leaders.length > 0 ? leaders : others;
    return this.#random.pick(candidates.length > 0 ? candidates : after.replicas);
  }
}
