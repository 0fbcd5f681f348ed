import type {
  ControllerEpoch,
  Incarnation,
  NodeId,
  PartitionId,
  PartitionVersion,
} from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { ReplicaManagerDoors } from './ports.ts';

/** Tells the controller which versions are in force here: one message a turn for all that were taken over in it. */
export class StateAcks {
  readonly #doors: Pick<ReplicaManagerDoors, 'clock' | 'controller'>;
  readonly #node: NodeId;
  readonly #incarnation: () => Incarnation;
  #controllerEpoch: ControllerEpoch | null = null;
  #versions = new Map<PartitionId, PartitionVersion>();

  constructor(
    doors: Pick<ReplicaManagerDoors, 'clock' | 'controller'>,
    node: NodeId,
    incarnation: () => Incarnation,
  ) {
    this.#doors = doors;
    this.#node = node;
    this.#incarnation = incarnation;
  }

  add(controllerEpoch: ControllerEpoch, state: PartitionState): void {
    if (controllerEpoch !== this.#controllerEpoch) this.#versions.clear();
    this.#controllerEpoch = controllerEpoch;
    if (this.#versions.size === 0) this.#doors.clock.atTurnEnd(() => this.#send(controllerEpoch));
    this.#versions.set(state.id, state.version);
  }

  /** A life is over: what was taken over in it is not acknowledged any more. */
  forget(): void {
    this.#versions.clear();
  }

  #send(controllerEpoch: ControllerEpoch): void {
    if (this.#versions.size === 0 || controllerEpoch !== this.#controllerEpoch) return;
    const versions = [...this.#versions];
    this.#versions = new Map();
    this.#doors.controller.send({
      kind: 'statePushAck',
      node: this.#node,
      incarnation: this.#incarnation(),
      controllerEpoch,
      versions,
    });
  }
}
