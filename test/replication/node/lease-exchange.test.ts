import { expect } from 'chai';
import { MemoryFileSystem } from '../../../src/env/memory-file-system.ts';
import {
  asEpochMillis,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionId,
  type NodeId,
} from '../../../src/model/numbers.ts';
import type { LeaseEcho, LeaseGrant, LeaseStamp, PeerMessage } from '../../../src/replication/messages.ts';
import type { EchoedStamp } from '../../../src/replication/node/leader-role.ts';
import { LeaseExchange } from '../../../src/replication/node/lease-exchange.ts';
import { NodeState } from '../../../src/replication/node/node-state.ts';
import { PromiseBook } from '../../../src/replication/node/promise-book.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { CollectingLogger } from '../../support/collecting-logger.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const UUID = 'a'.repeat(32);
const OTHER_UUID = 'b'.repeat(32);
const SELF = { leader: asNodeId(2), incarnation: asIncarnation(20) };
const LEASE_MS = 600;

function grant(leaderEpoch: number, uuid = UUID): LeaseGrant {
  return { partition: asPartitionId(0), uuid, leaderEpoch: asLeaderEpoch(leaderEpoch) };
}

/** Node 2 with its memory; what it follows and whom it stamps the test says. */
class Exchange {
  readonly clock = new SimulatedClock();
  readonly logger = new CollectingLogger();
  readonly sent: { readonly to: NodeId; readonly message: PeerMessage }[] = [];
  readonly echoes: { readonly grant: LeaseGrant; readonly stamp: EchoedStamp }[] = [];
  readonly released: number[] = [];
  targets = new Set<NodeId>();
  follows: { readonly leader: number; readonly incarnation: number; readonly grants: LeaseGrant[] }[] = [];
  readonly fileSystem = new MemoryFileSystem();
  nodeState!: NodeState;
  promises!: PromiseBook;
  exchange!: LeaseExchange;

  /** A process of this node begins. */
  async boot(leaseMs = LEASE_MS): Promise<void> {
    await this.fileSystem.makeDirectory('/data');
    this.nodeState = await NodeState.open(this.fileSystem, '/data', this.clock);
    this.promises = new PromiseBook(RULES, this.clock.monotonicMs(), this.nodeState.promiseMsMax);
    this.exchange = new LeaseExchange({
      nodeId: SELF.leader,
      incarnation: SELF.incarnation,
      nodeState: this.nodeState,
      promises: this.promises,
      peers: { send: (to, message) => this.sent.push({ to, message }) },
      clock: this.clock,
      logger: this.logger,
      host: {
        stampTargets: () => this.targets,
        followedUnder: (leader, incarnation) =>
          this.follows.find((life) => life.leader === leader && life.incarnation === incarnation)?.grants ??
          [],
        echoed: (echoed, stamp) => this.echoes.push({ grant: echoed, stamp }),
        released: (partition) => this.released.push(partition),
      },
    });
    this.exchange.setLease(leaseMs);
    await this.clock.settle();
  }

  follow(leader: number, incarnation: number, ...grants: LeaseGrant[]): void {
    this.follows = [{ leader, incarnation, grants }];
  }

  stamp(changes: Partial<LeaseStamp> = {}): Promise<void> {
    return this.exchange.stamped({
      kind: 'leaseStamp',
      from: asNodeId(1),
      fromIncarnation: asIncarnation(10),
      sequence: 1,
      leaseMs: LEASE_MS,
      wallMs: this.clock.wallMs(),
      ...changes,
    });
  }

  echo(sequence: number, changes: Partial<LeaseEcho> = {}): void {
    this.exchange.echoReceived({
      kind: 'leaseEcho',
      from: asNodeId(3),
      fromIncarnation: asIncarnation(30),
      leaderIncarnation: SELF.incarnation,
      sequence,
      leaseMs: LEASE_MS,
      wallMs: this.clock.wallMs(),
      partitions: [grant(5)],
      ...changes,
    });
  }

  release(leaderEpoch: number, incarnation = 10, uuid = UUID): void {
    this.exchange.releaseReceived({
      kind: 'leaderReleased',
      from: asNodeId(1),
      fromIncarnation: asIncarnation(incarnation),
      partition: asPartitionId(0),
      uuid,
      leaderEpoch: asLeaderEpoch(leaderEpoch),
    });
  }

  /** How long this node may not act as leader yet. */
  get barredMs(): number {
    const fromMs = this.promises.mayActFromMs(UUID, SELF, this.clock.monotonicMs());
    return Math.max(0, fromMs - this.clock.monotonicMs());
  }

  get sentEchoes(): readonly LeaseEcho[] {
    return this.sent.map(({ message }) => message).filter((message) => message.kind === 'leaseEcho');
  }

  get stamps(): readonly LeaseStamp[] {
    return this.sent.map(({ message }) => message).filter((message) => message.kind === 'leaseStamp');
  }
}

async function booted(): Promise<Exchange> {
  const exchange = new Exchange();
  await exchange.boot();
  return exchange;
}

describe('leases: promises of a follower (L2, L5)', () => {
  it('promises before it echoes, from the receipt of the stamp on', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    expect(node.sentEchoes[0]).to.deep.include({ sequence: 1, leaseMs: LEASE_MS, partitions: [grant(5)] });
    expect(node.barredMs).to.equal(LEASE_MS);
  });

  it('an old stamp received again is a stamp received; a stamp not received extends nothing (hole 2)', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    await node.clock.advance(400);
    expect(node.barredMs, 'the leader is silent: the promise runs out').to.equal(200);
    await node.clock.advance(200);
    expect(node.barredMs).to.equal(0);
  });

  it('has the longest promise on disk before the first echo (hole 4)', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    const stamped = node.stamp();
    expect(node.sentEchoes, 'not before it is durable').to.deep.equal([]);
    await stamped;
    const restarted = await NodeState.open(node.fileSystem, '/data', node.clock);
    expect(restarted.promiseMsMax).to.equal(LEASE_MS);
  });

  it('promises nothing when the longest promise cannot be made durable', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.fileSystem.unlink('/data/STATE');
    await node.fileSystem.removeDirectory('/data');
    await node.stamp();
    await node.stamp({ sequence: 2 });
    expect(node.sentEchoes).to.deep.equal([]);
    expect(node.barredMs).to.equal(0);
  });

  it('after a restart acts for nobody until its longest promise is over (hole 4); never, if it made none (R20)', async () => {
    const node = await booted();
    expect(node.barredMs, 'no promise was ever made').to.equal(0);
    node.follow(1, 10, grant(5));
    await node.stamp();
    await node.clock.advance(500);
    await node.boot();
    expect(node.barredMs).to.equal(LEASE_MS);
    await node.clock.advance(LEASE_MS);
    expect(node.barredMs).to.equal(0);
  });

  it('counts by the monotonic clock alone (hole 9)', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    node.clock.wallJump(3_600_000);
    expect(node.barredMs).to.equal(LEASE_MS);
  });

  it('promises the shorter length, keeps the longest promise (hole 13)', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp({ leaseMs: 5000 });
    expect(node.sentEchoes[0]?.leaseMs).to.equal(LEASE_MS);
    await node.stamp({ leaseMs: 200, sequence: 2 });
    expect(node.sentEchoes[1]?.leaseMs).to.equal(200);
    expect(node.barredMs).to.equal(LEASE_MS);
  });

  it('echoes only what it follows under that life, in that epoch; what it left stays promised (hole 14)', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5), grant(5, OTHER_UUID));
    await node.stamp();
    await node.clock.advance(100);
    node.follow(1, 10, grant(5, OTHER_UUID));
    await node.stamp({ sequence: 2 });
    expect(node.sentEchoes[1]?.partitions).to.deep.equal([grant(5, OTHER_UUID)]);
    expect(node.barredMs, 'neither extended nor cleared').to.equal(LEASE_MS - 100);
    await node.stamp({ sequence: 3, fromIncarnation: asIncarnation(11) });
    expect(node.sentEchoes).to.have.length(2);
  });

  it('several leaders, several epochs: the longest promise counts (hole 15)', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    await node.clock.advance(300);
    node.follow(3, 30, grant(6));
    await node.stamp({ from: asNodeId(3), fromIncarnation: asIncarnation(30), leaseMs: 100 });
    expect(node.barredMs).to.equal(300);
  });
});

describe('leases: release (L9, R20)', () => {
  it('clears the promise to that leader and life', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    node.release(5);
    expect(node.barredMs).to.equal(0);
    expect(node.released).to.deep.equal([0]);
  });

  it('clears no promise to another leader or life, and none about another partition', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    node.release(5, 11);
    node.release(5, 10, OTHER_UUID);
    expect(node.barredMs).to.equal(LEASE_MS);
    expect(node.released).to.deep.equal([]);
  });

  it('that comes late clears no promise of a later epoch', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    node.follow(1, 10, grant(7));
    await node.stamp({ sequence: 2 });
    node.release(5);
    expect(node.barredMs).to.equal(LEASE_MS);
  });

  it('is not undone by a late stamp', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    node.release(5);
    await node.stamp({ sequence: 2 });
    expect(node.sentEchoes).to.have.length(1);
    expect(node.barredMs).to.equal(0);
  });

  it('does not end the wait after a boot', async () => {
    const node = await booted();
    node.follow(1, 10, grant(5));
    await node.stamp();
    await node.boot();
    node.release(5);
    expect(node.barredMs).to.equal(LEASE_MS);
  });
});

describe('leases: stamps of a leader (L1, L3)', () => {
  it('stamps every quarter of the lease while there is somebody to stamp, and not longer', async () => {
    const node = await booted();
    expect(node.clock.timerCount).to.equal(0);
    node.targets = new Set([asNodeId(1), asNodeId(3)]);
    node.exchange.targetsChanged();
    await node.clock.settle();
    expect(node.stamps.map(({ sequence }) => sequence)).to.deep.equal([1, 1]);
    await node.clock.advance(LEASE_MS / 2);
    expect(node.stamps.map(({ sequence }) => sequence)).to.deep.equal([1, 1, 2, 2, 3, 3]);
    node.targets = new Set();
    await node.clock.advance(LEASE_MS);
    expect(node.clock.timerCount).to.equal(0);
  });

  it('sends one round a turn for all reads that ask', async () => {
    const node = await booted();
    node.targets = new Set([asNodeId(3)]);
    const sequence = node.exchange.nextSequence;
    node.exchange.requestRound();
    node.exchange.requestRound();
    await node.clock.settle();
    expect(node.stamps.map((stamp) => stamp.sequence)).to.deep.equal([sequence]);
  });

  it('an echo counts from when its stamp was sent, by the shorter length', async () => {
    const node = await booted();
    node.targets = new Set([asNodeId(3)]);
    const sentAtMs = node.clock.monotonicMs();
    node.exchange.requestRound();
    await node.clock.settle();
    await node.clock.advance(70);
    node.echo(1, { leaseMs: 400 });
    expect(node.echoes[0]?.stamp).to.deep.include({
      node: 3,
      incarnation: 30,
      sequence: 1,
      sentAtMs,
      leaseMs: 400,
    });
  });

  it('an echo of another life, or of a stamp never sent, gives nothing (hole 12)', async () => {
    const node = await booted();
    node.targets = new Set([asNodeId(3)]);
    node.exchange.requestRound();
    await node.clock.settle();
    node.echo(1, { leaderIncarnation: asIncarnation(19) });
    node.echo(2);
    expect(node.echoes).to.deep.equal([]);
    node.exchange.reincarnate(asIncarnation(21));
    node.echo(1, { leaderIncarnation: asIncarnation(21) });
    expect(node.echoes, 'a stamp of the life before').to.deep.equal([]);
  });

  it("expires nothing actively while a follower's clock is over a second off (R4)", async () => {
    const node = await booted();
    node.targets = new Set([asNodeId(3)]);
    node.exchange.requestRound();
    await node.clock.advance(50);
    node.echo(1, { wallMs: asEpochMillis(node.clock.wallMs() + 1500) });
    expect(node.exchange.mayExpire).to.equal(false);
    expect(node.logger.texts('error')).to.have.length(1);
    node.echo(1);
    expect(node.exchange.mayExpire).to.equal(true);
    node.echo(1, { wallMs: asEpochMillis(node.clock.wallMs() - 1500) });
    expect(node.exchange.mayExpire).to.equal(false);
    node.targets = new Set();
    node.exchange.targetsChanged();
    expect(node.exchange.mayExpire, 'it is nobody of ours any more').to.equal(true);
  });
});
