import type { Clock } from '../../env/clock.ts';
import type { FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import type { FromController, ToController } from '../../model/control-messages.ts';
import type { ControllerEpoch, Incarnation, NodeId } from '../../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../../model/partition-state.ts';
import type { JournalSettings } from '../../storage/journal/journal.ts';
import type { KeydirSizes } from '../../storage/keydir/keydir.ts';
import type { LogMemory } from '../../storage/log-memory.ts';
import type { MaintenanceSettings } from '../../storage/maintenance.ts';
import type { EngineName } from '../../storage/partition-meta.ts';
import type { PeerMessage } from '../messages.ts';
import type { ProducerBounds } from '../producers/producer-window.ts';
import type { ScrubSchedule } from './scrubber.ts';

/** Sends to another node, or loses it without a word. The adapter coalesces what is sent within a turn. */
export interface PeerLink {
  send(to: NodeId, message: PeerMessage): void;
}

/** Sends to whoever is the controller now, or loses it. */
export interface ControllerLink {
  send(message: ToController): void;
}

/**
 * The third read path (R9): did each partition's znode still hold this state at a moment after the call? Versions are
 * checked, in one multi for all.
 */
export interface VersionCheck {
  confirm(states: readonly PartitionState[]): Promise<'confirmed' | 'changed' | 'unknown'>;
}

/**
 * The way to the truth: asks the node to read the coordinator again soon, which ends in `stateRead`. Asked often, it
 * may be done once.
 */
export interface StateSource {
  readAgain(): void;
}

export interface ReplicaManagerDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: PeerLink;
  readonly controller: ControllerLink;
  readonly versionCheck: VersionCheck;
  readonly stateSource: StateSource;
}

export interface ReplicaManagerSettings {
  readonly nodeId: NodeId;
  readonly directory: string;
  readonly engine: EngineName;
  readonly segmentBytesMax: number;
  readonly cacheBytesMax: number;
  /** Absent: `JOURNAL`. */
  readonly journal?: JournalSettings;
  /** Memory of the index of one partition. Absent: laid out for many keys. */
  readonly keydir?: KeydirSizes;
  /** Of what is not committed. Default `LOG_MEMORY`. */
  readonly memory?: LogMemory;
  readonly flushIntervalMs: number;
  readonly lagMsMax: number;
  readonly pollMsMax: number;
  readonly writeTimeoutMs: number;
  readonly fetchBytesMax: number;
  readonly mergeIntervalMs: number;
  readonly maintenance: MaintenanceSettings;
  /** Absent: `SCRUB_SCHEDULE`. */
  readonly scrub?: ScrubSchedule;
  /** What a partition remembers of its producers (R14). Absent: the bounds of `LIMITS`. */
  readonly producers?: ProducerBounds;
}

/** What stood in the coordinator at some moment. */
export interface CoordinatorRead {
  /** The highest controller epoch that this node knew of when the read began. */
  readonly controllerEpoch: ControllerEpoch;
  readonly facts: ClusterFacts;
  readonly nodes: readonly NodeRegistration[];
  readonly partitions: readonly PartitionState[];
}

/** What the node around the manager calls (`ReplicaManager` implements it). */
export interface ReplicaManagerInput {
  receive(message: PeerMessage): void;
  receiveControl(message: FromController): void;
  /**
   * Read from the coordinator by this node itself, on start and on every reconnect: as good as a push of the same
   * versions, and not to be acknowledged.
   */
  stateRead(read: CoordinatorRead): void;
  /** The process of this node refuses connections: whoever leads may propose to shrink at once, never below min (R9). */
  peerRefused(node: NodeId): void;
  /**
   * The node lives on under a new incarnation, in the same process (its session was lost): every leadership ends at
   * once. While the disk is full the new life waits; nothing is answered meanwhile.
   */
  reincarnate(incarnation: Incarnation): Promise<void>;
  /** The node is about to stop: a life that waits for room does not begin any more, and `reincarnate` rejects. */
  waitNoLonger(): void;
}
