import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Findings } from './findings.ts';
import type { Probe, ReplicaProbe } from './probe.ts';

export interface FloorWatchOptions {
  /** What the coordinator holds at this instant. */
  readonly stateOf: (partition: number) => PartitionState | null;
  /** The most that any disk of the node ever held of the partition. */
  readonly mostOnDisk: (partition: number, node: number) => number;
}

interface Floor {
  readonly directoryId: string;
  readonly removedFloor: number;
}

/**
 * R16, seen from outside: when a log says that tombstones up to its floor are gone from it, every assigned replica has
 * had them on its disk. It counts disks and asks no leader. Only those are counted that were assigned all the time:
 * what a follower was told of the others may be old.
 */
export class FloorWatch {
  readonly #probe: Probe;
  readonly #findings: Findings;
  readonly #options: FloorWatchOptions;
  readonly #floors = new WeakMap<ReplicaProbe, Floor>();
  /** By partition. */
  readonly #assigned = new Map<number, readonly number[]>();

  constructor(probe: Probe, findings: Findings, options: FloorWatchOptions) {
    this.#probe = probe;
    this.#findings = findings;
    this.#options = options;
  }

  /** Needs not be called after every event: a replica that has a tombstone since the floor rose did not lack it for long. */
  look(): void {
    for (const { replicas } of this.#probe()) for (const replica of replicas) this.#lookAt(replica);
  }

  #lookAt(replica: ReplicaProbe): void {
    const { directoryId, removedFloor, partition } = replica;
    const before = this.#floors.get(replica);
    const assigned = this.#assignedTo(partition);
    if (before?.directoryId === directoryId && before.removedFloor === removedFloor) return;
    this.#floors.set(replica, { directoryId, removedFloor });
    // A log that was built anew takes over the floor of its leader.
    if (before === undefined || before.directoryId !== directoryId) return;
    for (const node of assigned) {
      const most = this.#options.mostOnDisk(partition, node);
      this.#findings.expect(
        most > removedFloor,
        'tombstones kept',
        () =>
          `partition ${partition}: node ${replica.node} life ${replica.life} has removed tombstones up to ${removedFloor}; node ${node} never had more than ${most} on disk`,
      );
    }
  }

  #assignedTo(partition: number): readonly number[] {
    const replicas: readonly number[] = this.#options.stateOf(partition)?.replicas ?? [];
    const known = this.#assigned.get(partition) ?? replicas;
    const assigned = known.every((node) => replicas.includes(node))
      ? known
      : known.filter((node) => replicas.includes(node));
    if (replicas.length > 0) this.#assigned.set(partition, assigned);
    return assigned;
  }
}
