import type { Incarnation, LeaderEpoch, NodeId, PartitionId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { FollowerReplica } from '../follower/follower-replica.ts';
import { ASKED_MS } from '../leader/hand-over.ts';
import type { Fetch, FetchProgress, LeaseGrant } from '../messages.ts';
import type { EchoedStamp, LeaderRole } from './leader-role.ts';
import type { ReplicaNode } from './replica-node.ts';

/** A follower's role, and whom it follows. */
export interface Following {
  readonly kind: 'follower';
  readonly leaderEpoch: LeaderEpoch;
  readonly leader: NodeId;
  readonly leaderIncarnation: Incarnation;
  readonly follower: FollowerReplica;
}

type Role =
  | { readonly kind: 'none' }
  | { readonly kind: 'leader'; readonly leaderEpoch: LeaderEpoch; readonly leader: LeaderRole }
  | Following;

const NO_ROLE: Role = { kind: 'none' };

/** What a role asks of its replica. */
export interface ReplicaRoleHost {
  /** The highest that is known here, also from the log alone (L6). */
  leaderEpochMax(): LeaderEpoch;
  /** A role is about to end. */
  ending(follower: FollowerReplica | null): void;
  /** What may only happen to a store that nobody knows anything of any more. */
  failed(error: unknown): void;
}

/**
 * The role that one replica has now, if any: what other nodes say ends here, checked against the role's epoch. One that
 * has ended hears nothing any more.
 */
export class ReplicaRole {
  readonly #id: PartitionId;
  readonly #uuid: string;
  readonly #node: ReplicaNode;
  readonly #host: ReplicaRoleHost;
  #role: Role = NO_ROLE;
  #ended: Promise<void> = Promise.resolve();
  #nextFetchId: number;
  /**
   * Asked to hand over in this epoch, in which no role has begun yet. It counts for as long as it would at a leader:
   * who asked may have thought better of it.
   */
  #handOverAsked: { readonly leaderEpoch: LeaderEpoch; readonly atMs: number } | null = null;

  /** `firstFetchId`: above all that were used for the partition in this life. */
  constructor(id: PartitionId, uuid: string, firstFetchId: number, node: ReplicaNode, host: ReplicaRoleHost) {
    this.#id = id;
    this.#uuid = uuid;
    this.#nextFetchId = firstFetchId;
    this.#node = node;
    this.#host = host;
  }

  get kind(): Role['kind'] {
    return this.#role.kind;
  }

  /** Of the role that runs; null: none does. */
  get leaderEpoch(): LeaderEpoch | null {
    return this.#role.kind === 'none' ? null : this.#role.leaderEpoch;
  }

  get leader(): LeaderRole | null {
    return this.#role.kind === 'leader' ? this.#role.leader : null;
  }

  get follower(): FollowerReplica | null {
    return this.#role.kind === 'follower' ? this.#role.follower : null;
  }

  /** While no follower runs: above all fetches of this replica. */
  get nextFetchId(): number {
    return this.#nextFetchId;
  }

  /** Resolves when the last role that ended touches the store no more. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  // Begin and end

  lead(leaderEpoch: LeaderEpoch, leader: LeaderRole): void {
    this.#role = { kind: 'leader', leaderEpoch, leader };
    this.#log(leaderEpoch, 'leads');
    leader.start();
    if (this.#isAskedToHandOver(leaderEpoch)) leader.handOver();
    this.#node.roleChanged(this.#id);
  }

  follow(following: Following): void {
    this.#role = following;
    this.#log(following.leaderEpoch, `follows node ${following.leader}`);
    following.follower.start();
    this.#node.roleChanged(this.#id);
  }

  /** L8: at once; what it still has to finish resolves `ended`. */
  end(): void {
    const role = this.#role;
    if (role.kind === 'none') return;
    this.#role = NO_ROLE;
    this.#host.ending(role.kind === 'follower' ? role.follower : null);
    const ending = role.kind === 'leader' ? role.leader.stop() : role.follower.stop();
    if (role.kind === 'follower') this.#nextFetchId = role.follower.nextFetchId;
    const before = this.#ended;
    this.#ended = before.then(() => ending).catch((error: unknown) => this.#host.failed(error));
    this.#log(role.leaderEpoch, `${role.kind} no more`);
    this.#node.roleChanged(this.#id);
  }

  // What comes in

  /** The newest state in force, or the view beside it, has changed. */
  stateApplied(state: PartitionState): void {
    if (this.#role.kind === 'leader' && state.leaderEpoch === this.#role.leaderEpoch) {
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
        partition: this.#id,
        fetchId: message.fetchId,
        leaderEpoch: this.#host.leaderEpochMax(),
        outcome: { result: 'notLeader' },
      });
    }
  }

  /**
   * L9: asked of the leader of this very epoch. Who is elected may be asked before its role has begun, and even before
   * it has heard of it.
   */
  handOver(leaderEpoch: LeaderEpoch): void {
    if (this.#role.kind === 'leader' && this.#role.leaderEpoch === leaderEpoch) {
      this.#role.leader.handOver();
    } else if (leaderEpoch >= this.#host.leaderEpochMax()) {
      this.#handOverAsked = { leaderEpoch, atMs: this.#node.doors.clock.monotonicMs() };
    }
  }

  #isAskedToHandOver(leaderEpoch: LeaderEpoch): boolean {
    const asked = this.#handOverAsked;
    if (asked?.leaderEpoch !== leaderEpoch) return false;
    return this.#node.doors.clock.monotonicMs() - asked.atMs < ASKED_MS;
  }

  echoed(grant: LeaseGrant, stamp: EchoedStamp): void {
    if (this.#role.kind !== 'leader') return;
    if (grant.uuid === this.#uuid && grant.leaderEpoch === this.#role.leaderEpoch) {
      this.#role.leader.echoed(stamp);
    }
  }

  /** What may be promised to the leader that is followed: nothing in an epoch below the highest known (L6, 4.3-5). */
  grantTo(leader: NodeId, incarnation: Incarnation): LeaseGrant | null {
    const role = this.#role;
    if (role.kind !== 'follower' || role.leader !== leader || role.leaderIncarnation !== incarnation)
      return null;
    if (!this.#node.rules.mayFollowEpoch(role.leaderEpoch, this.#host.leaderEpochMax())) return null;
    return { partition: this.#id, uuid: this.#uuid, leaderEpoch: role.leaderEpoch };
  }

  #log(leaderEpoch: LeaderEpoch, text: string): void {
    this.#node.doors.logger.info({ component: 'replica', partition: this.#id, leaderEpoch }, text);
  }
}
