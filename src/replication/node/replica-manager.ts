import { makeDirectoryDurably } from '../../env/make-directory.ts';
import type { FromController, StatePush } from '../../model/control-messages.ts';
import { InvariantError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { Incarnation, MonotonicMillis, NodeId, PartitionId } from '../../model/numbers.ts';
import type {
  ClusterFacts,
  NodeRegistration,
  PartitionState,
  ReplicaReport,
} from '../../model/partition-state.ts';
import { BlockCache } from '../../storage/block-cache.ts';
import type { StateDigest } from '../../storage/digest.ts';
import { FlushScheduler } from '../../storage/flush-scheduler.ts';
import type { Journal } from '../../storage/journal/journal.ts';
import { openJournal } from '../../storage/journal/open-journal.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { SerialQueue } from '../../storage/serial-queue.ts';
import { WriteGroup } from '../follower/write-group.ts';
import { PartitionLeader } from '../leader/partition-leader.ts';
import { PollEnds } from '../leader/poll-ends.ts';
import { Rounds } from '../leader/rounds.ts';
import { Upkeep, type UpkeepHost } from '../leader/upkeep.ts';
import type { LeaderPartition } from '../leader-partition.ts';
import type { LeaseGrant, PeerMessage } from '../messages.ts';
import { foundNoRoom, RoomWait } from '../room-wait.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import { CleanMarker } from './clean-marker.ts';
import { ClusterMetadata, type NodesOrder } from './cluster-metadata.ts';
import { ControlInbox } from './control-inbox.ts';
import type { ClusterView, EchoedStamp, LeaderHost, LeaderRole, LeaderRoleFactory } from './leader-role.ts';
import { LeaseExchange, type LeaseHost } from './lease-exchange.ts';
import { NodeState } from './node-state.ts';
import type {
  CoordinatorRead,
  ReplicaManagerDoors,
  ReplicaManagerInput,
  ReplicaManagerSettings,
} from './ports.ts';
import { PromiseBook } from './promise-book.ts';
import type { Replica } from './replica.ts';
import { ReplicaDirectories } from './replica-directories.ts';
import type { ReplicaNode } from './replica-node.ts';
import { openerOf } from './replica-opener.ts';
import { ReplicaSet } from './replica-set.ts';
import { SCRUB_SCHEDULE, Scrubber } from './scrubber.ts';
import type { StaleReads } from './stale-reads.ts';

/** Between two looks at the coordinator because of somebody unknown. */
const LOOK_AGAIN_MS = 1_000;

interface ReplicaManagerParts {
  readonly settings: ReplicaManagerSettings;
  readonly doors: ReplicaManagerDoors;
  readonly rules: ReplicationRules;
  readonly newLeader: LeaderRoleFactory;
}

/**
 * Everything that one node replicates: its replicas, its memory (`NodeState`), its promises and stamps, and what it has
 * heard of the cluster. Messages come in through `receive` and `receiveControl`, in any order and any number of times.
 */
export class ReplicaManager implements ReplicaManagerInput, ReplicaNode, LeaseHost {
  readonly settings: ReplicaManagerSettings;
  readonly doors: ReplicaManagerDoors;
  readonly rules: ReplicationRules;
  readonly nodeState: NodeState;
  readonly directories: ReplicaDirectories;
  readonly exchange: LeaseExchange;
  readonly metadata = new ClusterMetadata();
  readonly cache: BlockCache;
  readonly scheduler: FlushScheduler;
  readonly rounds: Rounds;
  readonly #pollEnds: PollEnds;
  readonly writes: WriteGroup;
  readonly #newLeader: LeaderRoleFactory;
  readonly #marker: CleanMarker;
  /** Null: in memory. */
  readonly journal: Journal | null;
  readonly #promises: PromiseBook;
  readonly #replicas: ReplicaSet;
  readonly #control: ControlInbox;
  readonly #scrubber: Scrubber;
  #incarnation: Incarnation;
  #isBetweenLives = false;
  #rotFound = 0;
  #lookAgainAtMs = Number.NEGATIVE_INFINITY;
  readonly #room: RoomWait;
  /** A life that waits for room is about to go on. */
  #wakeLife: () => void = () => {};
  #isEnding = false;
  #isClosed = false;

  private constructor(
    options: ReplicaManagerParts,
    nodeState: NodeState,
    marker: CleanMarker,
    journal: Journal | null,
    closedCleanly: boolean,
  ) {
    const { settings, doors, rules } = options;
    this.settings = settings;
    this.doors = doors;
    this.rules = rules;
    this.nodeState = nodeState;
    this.#newLeader = options.newLeader;
    this.#marker = marker;
    this.journal = journal;
    this.#incarnation = nodeState.incarnation;
    this.#room = new RoomWait(doors.clock);
    this.cache = new BlockCache(settings.cacheBytesMax);
    // Its rounds gather.
    this.scheduler = new FlushScheduler(doors.clock, LIMITS.concurrentSyncsMax, 0);
    this.rounds = new Rounds(doors.clock);
    this.#pollEnds = new PollEnds(doors.clock, settings.pollMsMax);
    this.writes = new WriteGroup(doors.clock);
    this.#promises = new PromiseBook(rules, doors.clock.monotonicMs(), nodeState.promiseMsMax);
    this.exchange = new LeaseExchange({
      nodeId: settings.nodeId,
      incarnation: nodeState.incarnation,
      nodeState,
      promises: this.#promises,
      peers: doors.peers,
      clock: doors.clock,
      logger: doors.logger,
      host: this,
    });
    const opener = openerOf(settings, doors, nodeState, this.cache, journal, closedCleanly);
    this.directories = new ReplicaDirectories(
      doors.fileSystem,
      settings.directory,
      nodeState,
      opener,
      doors.logger,
    );
    this.#replicas = new ReplicaSet(this);
    this.#control = new ControlInbox(this, this.#replicas, (push) => this.#noteNodes(push));
    this.#scrubber = new Scrubber(doors.clock, settings.scrub ?? SCRUB_SCHEDULE, () =>
      this.#replicas.all.map(({ reader }) => reader),
    );
    this.#scrubber.start();
  }

  /**
   * Begins a new life in the data directory, which the caller has locked: remembers, under a new incarnation, what it
   * must not forget, and opens all replicas. One that cannot be used is reported as lossy and built anew. Throws a
   * CaskadeError for what only an operator can mend.
   */
  static async open(
    settings: ReplicaManagerSettings,
    rules: ReplicationRules,
    doors: ReplicaManagerDoors,
    newLeader: LeaderRoleFactory = (options) => new PartitionLeader(options),
  ): Promise<ReplicaManager> {
    await makeDirectoryDurably(doors.fileSystem, settings.directory);
    const marker = new CleanMarker(doors.fileSystem, settings.directory);
    const nodeState = await NodeState.open(
      doors.fileSystem,
      settings.directory,
      doors.clock,
      settings.nodeId,
      doors.random.uuid().replaceAll('-', ''),
    );
    const closedCleanly = await marker.take(nodeState.lastIncarnation);
    const manager = new ReplicaManager(
      { settings, rules, doors, newLeader },
      nodeState,
      marker,
      await journalOf(settings, doors),
      closedCleanly,
    );
    await manager.directories.sweep();
    await manager.#replicas.open();
    return manager;
  }

  // What the node asks

  /** The life that this node is in now, or, between two, was in last. */
  get incarnation(): Incarnation {
    return this.#incarnation;
  }

  get isBetweenLives(): boolean {
    return this.#isBetweenLives;
  }

  get partitions(): readonly Replica[] {
    return this.#replicas.all;
  }

  replica(partition: PartitionId): Replica | null {
    return this.#replicas.get(partition);
  }

  /** What commands talk to, where this node leads. */
  leading(partition: PartitionId): LeaderPartition | null {
    return this.replica(partition)?.leader?.partition ?? null;
  }

  /**
   * Committed state of a follower, for a client that asked for it: only if it is known not to be older than
   * `maxStalenessMs`, by a clock that did not stand still meanwhile (4.3-9).
   */
  readStale(partition: PartitionId, maxStalenessMs: number): StaleReads | null {
    const replica = this.replica(partition);
    const follower = replica?.follower;
    if (follower === null || follower === undefined) return null;
    const { clock } = this.doors;
    const nowMs = clock.monotonicMs();
    const { atMs, clockGapMs } = follower.caughtUpAt;
    if (this.rules.clockJumped(clockGapMs, clock.wallMs() - nowMs)) return null;
    return nowMs - atMs <= maxStalenessMs ? (replica?.reader.staleReads ?? null) : null;
  }

  reports(partitions: readonly PartitionId[]): readonly ReplicaReport[] {
    return this.#replicas.reports(partitions);
  }

  /** Reads everything committed here once, and resolves when it is read; what is bad is being built anew by then. */
  scrubNow(): Promise<void> {
    return this.#scrubber.runNow();
  }

  /**
   * The committed state of the replica that is held here, at the offset it has come to: another replica at the same
   * offset must have the same digest (C14). Null: there is none to speak for (none held, damaged, being built anew), or
   * more was committed while it was taken: ask again.
   */
  async digest(partition: PartitionId): Promise<StateDigest | null> {
    return (await this.replica(partition)?.reader.digest()) ?? null;
  }

  /**
   * Committed records that could not be read, by scrub or by a reader, since this life began; and rounds of scrub that
   * came to their end.
   */
  get scrubStats(): { readonly rotFound: number; readonly rounds: number } {
    return { rotFound: this.#rotFound, rounds: this.#scrubber.rounds };
  }

  // What comes in

  receive(message: PeerMessage): void {
    if (this.#isClosed || this.#isBetweenLives || this.#isOfOldLife(message)) return;
    this.#noteStranger(message);
    switch (message.kind) {
      case 'fetch':
      case 'fetchProgress':
        this.replica(message.partition)?.role.receive(message);
        break;
      case 'fetchReply':
        this.replica(message.partition)?.follower?.receive(message);
        break;
      case 'leaseStamp':
        void this.exchange.stamped(message);
        break;
      case 'leaseEcho':
        this.exchange.echoReceived(message);
        break;
      case 'leaderReleased':
        this.exchange.releaseReceived(message);
        break;
    }
  }

  receiveControl(message: FromController): void {
    if (!this.#isClosed && !this.#isBetweenLives) this.#control.receive(message);
  }

  stateRead({ controllerEpoch, facts, nodes, partitions }: CoordinatorRead): void {
    if (this.#isClosed) return;
    // Of a reign before the one that this node has answered since: the coordinator may have forgotten it (R17).
    if (controllerEpoch < this.nodeState.controllerEpochMax) {
      this.suspectSelf();
      return;
    }
    this.#noteCluster(facts, nodes, null);
    // What stands in the coordinator is the truth, whoever wrote it.
    for (const state of partitions) void this.#replicas.take(state, this.nodeState.controllerEpochMax);
    this.metadata.changed();
  }

  peerRefused(node: NodeId): void {
    for (const replica of this.#replicas.all) replica.leader?.peerRefused(node);
  }

  async reincarnate(incarnation: Incarnation): Promise<void> {
    if (incarnation <= this.#incarnation) {
      throw new InvariantError(`incarnation ${incarnation} does not follow ${this.#incarnation}`);
    }
    // L8: no leader of the old life answers anything once this call has begun.
    this.#isBetweenLives = true;
    this.#control.lifeEnded();
    const ended = this.#replicas.all.map((replica) => replica.endLife());
    await this.#makeDurable(incarnation);
    await Promise.all(ended);
    this.#incarnation = incarnation;
    this.exchange.reincarnate(incarnation);
    this.#isBetweenLives = false;
    this.#replicas.takeAgain();
  }

  waitNoLonger(): void {
    this.#isEnding = true;
    this.#room.end();
    this.#wakeLife();
  }

  /** Ends every role, closes every log, and, if all went well, leaves the marker of a clean shutdown, last of all. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.waitNoLonger();
    this.exchange.close();
    this.#scrubber.stop();
    const isWell = await this.#replicas.close();
    const isSilent = (await this.journal?.close()) ?? true;
    await this.nodeState.settled();
    if (isWell && isSilent) await this.#marker.leave(this.nodeState.incarnation);
  }

  // ReplicaNode

  view(): ClusterView {
    const { facts, live } = this.metadata;
    if (facts === null) throw new InvariantError('a role began before the facts of the cluster were known');
    return { facts, live };
  }

  mayActFromMs(uuid: string): MonotonicMillis {
    const self = { leader: this.settings.nodeId, incarnation: this.#incarnation };
    return this.#promises.mayActFromMs(uuid, self, this.doors.clock.monotonicMs());
  }

  newLeader(state: PartitionState, store: PartitionStore, host: LeaderHost): LeaderRole {
    const { settings, rules, doors, cache, scheduler, rounds } = this;
    const { fileSystem, clock, random, versionCheck } = doors;
    const logger = doors.logger.child({ partition: state.id, leaderEpoch: state.leaderEpoch });
    const shared = { fileSystem, clock, random, versionCheck, logger, cache, scheduler, rounds };
    const view = this.view();
    return this.#newLeader({
      settings,
      rules,
      store,
      state,
      view,
      incarnation: this.#incarnation,
      host,
      pollEnds: this.#pollEnds,
      ...shared,
    });
  }

  newUpkeep(store: PartitionStore, host: UpkeepHost, serial: SerialQueue): Upkeep {
    const { maintenance, mergeIntervalMs, flushIntervalMs } = this.settings;
    const { flushMode } = this.nodeState;
    const { fileSystem, clock, logger } = this.doors;
    const settings = { maintenance, mergeIntervalMs, flushIntervalMs, flushMode };
    return new Upkeep(settings, host, store, serial, { fileSystem, clock, logger });
  }

  adopt(state: PartitionState): void {
    void this.#replicas.take(state, this.nodeState.controllerEpochMax);
    this.metadata.changed();
  }

  suspectSelf(): void {
    this.doors.stateSource.readAgain();
  }

  rotFound(): void {
    this.#rotFound += 1;
  }

  roleChanged(): void {
    this.exchange.targetsChanged();
    this.metadata.changed();
  }

  // LeaseHost

  stampTargets(): ReadonlySet<NodeId> {
    const targets = new Set<NodeId>();
    for (const replica of this.#replicas.all) {
      for (const node of replica.leader?.leaseSet ?? []) targets.add(node);
    }
    return targets;
  }

  followedUnder(leader: NodeId, incarnation: Incarnation): readonly LeaseGrant[] {
    const grants: LeaseGrant[] = [];
    for (const replica of this.#replicas.all) {
      const promised = replica.role.grantTo(leader, incarnation);
      if (promised !== null) grants.push(promised);
    }
    return grants;
  }

  echoed(grant: LeaseGrant, stamp: EchoedStamp): void {
    this.replica(grant.partition)?.role.echoed(grant, stamp);
  }

  released(partition: PartitionId): void {
    this.replica(partition)?.leader?.actInstantChanged();
  }

  // Inside

  /** Between two lives nothing is answered, so there is time: a full disk is waited out (R24). */
  async #makeDurable(incarnation: Incarnation): Promise<void> {
    for (;;) {
      try {
        await this.nodeState.raiseIncarnation(incarnation);
        this.#room.end();
        return;
      } catch (error) {
        if (!foundNoRoom(error) || this.#isEnding) throw error;
        this.doors.logger.warn(
          { component: 'replica', err: error },
          'there is no room for a new life: tried again',
        );
        await new Promise<void>((resolve) => {
          this.#wakeLife = resolve;
          this.#room.again('life', resolve);
        });
      }
    }
  }

  /** A life that is known to be over says nothing (KIP-380); one that we have not heard of yet may. */
  #isOfOldLife(message: PeerMessage): boolean {
    const known = this.metadata.live.get(message.from);
    return known !== undefined && message.fromIncarnation < known;
  }

  /**
   * A push that told of it may be lost: whoever speaks to us and is not known makes us look, now and then.
   */
  #noteStranger({ from, fromIncarnation }: PeerMessage): void {
    if (this.metadata.live.get(from) === fromIncarnation) return;
    const nowMs = this.doors.clock.monotonicMs();
    if (nowMs < this.#lookAgainAtMs) return;
    this.#lookAgainAtMs = nowMs + LOOK_AGAIN_MS;
    this.doors.stateSource.readAgain();
  }

  /** R9. No reason not to start: the third path is there, at the price of the coordinator. */
  #warnOfReadGap({ leaseMsMax, replicationFactor }: ClusterFacts): void {
    const { lagMsMax, pollMsMax } = this.settings;
    const gapMs = this.rules.readGapMs(leaseMsMax, lagMsMax, pollMsMax);
    if (gapMs === 0 || replicationFactor === 1) return;
    this.doors.logger.warn(
      { component: 'replica', gapMs, leaseMsMax, lagMsMax, pollMsMax },
      'the lease is shorter than the time in which a silent follower leaves the ISR: for the gap reads depend on the coordinator',
    );
  }

  #noteNodes({ facts, nodes, controllerEpoch, nodesSequence: sequence }: StatePush): void {
    this.#noteCluster(facts, nodes, { controllerEpoch, sequence });
  }

  #noteCluster(facts: ClusterFacts, nodes: readonly NodeRegistration[], order: NodesOrder | null): void {
    const factsAreNew = this.metadata.noteFacts(facts);
    const nodesAreNew = this.metadata.noteNodes(nodes, order);
    if (factsAreNew) {
      this.exchange.setLease(facts.leaseMsMax);
      this.#warnOfReadGap(facts);
      this.nodeState.setFlushMode(facts.flushMode).catch((error: unknown) => {
        this.doors.logger.error({ component: 'replica', err: error }, 'the flush mode is not durable');
      });
    }
    if (factsAreNew || nodesAreNew) for (const replica of this.#replicas.all) replica.viewChanged();
  }
}

/** Before any log is opened: they may lack what it has. Memory has nothing to sync. */
async function journalOf(
  { engine, directory, journal }: ReplicaManagerSettings,
  doors: ReplicaManagerDoors,
): Promise<Journal | null> {
  return engine === 'memory' ? null : openJournal(directory, doors, journal);
}
