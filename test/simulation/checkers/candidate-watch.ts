import type { NodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Findings } from './findings.ts';
import type { NodeProbe, Probe, ReplicaProbe } from './probe.ts';

/** One replica directory in one life of its node: what the coordinator names when it says who is a member (R5, R6). */
interface Disk {
  readonly directoryId: string;
  readonly incarnation: number;
  /**
   * Still says what was on the disk when its life ended: the sync that ended in the very event in which the process
   * died was told to others, and to no look.
   */
  readonly replica: ReplicaProbe;
  durableOffset: number;
  durableMax: number;
  /** Of the replica, at the last look. */
  changeCount: number;
}

export interface CandidateWatchOptions {
  readonly partitions: readonly number[];
  /** What the coordinator holds at this instant. */
  readonly stateOf: (partition: number) => PartitionState | null;
  /** The highest high watermark that any leader ever had. */
  readonly committedOf: (partition: number) => number;
}

/**
 * Leader Candidate Completeness, seen from outside after every event: whoever may be elected as the coordinator has it
 * (ISR and ELR, each in the directory and the life that the state names) has everything on its disk that was ever
 * committed. This is what I5, R1, R5 and the conditions of joining are for; it is broken long before somebody is
 * elected who lacks something.
 */
export class CandidateWatch {
  readonly #probe: Probe;
  readonly #findings: Findings;
  readonly #options: CandidateWatchOptions;
  readonly #disks = new Map<string, Disk>();
  readonly #diskOf = new WeakMap<ReplicaProbe, Disk>();
  readonly #states = new Map<number, PartitionState>();
  readonly #committed = new Map<number, number>();
  readonly #shrunk = new Set<number>();
  /** By partition: the coordinator forgot; what it says holds again from a higher epoch on (R17). */
  readonly #forgottenIn = new Map<number, number>();

  constructor(probe: Probe, findings: Findings, options: CandidateWatchOptions) {
    this.#probe = probe;
    this.#findings = findings;
    this.#options = options;
  }

  look(): void {
    for (const node of this.#probe()) for (const replica of node.replicas) this.#note(node, replica);
    for (const partition of this.#options.partitions) this.#lookAt(partition);
  }

  /** The most that any disk of the node ever held of the partition. */
  mostOnDisk(partition: number, node: number): number {
    let most = NOWHERE;
    for (const disk of this.#disks.values()) {
      if (disk.replica.partition !== partition || disk.replica.node !== node) continue;
      most = Math.max(most, disk.durableMax, this.#onDisk(disk));
    }
    return most;
  }

  #note({ incarnation }: NodeProbe, replica: ReplicaProbe): void {
    const { changeCount } = replica;
    let disk = this.#diskOf.get(replica);
    if (disk?.changeCount === changeCount && disk.incarnation === incarnation) return;
    const { directoryId, durableOffset, partition, node } = replica;
    if (disk === undefined || disk.directoryId !== directoryId || disk.incarnation !== incarnation) {
      disk = { directoryId, incarnation, replica, durableOffset, durableMax: durableOffset, changeCount };
      this.#diskOf.set(replica, disk);
      this.#disks.set(nameOf(partition, node, directoryId, incarnation), disk);
      this.#shrunk.add(partition);
    }
    if (durableOffset < disk.durableOffset) this.#shrunk.add(partition);
    disk.durableOffset = durableOffset;
    disk.changeCount = changeCount;
    if (durableOffset > disk.durableMax) disk.durableMax = durableOffset;
  }

  #lookAt(partition: number): void {
    const state = this.#options.stateOf(partition);
    if (state === null) return;
    const committed = this.#options.committedOf(partition);
    const before = this.#states.get(partition);
    const isNews = before !== state || this.#committed.get(partition) !== committed;
    if (!isNews && (this.#shrunk.size === 0 || !this.#shrunk.has(partition))) return;
    this.#states.set(partition, state);
    this.#committed.set(partition, committed);
    this.#shrunk.delete(partition);
    if (before !== undefined && state.version < before.version)
      this.#forgottenIn.set(partition, Math.max(before.leaderEpoch, this.#forgottenIn.get(partition) ?? 0));
    if (state.leaderEpoch <= (this.#forgottenIn.get(partition) ?? 0) || state.recovery !== 'clean') return;
    for (const node of [...state.isr, ...state.elr]) this.#holds(state, node, committed);
  }

  #holds(state: PartitionState, node: NodeId, committed: number): void {
    const { id, incarnations, directoryIds, isr, elr, version, leader, leaderEpoch } = state;
    const [directoryId, incarnation] = [directoryIds[node], incarnations[node]];
    // Disowned (2.7).
    if (directoryId === undefined || incarnation === undefined) return;
    const durableOffset = this.#onDisk(this.#disks.get(nameOf(id, node, directoryId, incarnation)));
    this.#findings.expect(
      durableOffset >= committed || committed === 0,
      'candidate completeness',
      () =>
        `partition ${id}: node ${node} may be elected and has ${durableOffset} on disk; ${committed} is committed: version ${version} leader ${leader} epoch ${leaderEpoch} isr [${isr.join(' ')}] elr [${elr.join(' ')}]`,
    );
  }

  #onDisk(disk: Disk | undefined): number {
    if (disk === undefined) return NOWHERE;
    const { replica, durableOffset } = disk;
    return this.#diskOf.get(replica) === disk
      ? Math.max(durableOffset, replica.durableOffset)
      : durableOffset;
  }
}

/** Nobody has ever had such a directory in such a life. */
const NOWHERE = -1;

const nameOf = (partition: number, node: number, directoryId: string, incarnation: number): string =>
  `${partition}/${node}/${directoryId}/${incarnation}`;
