import type { Clock } from '../../../src/env/clock.ts';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import type { AdminRequest } from '../../../src/model/control-messages.ts';
import type { NodeId, PartitionId } from '../../../src/model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../../../src/model/partition-state.ts';
import type { ClusterNode } from '../../../src/server/cluster-node.ts';
import type { FlushMode } from '../../../src/storage/partition-meta.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { CoordinatorServer } from './coordinator-server.ts';
import type { FaultKind, FaultPlan, FaultRecord } from './fault.ts';
import type { Machine } from './machine.ts';
import type { Network } from './network.ts';
import type { WorldSizes } from './world-sizes.ts';

/**
 * A whole cluster in one process, as clients, checkers and the runner see it. Time is virtual: nothing here waits for
 * the real clock, and one seed decides everything. What a node does is done in its own life: work given to a node that
 * is dead, or that dies meanwhile, is never answered.
 */
export interface World {
  readonly options: WorldOptions;
  /** Of the world itself; fork it, so that drawing more numbers does not shift those of others. */
  readonly random: SeededRandom;
  /** Virtual, true time. No node knows it. */
  readonly nowMs: number;
  /** What a wall clock without any fault says at this instant, in ms since 1970. */
  readonly trueWallMs: number;
  /** How far the wall clock of any machine has ever been ahead of that. */
  readonly wallAheadMsMax: number;
  readonly events: EventLog;
  /** For scenarios that say exactly what happens: cuts, silence, losses. */
  readonly network: Network;
  /** For the same: expiry, absence, lost writes. */
  readonly coordinator: CoordinatorServer;
  /** As long as it is the same, so is every node of the coordinator. */
  readonly coordinatorChanges: number;
  readonly nodes: readonly WorldNode[];
  readonly partitions: readonly PartitionId[];
  /** Faults that fired so far, for coverage. */
  readonly faults: readonly FaultRecord[];
  /** Unexpected ends of a node (an InvariantError, an unhandled rejection): each fails the run. */
  readonly defects: readonly string[];

  node(id: NodeId): WorldNode;
  /** What the coordinator holds at this instant; null: not yet created. */
  partitionState(partition: PartitionId): PartitionState | null;
  readonly facts: ClusterFacts | null;
  /** The node that holds `/controller`, alive or not. */
  readonly controller: NodeId | null;
  leader(partition: PartitionId): NodeId | null;

  /** Runs events until `ms` of virtual time have passed. */
  run(ms: number): Promise<void>;
  /**
   * Runs until `condition` holds after some event; false: it did not within `msMax`. Looks after every `everyMs` of
   * virtual time.
   */
  runUntil(condition: () => boolean, msMax: number, everyMs?: number): Promise<boolean>;
  /** Calls back after every event, in the world's own context: for checkers. */
  observe(observer: () => void): void;
  /** In the world's own context, outside of every node. */
  after(delayMs: number, callback: () => void): void;

  /**
   * A client's request: travels to the node, runs `work` there in the life that is present then, and `respond` brings
   * the answer back. `failed` is called instead, once, as far as the client can know: `refused` (nobody listens: `work`
   * did not run) or `broken` (it may have run).
   */
  request<Answer>(request: ClientRequest<Answer>): void;

  /** Starts every node; rejects when the cluster does not get stable. */
  start(): Promise<void>;
  /** One fault now. False: it may not happen now, since it would destroy a last copy. */
  fire(kind: FaultKind, target: NodeId): boolean;
  mayFire(kind: FaultKind, target: NodeId): boolean;
  /** Without asking: whoever plans several faults has asked `mayFire` before the first. `countMax`: of writes that are lost. */
  strike(kind: FaultKind, target: NodeId, countMax?: number): void;
  /** From now on faults happen by chance, on average one each `everyMs`; `weights` over the default ones. */
  startFaults(plan: FaultPlan): void;
  /** No new ones; those that last go on until their time or `quiesce`. */
  stopFaults(): void;
  /**
   * Everything is healed and everybody restarted; false: not stable within `msMax` (every partition has a leader and
   * its whole assignment in the ISR).
   */
  quiesce(msMax: number): Promise<boolean>;
  isStable(): boolean;
  /** An operator's wish, brought to the node that reigns, or lost. */
  admin(request: AdminRequest): void;
  /** One line about nodes, controller and partitions as they are now. */
  describe(): string;
  /** Over everything that happened: equal for two runs of one seed. */
  readonly digest: string;
  readonly eventCount: number;
  /** Call when nothing more is to happen. */
  end(): void;
}

export interface ClientRequest<Answer> {
  readonly to: NodeId;
  readonly work: (node: LiveNode, respond: (answer: Answer) => void) => void;
  readonly answered: (answer: Answer) => void;
  readonly failed: (how: 'refused' | 'broken') => void;
}

/** One life of one node. */
export interface LiveNode {
  readonly id: NodeId;
  /** 1 for the first start. */
  readonly life: number;
  readonly clock: Clock;
  readonly cluster: ClusterNode;
}

/** A machine: survives its node's lives. */
export interface WorldNode {
  readonly id: NodeId;
  /** Null while dead or starting. */
  readonly live: LiveNode | null;
  readonly isUp: boolean;
  readonly isStalled: boolean;
  /** Its disk, clocks and way to the coordinator, for scenarios. */
  readonly machine: Machine<ClusterNode>;
  /** Ends the process at once. `keepAll` is a killed process; the others are a power cut. */
  kill(policy: SurvivalPolicy): void;
  restart(options?: { readonly wipe?: boolean }): void;
  /** Controlled shutdown: resolves (in virtual time) once the process has ended. */
  shutDown(): void;
  /** The event loop stands still: what comes in waits. */
  stall(ms: number): void;
}

export interface WorldOptions {
  readonly seed: number;
  readonly nodeCount: number;
  readonly partitionCount: number;
  readonly replicationFactor: number;
  readonly minInsync: number;
  /** Default: always. */
  readonly flushMode?: FlushMode;
  /** How bad the network is in quiet times: shares of messages in [0, 1). */
  readonly lossShare: number;
  readonly doubledShare: number;
  readonly reorderedShare: number;
  /** Added to every latency, times a chance. */
  readonly slownessMs?: number;
  readonly timing?: WorldTiming;
  /** `WORLD_SIZES` if not given. */
  readonly sizes?: WorldSizes;
  /** Segments are merged when that is worth it: unless false, when a scenario says which and when. */
  readonly mergesByItself?: boolean;
  /**
   * Whoever changes min.insync by command says so in the configurations too, before the next start (R2). Else they
   * expect what the cluster began with.
   */
  readonly configurationsFollow?: boolean;
  /** Replaced rule functions: a mutation. */
  readonly rules: RuleReplacements;
}

/** In milliseconds; the proportions are those of the defaults (PROTOCOL 0). `WORLD_TIMING` if not given. */
export interface WorldTiming {
  readonly sessionMs: number;
  readonly leaseMsMax: number;
  readonly lagMsMax: number;
  readonly pollMsMax: number;
  readonly writeTimeoutMs: number;
}

/** By name, over `RULES` and `CONTROLLER_RULES`. */
export interface RuleReplacements {
  readonly replication: Readonly<Record<string, unknown>>;
  readonly controller: Readonly<Record<string, unknown>>;
}

/** Text lines of what happened, the last of them kept; and a digest of all, by which two runs are compared. */
export interface EventLog {
  readonly digest: string;
  readonly lineCount: number;
  note(who: string, what: string): void;
  lines(): readonly string[];
}
