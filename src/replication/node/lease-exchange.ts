import type { Clock, Timer } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import type {
  EpochMillis,
  Incarnation,
  LeaderEpoch,
  MonotonicMillis,
  NodeId,
  PartitionId,
} from '../../model/numbers.ts';
import type { LeaderReleased, LeaseEcho, LeaseGrant, LeaseStamp } from '../messages.ts';
import type { EchoedStamp } from './leader-role.ts';
import type { NodeState } from './node-state.ts';
import type { PeerLink } from './ports.ts';
import type { PromiseBook } from './promise-book.ts';

/** What the exchange asks of the replicas of its node. */
export interface LeaseHost {
  /** Nodes in the lease set of anything led here. */
  stampTargets(): ReadonlySet<NodeId>;
  /** Partitions for which this node follows that life of that leader, in the highest epoch it knows of (L6). */
  followedUnder(leader: NodeId, incarnation: Incarnation): readonly LeaseGrant[];
  /** An echo for something led here: uuid and epoch are to be checked. */
  echoed(grant: LeaseGrant, stamp: EchoedStamp): void;
  /** A promise about this partition was cleared. */
  released(partition: PartitionId): void;
}

export interface LeaseExchangeOptions {
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly nodeState: NodeState;
  readonly promises: PromiseBook;
  readonly peers: PeerLink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly host: LeaseHost;
}

interface SentStamp {
  readonly sequence: number;
  readonly atMs: MonotonicMillis;
  readonly wallMs: EpochMillis;
  readonly leaseMs: number;
}

interface LeaseRelease {
  readonly incarnation: Incarnation;
  readonly leaderEpoch: LeaderEpoch;
}

/** An echo of a stamp older than so many rounds gives nothing: its lease is over anyway. */
const SENT_STAMPS_MAX = 256;
/** R4: a leader whose clock is further off its followers' expires nothing actively. */
const WALL_APART_MS_MAX = 1_000;
const ROUNDS_PER_LEASE = 4;

/**
 * Stamps and echoes between nodes (ADR 3; L1 to L3, R20). One round of stamps every quarter of the lease, to every node
 * in a lease set, and one at once when a read asks; no timer while nobody needs one. What an echo is worth to a
 * partition, and for how long, is its leader's matter.
 */
export class LeaseExchange {
  readonly #options: LeaseExchangeOptions;
  #incarnation: Incarnation;
  #leaseMs = 0;
  #sequence = 0;
  #sent: SentStamp[] = [];
  #timer: Timer | null = null;
  #roundAsked = false;
  #closed = false;
  #promiseIsPending = false;
  /** No longer promise than this may be made: what a boot waits for is what is on disk (L5). */
  #durablePromiseMs: number;
  /** Followers whose wall clock is too far from ours. */
  readonly #apart = new Set<NodeId>();
  /** The last release by uuid and leader, so that a late stamp of a leader that has gone is not granted again. */
  readonly #released = new Map<string, LeaseRelease>();

  constructor(options: LeaseExchangeOptions) {
    this.#options = options;
    this.#incarnation = options.incarnation;
    this.#durablePromiseMs = options.nodeState.promiseMsMax;
  }

  /** Sequence of the next round. */
  get nextSequence(): number {
    return this.#sequence + 1;
  }

  /** R4: no follower's wall clock is over a second off. */
  get mayExpire(): boolean {
    return this.#apart.size === 0;
  }

  /** D of the cluster (R2). 0: not known yet, nothing is stamped. */
  setLease(leaseMs: number): void {
    this.#leaseMs = leaseMs;
    this.targetsChanged();
  }

  /** The node lives on in another incarnation: no stamp of the old one counts (4.3-12). Promises stay. */
  reincarnate(incarnation: Incarnation): void {
    this.#incarnation = incarnation;
    this.#sent = [];
  }

  /** Starts the rounds if there is somebody to stamp now; they end by themselves. */
  targetsChanged(): void {
    for (const node of this.#apart)
      if (!this.#options.host.stampTargets().has(node)) this.#apart.delete(node);
    if (this.#timer === null && this.#isNeeded) this.requestRound();
  }

  /** A round at the end of this turn, once for all that ask. */
  requestRound(): void {
    if (this.#roundAsked || this.#closed) return;
    this.#roundAsked = true;
    this.#options.clock.atTurnEnd(() => {
      this.#roundAsked = false;
      this.#round();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#sent = [];
  }

  /** L2: promise first, then answer at once. The length of the longest promise is durable before the first echo that makes it. */
  async stamped(stamp: LeaseStamp): Promise<void> {
    const receivedMs = this.#options.clock.monotonicMs();
    const leaseMs = Math.min(stamp.leaseMs, this.#leaseMs);
    if (leaseMs <= 0) return;
    if (leaseMs > this.#durablePromiseMs && !(await this.#makeDurable(leaseMs))) return;
    this.#echo(stamp, receivedMs, leaseMs);
  }

  /** L3. Anything that is not of this life, or of a stamp long gone, gives nothing. */
  echoReceived(echo: LeaseEcho): void {
    if (echo.leaderIncarnation !== this.#incarnation) return;
    const sent = this.#sent.find((stamp) => stamp.sequence === echo.sequence);
    if (sent === undefined) return;
    this.#compareClocks(echo, sent);
    const stamp: EchoedStamp = {
      node: echo.from,
      incarnation: echo.fromIncarnation,
      sequence: sent.sequence,
      sentAtMs: sent.atMs,
      sentWallMs: sent.wallMs,
      leaseMs: Math.min(sent.leaseMs, echo.leaseMs),
    };
    for (const grant of echo.partitions) this.#options.host.echoed(grant, stamp);
  }

  /** L9, R20. */
  releaseReceived(released: LeaderReleased): void {
    const { promises, host } = this.#options;
    const life = { leader: released.from, incarnation: released.fromIncarnation };
    const key = releaseKey(released.uuid, life.leader);
    const known = this.#released.get(key);
    if (known === undefined || known.leaderEpoch < released.leaderEpoch) {
      this.#released.set(key, { incarnation: life.incarnation, leaderEpoch: released.leaderEpoch });
    }
    if (promises.release(released.uuid, life, released.leaderEpoch)) host.released(released.partition);
  }

  /** Stamps that come meanwhile are left unanswered; the next round comes soon. */
  async #makeDurable(promiseMs: number): Promise<boolean> {
    if (this.#promiseIsPending) return false;
    this.#promiseIsPending = true;
    try {
      await this.#options.nodeState.raisePromise(promiseMs);
      this.#durablePromiseMs = promiseMs;
      return true;
    } catch (error) {
      this.#options.logger.error(
        { component: 'lease', err: error },
        'the longest promise cannot be made durable: nothing is promised',
      );
      return false;
    } finally {
      this.#promiseIsPending = false;
    }
  }

  get #isNeeded(): boolean {
    return !this.#closed && this.#leaseMs > 0 && this.#options.host.stampTargets().size > 0;
  }

  #round(): void {
    if (!this.#isNeeded) return;
    const { clock, peers, nodeId } = this.#options;
    this.#timer?.cancel();
    this.#sequence += 1;
    // L1: what the lease counts from is taken before anything is handed to the network.
    const sent = {
      sequence: this.#sequence,
      atMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
      leaseMs: this.#leaseMs,
    };
    this.#sent.push(sent);
    if (this.#sent.length > SENT_STAMPS_MAX) this.#sent.shift();
    for (const node of this.#options.host.stampTargets()) {
      peers.send(node, {
        kind: 'leaseStamp',
        from: nodeId,
        fromIncarnation: this.#incarnation,
        sequence: sent.sequence,
        leaseMs: sent.leaseMs,
        wallMs: sent.wallMs,
      });
    }
    this.#timer = clock.setTimer(this.#leaseMs / ROUNDS_PER_LEASE, () => {
      this.#timer = null;
      this.#round();
    });
  }

  #echo(stamp: LeaseStamp, receivedMs: MonotonicMillis, leaseMs: number): void {
    const { host, promises, peers, nodeId, clock } = this.#options;
    if (this.#closed) return;
    const life = { leader: stamp.from, incarnation: stamp.fromIncarnation };
    const grants = host
      .followedUnder(life.leader, life.incarnation)
      .filter((grant) => !this.#isReleased(grant, life.leader, life.incarnation));
    if (grants.length === 0) return;
    for (const { uuid, leaderEpoch } of grants) {
      promises.promise(uuid, life, leaderEpoch, receivedMs, leaseMs);
    }
    peers.send(stamp.from, {
      kind: 'leaseEcho',
      from: nodeId,
      fromIncarnation: this.#incarnation,
      leaderIncarnation: stamp.fromIncarnation,
      sequence: stamp.sequence,
      leaseMs,
      wallMs: clock.wallMs(),
      partitions: grants,
    });
  }

  #isReleased(grant: LeaseGrant, leader: NodeId, incarnation: Incarnation): boolean {
    const release = this.#released.get(releaseKey(grant.uuid, leader));
    return release?.incarnation === incarnation && release.leaderEpoch >= grant.leaderEpoch;
  }

  /** The follower read its clock between our sending and our receiving: further off than that is a difference of clocks. */
  #compareClocks(echo: LeaseEcho, sent: SentStamp): void {
    const early = sent.wallMs - echo.wallMs;
    const late = echo.wallMs - this.#options.clock.wallMs();
    const apartMs = Math.max(early, late);
    if (apartMs <= WALL_APART_MS_MAX) {
      this.#apart.delete(echo.from);
      return;
    }
    if (this.#apart.has(echo.from)) return;
    this.#apart.add(echo.from);
    this.#options.logger.error(
      { component: 'lease', node: echo.from, apartMs },
      'the wall clocks of two nodes are over a second apart: nothing is expired actively until they agree',
    );
  }
}

function releaseKey(uuid: string, leader: NodeId): string {
  return `${uuid}/${leader}`;
}
