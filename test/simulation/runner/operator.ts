import type { AdminRequest } from '../../../src/model/control-messages.ts';
import { asNodeId, asPartitionId, type NodeId, type PartitionId } from '../../../src/model/numbers.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { Disturbance } from '../checkers/disturbance.ts';
import type { World } from '../world/world.ts';

/** Mean time between two wishes. */
const EVERY_MS = 3_500;
const MISTAKE_SHARE = 0.1;

/** Somebody who moves partitions about while everything else goes on. */
export class Operator {
  readonly #world: World;
  readonly #random: SeededRandom;
  /** When it wished something: leaders move by it, and whom they served may have to ask again. */
  readonly wishes: Disturbance[] = [];
  readonly #movesReplicas: boolean;
  #isOn = false;

  constructor(world: World, random: SeededRandom, movesReplicas: boolean) {
    this.#world = world;
    this.#random = random;
    this.#movesReplicas = movesReplicas;
  }

  start(): void {
    this.#isOn = true;
    this.#wait();
  }

  stop(): void {
    this.#isOn = false;
  }

  #wait(): void {
    this.#world.after(this.#random.fraction() * 2 * EVERY_MS, () => {
      if (!this.#isOn) return;
      this.#wish();
      this.#wait();
    });
  }

  #wish(): void {
    const { nowMs } = this.#world;
    this.wishes.push({ atMs: nowMs, untilMs: nowMs });
    const partition = asPartitionId(this.#random.pick(this.#world.partitions));
    if (this.#random.chance(MISTAKE_SHARE)) this.#world.admin(this.#mistake(partition));
    else if (!this.#movesReplicas || this.#random.chance(0.3))
      this.#world.admin({ kind: 'electPreferred', partition });
    else this.#world.admin({ kind: 'reassign', partition, replicas: this.#someNodes() });
  }

  /** What the controller must refuse, whatever else goes on. */
  #mistake(partition: PartitionId): AdminRequest {
    const nowhere = asNodeId(this.#world.nodes.length + 1);
    const nodes = this.#someNodes();
    return this.#random.pick<AdminRequest>([
      { kind: 'reassign', partition, replicas: [...nodes.slice(1), nowhere] },
      { kind: 'reassign', partition, replicas: [...nodes, ...nodes.slice(0, 1)] },
      { kind: 'reassign', partition, replicas: [] },
      { kind: 'electPreferred', partition: asPartitionId(this.#world.partitions.length) },
      { kind: 'electUnclean', partition, node: nowhere },
      { kind: 'setMinInsync', minInsync: this.#world.options.replicationFactor + 1 },
    ]);
  }

  #someNodes(): readonly NodeId[] {
    const left = this.#world.nodes.map(({ id }) => id);
    const chosen: NodeId[] = [];
    while (chosen.length < this.#world.options.replicationFactor) {
      chosen.push(...left.splice(this.#random.below(left.length), 1));
    }
    return chosen;
  }
}
