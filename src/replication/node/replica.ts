import type { ReplicaTrouble } from '../../model/control-messages.ts';
import {
  asLeaderEpoch,
  asOffset,
  asPartitionVersion,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type Offset,
  type PartitionId,
} from '../../model/numbers.ts';
import type { PartitionState, ReplicaReport } from '../../model/partition-state.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import { SerialQueue } from '../../storage/serial-queue.ts';
import { type FollowerHost, FollowerReplica } from '../follower/follower-replica.ts';
import type { Fetch, FetchProgress, FetchReply, LeaseGrant } from '../messages.ts';
import type { EchoedStamp, LeaderHost, LeaderRole } from './leader-role.ts';
import { RebuildSite } from './rebuild-site.ts';
import type { ReplicaNode } from './replica-node.ts';
import { ReplicaReader } from './replica-reader.ts';
import { TroubleReporter } from './trouble-reporter.ts';

type Role =
  | { readonly kind: 'none' }
  | { readonly kind: 'leader'; readonly leaderEpoch: LeaderEpoch; readonly leader: LeaderRole }
  | {
      readonly kind: 'follower';
      readonly leaderEpoch: LeaderEpoch;
      readonly leader: NodeId;
      readonly leaderIncarnation: Incarnation;
      readonly follower: FollowerReplica;
    };

const NO_ROLE: Role = { kind: 'none' };

/**
 * One partition on this node: owns its store and the role it has now. A role ends at once, before anything else is looked at (L8); it begins in a serial
 * queue, after the epoch and version it stands for are durable (DESIGN "Durable before visible"), and only if no newer state has come meanwhile.
 */
export class Replica {
  readonly id: PartitionId;
  readonly uuid: string;
  readonly #node: ReplicaNode;
  readonly #serial = new SerialQueue();
  readonly #troubles: TroubleReporter;
  readonly #site: RebuildSite;
  readonly #reader: ReplicaReader;
  #store: PartitionStore | null;
  #role: Role = NO_ROLE;
  /** Resolves when the last role that ended touches the store no more. */
  #ended: Promise<void> = Promise.resolve();
  /** The newest state accepted; its role may still be beginning. */
  #wanted: PartitionState | null = null;
  /** The newest that is durable and in force (R17). */
  #applied: PartitionState | null = null;
  /** Its disk failed: nothing is written any more in this life of the process. */
  #isBroken = false;
  /** Its log is not to be trusted until it has been built anew. */
  #isSuspect = false;
  #isClosed = false;
  #nextFetchId: number;

  /** `store` null: what the record names cannot be used. `firstFetchId`: above all that were used for the partition in this life. */
  constructor(
    id: PartitionId,
    uuid: string,
    store: PartitionStore | null,
    node: ReplicaNode,
    firstFetchId: number,
  ) {
    this.id = id;
    this.#nextFetchId = firstFetchId;
    this.uuid = uuid;
    this.#store = store;
    this.#node = node;
    this.#site = new RebuildSite(id, uuid, node.nodeState, node.directories);
    this.#troubles = new TroubleReporter(node.doors.clock, (trouble) => this.#tell(trouble));
    this.#reader = new ReplicaReader(
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
    return this.#role.kind === 'leader' ? this.#role.leader : null;
  }

  get follower(): FollowerReplica | null {
    return this.#role.kind === 'follower' ? this.#role.follower : null;
  }

  get store(): PartitionStore | null {
    return this.#store;
  }

  /** Once no role runs any more: above all fetches of this replica. */
  get nextFetchId(): number {
    return this.#nextFetchId;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Takes over a state that rule `acceptsState` let through. Resolves to true when it, or a newer one, is durable and in force. A leader of an older epoch
   * answers nothing any more when this returns.
   */
  take(state: PartitionState): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    this.#wanted = state;
    const durable = this.#node.nodeState.raisePartition(this.id, state.leaderEpoch, state.version);
    if (this.#role.kind !== 'none' && this.#role.leaderEpoch < state.leaderEpoch) this.#endRole();
    const isDurable = durable.then(
      () => true,
      (error: unknown) => this.#notDurable(error),
    );
    return this.#serial.run(async () => {
      if (!(await isDurable)) return false;
      if (this.#wanted === state) await this.#apply(state);
      return true;
    });
  }

  /** Facts or live nodes changed. */
  viewChanged(): void {
    const state = this.#applied;
    if (this.#role.kind === 'leader' && state?.leaderEpoch === this.#role.leaderEpoch) {
      this.#role.leader.stateApplied(state, this.#node.view());
    }
  }

  receive(message: Fetch | FetchProgress): void {
    if (this.#role.kind === 'leader') {
      this.#role.leader.receive(message);
    } else if (message.kind === 'fetch') {
      this.#node.doors.peers.send(message.from, {
        kind: 'fetchReply',
        from: this.#node.settings.nodeId,
        fromIncarnation: this.#node.incarnation,
        toIncarnation: message.fromIncarnation,
        partition: this.id,
        fetchId: message.fetchId,
        leaderEpoch: this.#leaderEpochMax,
        outcome: { result: 'notLeader' },
      });
    }
  }

  receiveReply(reply: FetchReply): void {
    this.follower?.receive(reply);
  }

  /** L9: asked of the leader of this very epoch. */
  handOver(leaderEpoch: LeaderEpoch): void {
    if (this.#role.kind === 'leader' && this.#role.leaderEpoch === leaderEpoch) this.#role.leader.handOver();
  }

  echoed(grant: LeaseGrant, stamp: EchoedStamp): void {
    if (this.#role.kind !== 'leader') return;
    if (grant.uuid === this.uuid && grant.leaderEpoch === this.#role.leaderEpoch) {
      this.#role.leader.echoed(stamp);
    }
  }

  /** What may be promised to the leader that is followed: nothing in an epoch below the highest known (L6, 4.3-5). */
  grantTo(leader: NodeId, incarnation: Incarnation): LeaseGrant | null {
    const role = this.#role;
    if (role.kind !== 'follower' || role.leader !== leader || role.leaderIncarnation !== incarnation)
      return null;
    if (!this.#node.rules.mayFollowEpoch(role.leaderEpoch, this.#leaderEpochMax)) return null;
    return { partition: this.id, uuid: this.uuid, leaderEpoch: role.leaderEpoch };
  }

  report(): ReplicaReport {
    const store = this.#store;
    const record = this.#node.nodeState.partition(this.id);
    const applied = this.#applied;
    // A member counts for what is committed: in this life that needs no mark on the disk (R6).
    const isMarked = store?.isWhole === false && !(applied !== null && this.#isMember(applied));
    const isWhole = store !== null && !isMarked && !this.#isBroken && !this.#isSuspect;
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

  /** Scrub, digest and reads of what is committed here. */
  get reader(): ReplicaReader {
    return this.#reader;
  }

  /** The node goes on in another life: no role outlives the one in which it began. Leaders answer nothing any more when this returns. */
  endLife(): Promise<void> {
    this.#endRole();
    this.#troubles.end();
    return this.#ended;
  }

  /** Ends the role and closes the files; the directory stays. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#endRole();
    this.#troubles.end();
    await this.#serial.run(async () => {
      await this.#ended;
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

  #notDurable(error: unknown): false {
    this.#node.doors.logger.error(
      { component: 'replica', partition: this.id, err: error },
      'a state cannot be made durable, and is not taken over',
    );
    return false;
  }

  #endRole(): void {
    const role = this.#role;
    if (role.kind === 'none') return;
    this.#role = NO_ROLE;
    this.#troubles.end();
    const ending = role.kind === 'leader' ? role.leader.stop() : role.follower.stop();
    if (role.kind === 'follower') this.#noteFollower(role.follower);
    const before = this.#ended;
    this.#ended = before.then(() => ending).catch((error: unknown) => this.#failed(error));
    this.#log(role.leaderEpoch, `${role.kind} no more`);
    this.#node.roleChanged(this.id);
  }

  #noteFollower(follower: FollowerReplica): void {
    this.#nextFetchId = follower.nextFetchId;
    if (follower.hasFailed) this.#isBroken = true;
  }

  async #apply(state: PartitionState): Promise<void> {
    const role = this.#role;
    this.#applied = state;
    if (role.kind === 'none' || role.leaderEpoch < state.leaderEpoch) {
      await this.#begin(state);
    } else if (role.kind === 'leader') {
      role.leader.stateApplied(state, this.#node.view());
    } else {
      role.follower.versionApplied(state.version);
      if (this.#isMember(state)) await role.follower.clearLossy();
    }
    if (this.#role.kind === 'none' && this.#isMember(state)) await this.#clearLossy();
  }

  /** R6, where no role does it: the state by which it became a member again may be heard of only when the leader is gone. */
  async #clearLossy(): Promise<void> {
    const store = this.#store;
    if (store === null || store.isWhole || this.#isBroken || this.#isSuspect) return;
    await store.clearLossy().catch((error: unknown) => this.#failed(error));
  }

  async #begin(state: PartitionState): Promise<void> {
    this.#endRole();
    await this.#ended;
    if (!this.#isCurrent(state)) return;
    const { nodeId } = this.#node.settings;
    if (state.leader === nodeId) await this.#lead(state);
    else if (state.leader !== null && state.replicas.includes(nodeId)) this.#follow(state, state.leader);
  }

  /** Asked again after every await: a newer state, or another life, may have come. */
  #isCurrent(state: PartitionState): boolean {
    const wanted = this.#wanted;
    const mayBegin = !this.#isClosed && !this.#node.isBetweenLives && this.#role.kind === 'none';
    return mayBegin && wanted?.leaderEpoch === state.leaderEpoch;
  }

  #isMember(state: PartitionState): boolean {
    const { nodeId } = this.#node.settings;
    return (
      state.isr.includes(nodeId) &&
      state.incarnations[nodeId] === this.#node.incarnation &&
      state.directoryIds[nodeId] === this.#store?.directoryId
    );
  }

  async #lead(state: PartitionState): Promise<void> {
    const incarnation = this.#node.incarnation;
    // Another life of this node was elected: the controller will meet this one and elect again (KIP-380).
    if (state.incarnations[this.#node.settings.nodeId] !== incarnation) return;
    const store = this.#store;
    if (store === null || this.#isBroken) {
      this.#troubles.begin(this.#isBroken ? 'disk' : 'corrupt');
      return;
    }
    if (state.leaderEpoch <= store.latestEpoch) {
      this.#log(state.leaderEpoch, 'the epoch began here before: nobody may lead twice in it (PROTOCOL 2.8)');
      return;
    }
    try {
      if (this.#isMember(state) && !store.isWhole) await store.clearLossy();
      await store.beginEpoch(state.leaderEpoch);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#isCurrent(state) || incarnation !== this.#node.incarnation) {
      // The epoch has begun on disk, and its leader never will: the store is to take a follower's orders again.
      store.endEpoch();
      return;
    }
    const leader = this.#node.newLeader(state, store, this.#leaderHost(state.leaderEpoch));
    this.#role = { kind: 'leader', leaderEpoch: state.leaderEpoch, leader };
    this.#log(state.leaderEpoch, 'leads');
    leader.start();
    // Elected in spite of it: nobody else could be. It leads what it can read, and says so until another can.
    if (this.#isSuspect) this.#troubles.begin('corrupt');
    this.#node.roleChanged(this.id);
  }

  #follow(state: PartitionState, leader: NodeId): void {
    const leaderIncarnation = state.incarnations[leader];
    const epochMax = this.#leaderEpochMax;
    if (leaderIncarnation === undefined || !this.#node.rules.mayFollowEpoch(state.leaderEpoch, epochMax))
      return;
    if (this.#isBroken) {
      this.#troubles.begin('disk');
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
      log: this.#isSuspect ? null : this.#store,
      firstFetchId: this.#nextFetchId,
      fetchBytesMax: settings.fetchBytesMax,
      pollMsMax: settings.pollMsMax,
      rules,
      clock: doors.clock,
      random: doors.random,
      logger: doors.logger.child({ partition: this.id, leaderEpoch: state.leaderEpoch }),
      host: this.#followerHost(state.leaderEpoch),
    });
    this.#role = { kind: 'follower', leaderEpoch: state.leaderEpoch, leader, leaderIncarnation, follower };
    this.#log(state.leaderEpoch, `follows node ${leader}`);
    follower.start();
    this.#node.roleChanged(this.id);
    if (this.#isMember(state)) void follower.clearLossy();
    // Said in every epoch until it is built anew: the one who was told may not reign any more.
    if (this.#isSuspect) this.#troubles.begin('corrupt');
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
      trouble: (trouble) => this.#inTrouble(trouble),
      handedOver: (lastEpoch, logEndOffset) => this.#handedOver(leaderEpoch, lastEpoch, logEndOffset),
    };
  }

  #followerHost(leaderEpoch: LeaderEpoch): FollowerHost {
    const { doors, nodeState } = this.#node;
    return {
      send: (to, message) => doors.peers.send(to, message),
      persistVersion: (version) => nodeState.raisePartition(this.id, leaderEpoch, version),
      openRebuild: () => this.#openRebuild(),
      adoptRebuild: () => this.#adoptRebuild(),
      discardRebuild: () => this.#site.discard(),
      suspectSelf: () => this.#node.suspectSelf(),
      newUpkeep: (host, serial) =>
        this.#store === null ? null : this.#node.newUpkeep(this.#store, host, serial),
      trouble: (trouble) => this.#inTrouble(trouble),
    };
  }

  /** A crash before it is built anew must not make it whole (C11). Best effort: a disk that does not take the mark may still take the rebuild. */
  async #openRebuild(): Promise<PartitionStore> {
    if (this.#isSuspect && this.#store?.isWhole === true) {
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
      this.#isSuspect = false;
      this.#troubles.end();
    });
  }

  // Small parts

  #failed(error: unknown): void {
    this.#node.doors.logger.error(
      { component: 'replica', partition: this.id, err: error },
      'the replica has failed',
    );
    this.#inTrouble('disk');
  }

  async #closeStore(store: PartitionStore | null): Promise<void> {
    if (store === null) return;
    try {
      if (this.#isBroken) await store.abandon();
      else await store.close();
    } catch (error) {
      this.#isBroken = true;
      this.#node.doors.logger.error(
        { component: 'replica', partition: this.id, err: error },
        'the log is not closed cleanly',
      );
    }
  }

  /** What is committed here may be shown, and must be readable. */
  get #isFit(): boolean {
    return !this.#isClosed && !this.#isBroken && !this.#isSuspect && this.follower?.isRebuilding !== true;
  }

  #inTrouble(trouble: ReplicaTrouble['trouble']): void {
    if (trouble === 'corrupt' && !this.#isSuspect) {
      this.#node.rotFound();
      // Nobody else has it: to be out of the way would help nobody.
      if (this.#wanted?.replicas.length === 1) return;
    }
    if (trouble === 'disk') this.#isBroken = true;
    else this.#isSuspect = true;
    if (!this.#isClosed) this.#troubles.begin(trouble);
  }

  /** C11: whoever follows is built anew at once; a leader says so and leads on until another can. */
  #rotten(): void {
    if (this.#role.kind === 'follower') this.#role.follower.logIsCorrupt();
    else this.#inTrouble('corrupt');
  }

  #tell(trouble: ReplicaTrouble['trouble']): void {
    if (this.#node.isBetweenLives) return;
    this.#node.doors.controller.send({
      kind: 'replicaTrouble',
      node: this.#node.settings.nodeId,
      incarnation: this.#node.incarnation,
      partition: this.id,
      leaderEpoch: this.#wanted?.leaderEpoch ?? this.#leaderEpochMax,
      directoryId: this.#store?.directoryId ?? '',
      trouble,
    });
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
