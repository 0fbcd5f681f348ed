import type { IsrProposalReply } from '../../model/control-messages.ts';
import { CaskadeError } from '../../model/errors.ts';
import { asOffset, type LeaderEpoch, type NodeId, type Offset } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { FlushFailure } from '../../storage/flush-failure.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import { SerialQueue } from '../../storage/serial-queue.ts';
import type { PartitionStats } from '../leader-partition.ts';
import type { Fetch, FetchOutcome, FetchProgress } from '../messages.ts';
import type { ClusterView, EchoedStamp, LeaderRole, LeaderRoleOptions } from '../node/leader-role.ts';
import { CommitSide } from './commit-side.ts';
import { FetchServer } from './fetch-server.ts';
import { FlushSide } from './flush-side.ts';
import { HandOver } from './hand-over.ts';
import { LeaderDriver } from './leader-driver.ts';
import { LeaderFailure } from './leader-failure.ts';
import { fetchReplyMessage, releasedMessage } from './leader-messages.ts';
import { type OwnStat, Partition } from './partition.ts';
import { partitionStats } from './partition-stats.ts';
import { PollEnds } from './poll-ends.ts';
import { ReadGate } from './read-gate.ts';
import { Upkeep } from './upkeep.ts';
import { WriteGate } from './write-gate.ts';

/**
 * The leader's role of one partition, for one leader epoch. What is committed, who is in sync, and whether reads may be
 * answered the core decides; here is done what follows from it: commits, fetches answered, the end of the role. A node
 * that is alone leads in the same way, with an ISR of itself.
 *
 * What awaits (flush, roll, commits of what was inherited, the exchange of merged segments) goes through one serial queue.
 */
export class PartitionLeader implements LeaderRole {
  readonly partition: Partition;
  readonly #options: LeaderRoleOptions;
  readonly #store: PartitionStore;
  readonly #serial = new SerialQueue();
  readonly #writeGate: WriteGate;
  readonly #readGate: ReadGate;
  readonly #fetches: FetchServer;
  readonly #driver: LeaderDriver;
  readonly #commitSide: CommitSide;
  readonly #flushSide: FlushSide;
  readonly #failure: LeaderFailure;
  readonly #upkeep: Upkeep;
  readonly #handOver: HandOver;
  /** Nobody else is assigned. */
  #isAlone = false;
  /** LESO. */
  readonly #epochStartOffset: Offset;
  #isClosing = false;
  #isOver = false;
  #stopped: Promise<void> | null = null;

  constructor(options: LeaderRoleOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#epochStartOffset = options.store.logEndOffset;
    this.#writeGate = this.#newWriteGate();
    this.#readGate = this.#newReadGate();
    this.#fetches = this.#newFetchServer();
    this.#driver = this.#newDriver();
    this.#commitSide = this.#newCommitSide();
    this.#failure = this.#newFailure();
    this.#flushSide = this.#newFlushSide();
    this.partition = this.#newPartition();
    this.#upkeep = this.#newUpkeep();
    this.#handOver = this.#newHandOver();
    this.#lookAtSize(this.#driver.core.acceptsAppends);
    this.#lookWhetherAlone();
  }

  get leaderEpoch(): LeaderEpoch {
    return this.#options.state.leaderEpoch;
  }

  get highWatermark(): Offset {
    return this.partition.highWatermark;
  }

  get canAct(): boolean {
    return !this.#isOver && !this.#handOver.isReleased && this.#couldAct;
  }

  get isEpochKnown(): boolean {
    return this.#driver.core.isEpochKnown;
  }

  get leaseSet(): readonly NodeId[] {
    if (this.#handOver.isReleased) return [];
    const self = this.#options.settings.nodeId;
    return this.#driver.core.leaseSet.filter((node) => node !== self);
  }

  get isFenced(): boolean {
    return this.#writeGate.isFenced;
  }

  start(): void {
    this.#driver.start();
    this.#looked();
    this.#upkeep.start();
  }

  stateApplied(state: PartitionState, view: ClusterView): void {
    this.#driver.stateApplied(state, view);
    this.#lookWhetherAlone();
  }

  receive(message: Fetch | FetchProgress): void {
    this.#driver.received(message);
  }

  echoed(stamp: EchoedStamp): void {
    this.#driver.echoed(stamp);
  }

  proposalReply(reply: IsrProposalReply): void {
    this.#driver.proposalReply(reply);
  }

  controllerChanged(): void {
    this.#driver.controllerChanged();
  }

  peerRefused(node: NodeId): void {
    this.#driver.peerRefused(node);
  }

  actInstantChanged(): void {
    this.#driver.actInstantChanged();
  }

  handOver(): void {
    this.#handOver.asked();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * Of a node that is alone: flushes what was appended, stops the background work, and leaves a directory that was
   * closed cleanly.
   */
  async close(): Promise<void> {
    this.#writeGate.shut();
    this.partition.stopSweeping();
    // Once at least: the flush that runs may have taken a batch that it has not sealed yet, and what is refused below
    // must never be written (R22).
    do await this.#flushSide.flushOne();
    while (this.#store.hasUnflushed && !this.isFenced);
    this.#isClosing = true;
    if (!this.isFenced) this.#giveUpAtClose();
    this.#driver.stop();
    this.#readGate.close(new CaskadeError('shuttingDown', 'The server is shutting down'));
    this.partition.end();
    await this.#fetches.stop();
    await this.#upkeep.stop();
    await this.#serial.run(async () => {
      if (this.isFenced) await this.#store.abandon();
      else await this.#store.close();
    });
  }

  /** What is on the disk and was not committed nobody will be told of. */
  #giveUpAtClose(): void {
    const refusedFrom = Math.max(this.highWatermark, this.#store.sealedOffset);
    const error = new CaskadeError('shuttingDown', 'The server is shutting down');
    this.partition.giveUp(this.highWatermark, asOffset(refusedFrom), error);
  }

  // What follows from the core's decisions

  #committed(highWatermark: Offset): void {
    this.partition.committed(highWatermark);
    this.#flushSide.committed();
    this.#fetches.wake();
    this.#upkeep.committed();
    this.#handOver.look();
    if (!this.partition.isServing) this.#looked();
  }

  /** Something happened that reads may have waited for. */
  #looked(): void {
    if (!this.partition.isServing && this.#mayServe()) this.partition.serve();
    if (this.partition.isServing) this.#readGate.look();
    this.#handOver.look();
  }

  /** What has ended, as it does in a cluster when the disk fails (R24), begins no more, whatever is committed later. */
  #mayServe(): boolean {
    if (
      this.#isOver ||
      this.#isClosing ||
      this.partition.isOver ||
      this.#handOver.isReleased ||
      this.highWatermark < this.#epochStartOffset
    )
      return false;
    return this.#driver.core.servesReads(this.#options.clock.monotonicMs());
  }

  #lookAtSize(acceptsAppends: boolean): void {
    const { isr } = this.#driver.core;
    const { id } = this.#options.state;
    const text = `Partition ${id} has too few in-sync replicas for a write: only ${isr.join(', ')}`;
    this.#writeGate.belowMin(acceptsAppends ? null : new CaskadeError('notEnoughReplicas', text));
  }

  /** Alone, nobody else can be elected, and reads need nobody's word. */
  #lookWhetherAlone(): void {
    this.#isAlone = this.#driver.core.view.state.replicas.length === 1;
    const needsNobody = this.#isAlone && this.leaseSet.length === 0 && this.#driver.core.acceptsAppends;
    this.partition.confirmsAlone(needsNobody);
  }

  #flushed(): void {
    this.#driver.flushed();
    this.partition.flushed();
    this.#upkeep.flushed();
  }

  // The end

  /** L8: at once, and leases first. Resolves when no read of the log is under way. */
  #endServing(error: CaskadeError): Promise<void> {
    this.#readGate.close(error);
    this.#driver.stop();
    this.#writeGate.end(error);
    this.partition.end();
    return this.#fetches.stop();
  }

  async #stop(): Promise<void> {
    const couldAct = this.#couldAct;
    const { id } = this.#options.state;
    const error = new CaskadeError('notLeader', `Partition ${id} is led by another node, or by nobody yet`);
    this.#isOver = true;
    this.#handOver.stop();
    const fetchesEnded = this.#endServing(error);
    this.#flushSide.stop();
    const { highWatermark } = this;
    const outcome = this.#options.rules.stepDownOutcome({
      highWatermark,
      sealedOffset: this.#store.endEpoch(),
    });
    this.partition.giveUp(outcome.inDoubtFrom, outcome.refusedFrom, error);
    await fetchesEnded;
    await this.#upkeep.stop();
    await this.#serial.idle;
    if (couldAct) this.#release();
  }

  /** Of the past of a role that has ended, or is just ending, too (R20). */
  get #couldAct(): boolean {
    return this.#driver.core.mayAct(this.#options.clock.monotonicMs());
  }

  /** L9: leases first. Fetches end as well: no follower is to learn from here what is current. */
  #retire(): void {
    this.#driver.stop();
    this.partition.retire();
    this.#readGate.servingEnded();
    void this.#fetches.stop();
    this.#options.host.leaseSetChanged();
  }

  #tellHandedOver(): void {
    if (this.#couldAct) this.#release();
    const { lastEpoch, logEndOffset } = this.#store;
    this.#options.host.handedOver(lastEpoch, logEndOffset);
  }

  /** Nobody took over in time. */
  #refuseHeld(): void {
    const text = `Partition ${this.#options.state.id} was handed over, and nobody leads it yet`;
    this.#writeGate.end(new CaskadeError('tryAgain', text));
    this.partition.resume();
  }

  /** L9: nothing is answered in this epoch any more. */
  #release(): void {
    const message = releasedMessage(this.#options);
    for (const node of this.#driver.core.view.state.replicas)
      if (node !== message.from) this.#options.host.send(node, message);
  }

  #reply(fetch: Fetch, outcome: FetchOutcome): void {
    this.#options.host.send(fetch.from, fetchReplyMessage(this.#options, fetch, outcome));
  }

  #unreadable(error: unknown): void {
    const { logger, host, state } = this.#options;
    logger.error({ err: error, partition: state.id }, 'a follower cannot be served: the log cannot be read');
    if (error instanceof CaskadeError && error.code === 'corruptSegment') host.trouble('corrupt');
  }

  #stats(): Omit<PartitionStats, OwnStat> {
    return partitionStats({
      store: this.#store,
      cache: this.#options.cache,
      core: this.#driver.core,
      nowMs: this.#options.clock.monotonicMs(),
      wallMs: this.#options.clock.wallMs(),
      highWatermark: this.highWatermark,
      readGate: this.#readGate,
      merges: this.#upkeep.merges,
      flushes: this.#flushSide.flushes,
      fencedReason: this.isFenced ? (this.#writeGate.refusal?.message ?? '') : '',
    });
  }

  // The parts

  #newWriteGate(): WriteGate {
    const { state, clock, logger } = this.#options;
    const host = {
      id: state.id,
      probeRoom: () => this.#serial.run(() => this.#store.probeRoom()),
      reopened: () => this.partition.sweep(),
      failed: (error: unknown) => this.#failure.elsewhere(error),
    };
    return new WriteGate(host, clock, logger);
  }

  #newReadGate(): ReadGate {
    const { state, clock, settings, view, host } = this.#options;
    return new ReadGate(
      {
        id: state.id,
        isServing: () => this.partition.isServing,
        isBelowMin: () => !this.#driver.core.acceptsAppends,
        isLeaseValid: () => this.#driver.core.leaseValid(clock.monotonicMs(), clock.wallMs()),
        isEchoedSince: (sequence) => this.#driver.core.readIndexConfirmed(sequence, clock.monotonicMs()),
        nextStampSequence: () => host.nextStampSequence(),
        requestStamps: () => host.requestStamps(),
        checkVersion: (upTo) => this.#driver.checkVersion(upTo),
      },
      clock,
      { deadlineMs: settings.writeTimeoutMs, patienceMs: view.facts.leaseMsMax / 4 },
    );
  }

  #newFetchServer(): FetchServer {
    const { clock, settings } = this.#options;
    const host = {
      log: this.#store,
      facts: () => ({
        highWatermark: this.highWatermark,
        // The core may be ahead of it while what was inherited is read from the disk.
        isCurrent:
          this.highWatermark >= this.#epochStartOffset &&
          this.#driver.core.leaseValid(clock.monotonicMs(), clock.wallMs()),
        tombstoneRemoveOffset: this.#driver.core.tombstoneRemoveOffset(clock.monotonicMs()),
        partitionVersion: this.#driver.core.view.state.version,
        controllerEpoch: this.#driver.core.view.state.controllerEpoch,
      }),
      refusalOf: (fetch: Fetch) => this.#driver.core.refusalOf(fetch, this.#store)?.outcome ?? null,
      reply: (fetch: Fetch, outcome: FetchOutcome) => this.#reply(fetch, outcome),
      unreadable: (error: unknown) => this.#unreadable(error),
    };
    const pollEnds = this.#options.pollEnds ?? new PollEnds(clock, settings.pollMsMax);
    return new FetchServer(host, clock, pollEnds, settings.fetchBytesMax);
  }

  #newDriver(): LeaderDriver {
    return new LeaderDriver(this.#options, {
      fetches: this.#fetches,
      reply: (fetch, outcome) => this.#reply(fetch, outcome),
      commit: (highWatermark) => this.#commitSide.commit(highWatermark),
      appends: (accepted) => this.#lookAtSize(accepted),
      epochKnown: () => this.#flushSide.request(),
      readsConfirmed: (upTo) => this.#readGate.confirmedByVersion(upTo),
      looked: () => this.#looked(),
    });
  }

  #newFlushSide(): FlushSide {
    const host = {
      isOver: () => this.isFenced,
      maySeal: () => this.#driver.core.isEpochKnown,
      sealed: () => this.#fetches.wake(),
      flushed: () => this.#flushed(),
      flushFailed: (failure: FlushFailure) => this.#failure.ofFlush(failure),
      failed: (error: unknown) => this.#failure.elsewhere(error),
    };
    return new FlushSide(host, this.#store, this.#serial, this.#options);
  }

  #newCommitSide(): CommitSide {
    const host = {
      highWatermark: () => this.highWatermark,
      isOver: () => this.#isOver,
      committed: (highWatermark: Offset) => this.#committed(highWatermark),
      failed: (error: unknown) => this.#failure.elsewhere(error),
    };
    return new CommitSide(host, this.#store, this.#serial, this.#epochStartOffset);
  }

  #newFailure(): LeaderFailure {
    const { state, host } = this.#options;
    return new LeaderFailure(
      {
        id: state.id,
        isAlone: () => this.#isAlone,
        highWatermark: () => this.highWatermark,
        endServing: (refusal) => void this.#endServing(refusal),
        trouble: () => host.trouble('disk'),
        giveUp: (inDoubtFrom, refusedFrom, error) => this.partition.giveUp(inDoubtFrom, refusedFrom, error),
      },
      this.#store,
      this.#writeGate,
    );
  }

  #newHandOver(): HandOver {
    const { rules, clock, settings } = this.#options;
    const host = {
      facts: () => ({
        canAct: this.#couldAct,
        isDrained: this.highWatermark === this.#store.logEndOffset,
        isEnded: this.isFenced,
      }),
      hold: () => {
        this.partition.pause();
        this.#flushSide.hurry();
      },
      resume: () => this.partition.resume(),
      retire: () => this.#retire(),
      tell: () => this.#tellHandedOver(),
      refuse: () => this.#refuseHeld(),
    };
    return new HandOver(host, rules, clock, settings.writeTimeoutMs);
  }

  #newPartition(): Partition {
    const { state, clock, logger, settings, host } = this.#options;
    const parts = {
      id: state.id,
      leaderEpoch: state.leaderEpoch,
      store: this.#store,
      clock,
      logger,
      writeTimeoutMs: settings.writeTimeoutMs,
      writeGate: this.#writeGate,
      readGate: this.#readGate,
    };
    return new Partition(parts, {
      appended: () => this.#flushSide.request(),
      flushAwaited: () => this.#flushSide.hurry(),
      isHeld: () => !this.isEpochKnown,
      mayExpire: () => host.mayExpire(),
      corrupt: () => host.trouble('corrupt'),
      mergeNow: () => this.#upkeep.mergeNow(),
      stats: () => this.#stats(),
    });
  }

  #newUpkeep(): Upkeep {
    const { settings, view, clock, logger, fileSystem } = this.#options;
    const host = {
      isCancelled: () => this.#isClosing || this.#isOver || this.isFenced,
      tombstoneRemoveOffset: () => this.#driver.core.tombstoneRemoveOffset(clock.monotonicMs()),
      isFloorPinned: () => this.#driver.core.isFloorPinned(clock.monotonicMs()),
      corrupt: () => this.#options.host.trouble('corrupt'),
      failed: (error: unknown) => this.#failure.elsewhere(error),
    };
    const { maintenance, mergeIntervalMs, flushIntervalMs } = settings;
    const upkeep = { maintenance, mergeIntervalMs, flushIntervalMs, flushMode: view.facts.flushMode };
    return new Upkeep(upkeep, host, this.#store, this.#serial, { clock, logger, fileSystem });
  }
}
