import {
  asLeaderEpoch,
  asOffset,
  asPartitionVersion,
  type LeaderEpoch,
  type NodeId,
  type Offset,
  type PartitionId,
  type PartitionVersion,
} from '../../model/numbers.ts';
import {
  isSameLeadership,
  isSameState,
  type PartitionState,
  type ReplicaReport,
} from '../../model/partition-state.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import { SerialQueue } from '../../storage/serial-queue.ts';
import { type FollowerHost, FollowerReplica } from '../follower/follower-replica.ts';
import { foundNoRoom, RoomWait } from '../room-wait.ts';
import type { LeaderHost, LeaderRole } from './leader-role.ts';
import { RebuildSite } from './rebuild-site.ts';
import { ReplicaHealth } from './replica-health.ts';
import type { ReplicaNode } from './replica-node.ts';
import { ReplicaReader } from './replica-reader.ts';
import { ReplicaRole } from './replica-role.ts';

/**
 * One partition on this node: owns its store and the role it has now. A role ends at once, before anything else is
 * looked at (L8); it begins in a serial queue, after the epoch and version it stands for are durable, and only if no
 * newer state has come meanwhile.
 */
export class Replica {
  readonly id: PartitionId;
  readonly uuid: string;
  readonly role: ReplicaRole;
  /** Scrub, digest and reads of what is committed here. */
  readonly reader: ReplicaReader;
  readonly #node: ReplicaNode;
  readonly #serial = new SerialQueue();
  readonly #health: ReplicaHealth;
  readonly #site: RebuildSite;
  /** For what is begun without a role, or for one: one retry for the whole of it. */
  readonly #room: RoomWait;
  #store: PartitionStore | null;
  /** The newest state accepted; its role may still be beginning. */
  #wanted: PartitionState | null = null;
  /** The newest that is durable and in force (R17). */
  #applied: PartitionState | null = null;
  /** The version of the last state that could not be made durable. */
  #undurable: PartitionVersion | null = null;
  #isClosed = false;

  /**
   * `store` null: what the record names cannot be used. `firstFetchId`: above all that were used for the partition in
   * this life.
   */
  constructor(
    id: PartitionId,
    uuid: string,
    store: PartitionStore | null,
    node: ReplicaNode,
    firstFetchId: number,
  ) {
    this.id = id;
    this.uuid = uuid;
    this.#store = store;
    this.#node = node;
    this.#site = new RebuildSite(id, uuid, node.nodeState, node.directories);
    this.#room = new RoomWait(node.doors.clock);
    this.#health = new ReplicaHealth(id, node, {
      directoryId: () => this.#store?.directoryId ?? '',
      leaderEpoch: () => this.#wanted?.leaderEpoch ?? this.#leaderEpochMax,
      isAlone: () => this.#wanted?.replicas.length === 1,
    });
    this.role = new ReplicaRole(id, uuid, firstFetchId, node, {
      leaderEpochMax: () => this.#leaderEpochMax,
      ending: (follower) => this.#roleEnding(follower),
      failed: (error) => this.#health.failed(error),
    });
    this.reader = new ReplicaReader(
      id,
      { fit: () => (this.#isFit ? this.#store : null), rotten: () => this.#rotten() },
      node.doors,
    );
  }

  /** The newest state that was accepted. */
  get state(): PartitionState | null {
    return this.#wanted;
  }

  get leader(): LeaderRole | null {
    return this.role.leader;
  }

  get follower(): FollowerReplica | null {
    return this.role.follower;
  }

  get store(): PartitionStore | null {
    return this.#store;
  }

  get isBroken(): boolean {
    return this.#health.isBroken;
  }

  /**
   * Takes over a state that rule `acceptsState` let through. Resolves to true when it is durable and in force, or a
   * newer one has come; to false also while its role waits for room on a full disk: the same state once more, which is
   * no further attempt, tells what has become of it. A leader of an older epoch answers nothing any more when this
   * returns.
   */
  take(told: PartitionState): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    // Told once more it is the same: what has become of the first attempt is the answer.
    const state = this.#wanted !== null && isSameState(this.#wanted, told) ? this.#wanted : told;
    this.#wanted = state;
    const durable = this.#node.nodeState.raisePartition(this.id, state.leaderEpoch, state.version);
    if (this.#isBefore(state)) this.role.end();
    const isDurable = durable.then(
      () => true,
      (error: unknown) => this.#notDurable(error, state),
    );
    return this.#serial.run(async () => {
      if (!(await isDurable)) return false;
      return this.#wanted === state ? this.#apply(state) : true;
    });
  }

  /** Facts or live nodes changed. */
  viewChanged(): void {
    if (this.#applied !== null) this.role.stateApplied(this.#applied);
  }

  report(): ReplicaReport {
    const store = this.#store;
    const record = this.#node.nodeState.partition(this.id);
    const applied = this.#applied;
    // A member counts for what is committed: in this life that needs no mark on the disk (R6).
    const isMarked = store?.isWhole === false && !(applied !== null && this.#isProved(applied));
    const isWhole = store !== null && !isMarked && !this.#health.isBroken && !this.#health.isSuspect;
    return {
      partition: this.id,
      uuid: this.uuid,
      directoryId: store?.directoryId ?? '',
      lastEpoch: store?.lastEpoch ?? asLeaderEpoch(0),
      logEndOffset: store?.durableOffset ?? asOffset(0),
      verdict: isWhole ? 'whole' : 'lossy',
      leaderEpochMax: this.#leaderEpochMax,
      versionMax: record?.versionMax ?? asPartitionVersion(-1),
    };
  }

  /**
   * The node goes on in another life: no role outlives the one in which it began. Leaders answer nothing any more when
   * this returns.
   */
  endLife(): Promise<void> {
    this.role.end();
    this.#room.end();
    this.#health.sayNoMore();
    return this.role.ended;
  }

  /** Ends the role and closes the files; the directory stays. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.role.end();
    this.#room.end();
    this.#health.close();
    await this.#serial.run(async () => {
      await this.role.ended;
      await this.#site.close();
      await this.#closeStore(this.#store);
      this.#store = null;
    });
  }

  // Roles

  get #leaderEpochMax(): LeaderEpoch {
    const recorded = this.#node.nodeState.partition(this.id)?.leaderEpochMax ?? 0;
    return asLeaderEpoch(Math.max(recorded, this.#store?.latestEpoch ?? 0));
  }

  /** The controller pushes it again, and it may go well then; from the second time on another may lead meanwhile. */
  #notDurable(error: unknown, state: PartitionState): false {
    const isAgain = this.#undurable === state.version;
    this.#undurable = state.version;
    if (isAgain && state.leader === this.#node.settings.nodeId) this.#health.sayStuck();
    this.#node.doors.logger.error(
      { component: 'replica', partition: this.id, err: error },
      'a state cannot be made durable, and is not taken over',
    );
    return false;
  }

  #roleEnding(follower: FollowerReplica | null): void {
    this.#health.sayNoMore();
    if (follower?.hasFailed === true) this.#health.broke();
  }

  /**
   * The role that runs is of an epoch before that of the state; or of the same, under another leader: a coordinator
   * that forgot an election of which nobody else knew may have let it be begun again, and a later reign wrote the state
   * that comes now (R17).
   */
  #isBefore(state: PartitionState): boolean {
    const { leaderEpoch } = this.role;
    if (leaderEpoch === null || leaderEpoch > state.leaderEpoch) return false;
    return leaderEpoch < state.leaderEpoch || !this.#isLedAsBefore(state);
  }

  #isLedAsBefore(state: PartitionState): boolean {
    return this.#applied !== null && isSameLeadership(this.#applied, state);
  }

  /** False: its role waits for room. */
  async #apply(state: PartitionState): Promise<boolean> {
    if (this.#isWaitingFor(state)) return false;
    const isBegun = this.role.kind !== 'none' && !this.#isBefore(state);
    this.#applied = state;
    this.#room.end();
    return this.#attempt(state, isBegun);
  }

  /** `isBegun`: the role that runs is that of the state. */
  async #attempt(state: PartitionState, isBegun: boolean): Promise<boolean> {
    if (!isBegun) await this.#begin(state);
    else this.role.stateApplied(state);
    if (this.#isWaitingFor(state)) return false;
    this.role.follower?.versionApplied(state.version);
    await this.#clearLossy(state);
    return true;
  }

  /** A role of this epoch has found no room to begin. */
  #isWaitingFor(state: PartitionState): boolean {
    const isSame = this.#applied?.version === state.version && this.#isLedAsBefore(state);
    return isSame && this.role.kind === 'none' && this.#room.isWaiting;
  }

  /**
   * R6, in whatever role but a leader's: it may hear that it is a member only when it is none any more, or when the
   * leader is gone.
   */
  async #clearLossy(state: PartitionState): Promise<void> {
    if (this.#isClosed || this.role.kind === 'leader' || !this.#mayClearLossy(state)) return;
    try {
      await (this.follower ?? this.#store)?.clearLossy();
    } catch (error) {
      this.#tryAgain(error, state);
    }
  }

  /**
   * What it lost it has again, or it would not be a member. What has rotted stays marked: a crash before it is built
   * anew must not make it whole (C11).
   */
  #mayClearLossy(state: PartitionState): boolean {
    const { isBroken, isSuspect } = this.#health;
    return this.#store?.isWhole === false && !isBroken && !isSuspect && this.#isProved(state);
  }

  /** On a full disk later, while nothing newer is in force; what else has failed is the end of it. */
  #tryAgain(error: unknown, state: PartitionState): void {
    if (!foundNoRoom(error)) {
      this.#health.failed(error);
      return;
    }
    const { logger } = this.#node.doors;
    logger.warn({ component: 'replica', partition: this.id, err: error }, 'there is no room: tried again');
    if (this.#isClosed) return;
    this.#room.again('state', () => {
      const attempt = this.#serial.run(async () => {
        if (this.#applied === state) await this.#attempt(state, this.role.kind !== 'none');
      });
      attempt.catch((failure: unknown) => this.#health.failed(failure));
    });
  }

  async #begin(state: PartitionState): Promise<void> {
    this.role.end();
    await this.role.ended;
    if (!this.#isCurrent(state)) return;
    const { nodeId } = this.#node.settings;
    if (state.leader === nodeId) await this.#lead(state);
    else if (state.leader !== null && state.replicas.includes(nodeId)) this.#follow(state, state.leader);
  }

  /** Asked again after every await: a newer state, or another life, may have come. */
  #isCurrent(state: PartitionState): boolean {
    const wanted = this.#wanted;
    const mayBegin = !this.#isClosed && !this.#node.isBetweenLives && this.role.kind === 'none';
    return mayBegin && wanted !== null && isSameLeadership(wanted, state);
  }

  /**
   * It is, or was when it left the ISR, a member under this life and directory: it has all that was committed then (R6,
   * KIP-966).
   */
  #isProved(state: PartitionState): boolean {
    const { nodeId } = this.#node.settings;
    return (
      (state.isr.includes(nodeId) || state.elr.includes(nodeId)) &&
      state.incarnations[nodeId] === this.#node.incarnation &&
      state.directoryIds[nodeId] === this.#store?.directoryId
    );
  }

  async #lead(state: PartitionState): Promise<void> {
    const incarnation = this.#node.incarnation;
    // Another life of this node was elected: the controller will meet this one and elect again (KIP-380).
    if (state.incarnations[this.#node.settings.nodeId] !== incarnation) return;
    const store = this.#store;
    if (store === null || this.#health.isBroken) {
      this.#health.say(this.#health.isBroken ? 'disk' : 'corrupt');
      return;
    }
    if (state.leaderEpoch <= store.latestEpoch) {
      this.#log(state.leaderEpoch, 'the epoch began here before: nobody may lead twice in it (PROTOCOL 2.8)');
      return;
    }
    try {
      if (this.#mayClearLossy(state)) await store.clearLossy();
      await store.beginEpoch(state.leaderEpoch);
    } catch (error) {
      // A moment without room is waited out; who waits longer holds up everybody, and another may lead meanwhile.
      if (foundNoRoom(error) && this.#room.waits > 0) this.#health.sayStuck();
      this.#tryAgain(error, state);
      return;
    }
    if (!this.#isCurrent(state) || incarnation !== this.#node.incarnation) {
      // The epoch has begun on disk, and its leader never will: the store is to take a follower's orders again.
      store.endEpoch();
      return;
    }
    const leader = this.#node.newLeader(state, store, this.#leaderHost(state.leaderEpoch));
    this.role.lead(state.leaderEpoch, leader);
    // Elected in spite of it: nobody else could be. It leads what it can read, and says so until another can.
    if (this.#health.isSuspect) this.#health.say('corrupt');
  }

  #follow(state: PartitionState, leader: NodeId): void {
    const leaderIncarnation = state.incarnations[leader];
    const epochMax = this.#leaderEpochMax;
    if (leaderIncarnation === undefined || !this.#node.rules.mayFollowEpoch(state.leaderEpoch, epochMax))
      return;
    if (this.#health.isBroken) {
      this.#health.say('disk');
      return;
    }
    const { settings, doors, rules } = this.#node;
    const follower = new FollowerReplica({
      partition: this.id,
      uuid: this.uuid,
      nodeId: settings.nodeId,
      incarnation: this.#node.incarnation,
      leader,
      leaderIncarnation,
      leaderEpoch: state.leaderEpoch,
      version: state.version,
      isUnclean: state.recovery === 'unclean',
      log: this.#health.isSuspect ? null : this.#store,
      firstFetchId: this.role.nextFetchId,
      fetchBytesMax: settings.fetchBytesMax,
      pollMsMax: settings.pollMsMax,
      rules,
      clock: doors.clock,
      random: doors.random,
      logger: doors.logger.child({ partition: this.id, leaderEpoch: state.leaderEpoch }),
      writes: this.#node.writes,
      host: this.#followerHost(state.leaderEpoch),
    });
    this.role.follow({
      kind: 'follower',
      leaderEpoch: state.leaderEpoch,
      leader,
      leaderIncarnation,
      follower,
    });
    // Said in every epoch until it is built anew: the one who was told may not reign any more.
    if (this.#health.isSuspect) this.#health.say('corrupt');
  }

  #leaderHost(leaderEpoch: LeaderEpoch): LeaderHost {
    const { doors, exchange } = this.#node;
    return {
      send: (to, message) => doors.peers.send(to, message),
      propose: (proposal) => doors.controller.send(proposal),
      adopt: (state) => this.#node.adopt(state),
      suspectSelf: () => this.#node.suspectSelf(),
      mayActFromMs: () => this.#node.mayActFromMs(this.uuid),
      nextStampSequence: () => exchange.nextSequence,
      requestStamps: () => exchange.requestRound(),
      leaseSetChanged: () => exchange.targetsChanged(),
      mayExpire: () => exchange.mayExpire,
      trouble: (trouble) => this.#health.inTrouble(trouble),
      handedOver: (lastEpoch, logEndOffset) => this.#handedOver(leaderEpoch, lastEpoch, logEndOffset),
    };
  }

  #followerHost(leaderEpoch: LeaderEpoch): FollowerHost {
    const { doors, nodeState, rules } = this.#node;
    return {
      send: (to, message) => doors.peers.send(to, message),
      persistVersion: async (version, controllerEpoch) => {
        if (!rules.mayLearnVersion(controllerEpoch, nodeState.controllerEpochMax)) return false;
        await nodeState.raisePartition(this.id, leaderEpoch, version);
        return true;
      },
      openRebuild: () => this.#openRebuild(),
      adoptRebuild: () => this.#adoptRebuild(),
      discardRebuild: () => this.#site.discard(),
      suspectSelf: () => this.#node.suspectSelf(),
      newUpkeep: (host, serial) =>
        this.#store === null ? null : this.#node.newUpkeep(this.#store, host, serial),
      trouble: (trouble) => this.#health.inTrouble(trouble),
    };
  }

  /**
   * A crash before it is built anew must not make it whole (C11). Best effort: a disk that does not take the mark may
   * still take the rebuild.
   */
  async #openRebuild(): Promise<PartitionStore> {
    // What is durable, not what this life knows: an attempt before may have found no room for the mark.
    if (this.#health.isSuspect && this.#store !== null && this.#store.meta.lossy !== true) {
      await this.#store.markLossy().catch((err: unknown) => {
        const { logger } = this.#node.doors;
        logger.warn({ component: 'replica', partition: this.id, err }, 'the replica is not marked as lossy');
      });
    }
    return this.#site.open();
  }

  #adoptRebuild(): Promise<void> {
    return this.#site.adopt(this.#store, (store) => {
      this.#store = store;
      this.#health.rebuilt();
    });
  }

  // Small parts

  async #closeStore(store: PartitionStore | null): Promise<void> {
    if (store === null) return;
    try {
      if (this.#health.isBroken) await store.abandon();
      else await store.close();
    } catch (error) {
      this.#health.broke();
      this.#node.doors.logger.error(
        { component: 'replica', partition: this.id, err: error },
        'the log is not closed cleanly',
      );
    }
  }

  /** What is committed here may be shown, and must be readable. */
  get #isFit(): boolean {
    const { isBroken, isSuspect } = this.#health;
    return !this.#isClosed && !isBroken && !isSuspect && this.follower?.isRebuilding !== true;
  }

  /** C11: whoever follows is built anew at once; a leader says so and leads on until another can. */
  #rotten(): void {
    if (this.follower !== null) this.follower.logIsCorrupt();
    else this.#health.inTrouble('corrupt');
  }

  #handedOver(leaderEpoch: LeaderEpoch, lastEpoch: LeaderEpoch, logEndOffset: Offset): void {
    this.#node.doors.controller.send({
      kind: 'handOverReady',
      node: this.#node.settings.nodeId,
      incarnation: this.#node.incarnation,
      partition: this.id,
      uuid: this.uuid,
      leaderEpoch,
      lastEpoch,
      logEndOffset,
    });
  }

  #log(leaderEpoch: LeaderEpoch, text: string): void {
    this.#node.doors.logger.info({ component: 'replica', partition: this.id, leaderEpoch }, text);
  }
}
