import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { ReplicaMachine, type TestReplica } from './replica-machine.ts';
import { SeededRandom } from './seeded-random.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
const SEGMENT_BYTES = 4096;

interface ModelRecord {
  readonly key: string;
  /** Null: it is removed. */
  readonly value: string | null;
}

/** One of the two machines, with its replica while it is open. */
interface Side {
  readonly name: string;
  machine: ReplicaMachine;
  replica: TestReplica | null;
  /** A rebuild is under way: it must be finished on this leader in this epoch (C5). */
  rebuildEpoch: number;
  /** What is missing here must have been fetched before it may count or lead. */
  isMember: boolean;
  /** Read through what a merge left: below this offset records are missing for which the evidence comes later. */
  completeFrom: number;
  /** The last epoch in which the leader found its log to be a prefix of its own: before that its offsets say nothing. */
  acceptedEpoch: number;
}

/**
 * Two replicas of one partition under random work, and the log as it should be. The ISR is both of them, or, while one is built or proves nothing, the other alone
 * that leads. The reconciliation is that of PROTOCOL 2.6.
 */
export class ReplicaPairRun {
  merges = 0;
  crashes = 0;
  truncations = 0;
  rebuilds = 0;
  elections = 0;
  readonly #random: SeededRandom;
  readonly #sides: readonly [Side, Side];
  /** By offset: what the leader appended. */
  #records: ModelRecord[] = [];
  /** By epoch and offset: what any leader ever appended. A member with a tail that another epoch passed over may lead again. */
  readonly #written = new Map<string, ModelRecord>();
  #leader: Side;
  #epoch = 0;
  #highWatermark = 0;
  #values = 0;
  readonly #steps: string[] = [];

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#sides = [this.#newSide('left', 1), this.#newSide('right', 2)];
    this.#leader = this.#sides[0];
  }

  get history(): string {
    return this.#steps.slice(-25).join(' ');
  }

  async execute(steps: number): Promise<void> {
    for (const side of this.#sides) side.replica = await side.machine.open();
    await this.#elect(this.#leader);
    for (let step = 0; step < steps; step += 1) {
      await this.#step();
      for (const side of this.#sides) await this.#check(side);
    }
  }

  async #step(): Promise<void> {
    const chance = this.#random.below(100);
    if (chance < 35) this.#append();
    else if (chance < 50) await this.#flush();
    else if (chance < 72) await this.#fetch();
    else if (chance < 82) await this.#advance();
    else if (chance < 89) await this.#merge();
    else if (chance < 91) await this.#note('save', this.#pick().replica?.store.saveMeta());
    else if (chance < 93) await this.#elect(this.#follower);
    else if (chance < 95) this.#shrink();
    else await this.#crash();
  }

  #append(): void {
    const key = this.#random.pick(KEYS);
    const removes = this.#random.chance(0.25);
    this.#values += 1;
    const value = removes ? null : `${this.#values}-${'v'.repeat(this.#random.below(900))}`;
    const { store } = this.#open(this.#leader);
    this.#records.length = store.logEndOffset;
    if (value === null) this.#open(this.#leader).remove(key);
    else this.#open(this.#leader).put(key, value);
    this.#written.set(`${this.#epoch}:${this.#records.length}`, { key, value });
    this.#records.push({ key, value });
    this.#steps.push(`${value === null ? 'del' : 'put'}:${key}`);
  }

  async #flush(): Promise<void> {
    this.#steps.push('flush');
    await this.#open(this.#leader).flush();
  }

  /** The follower is out of the ISR: nobody waits for it, and it comes seldom. */
  #shrink(): void {
    this.#steps.push(`shrink ${this.#follower.name}`);
    this.#follower.isMember = false;
  }

  /** One fetch of the follower, as in PROTOCOL 2.6. */
  async #fetch(): Promise<void> {
    const follower = this.#follower;
    if (!follower.isMember && follower.rebuildEpoch === 0 && this.#random.chance(0.8)) return;
    const leader = this.#open(this.#leader).store;
    const { store } = this.#open(follower);
    const { logEndOffset, lastEpoch } = store;
    const isRebuilding = follower.rebuildEpoch === this.#epoch;
    if (logEndOffset <= leader.removedFloor && !isRebuilding) return this.#rebuild(follower);
    const end = leader.epochEnd(lastEpoch);
    if (end.epoch < lastEpoch || end.endOffset < logEndOffset) {
      const to = Math.min(end.endOffset, store.epochEnd(end.epoch).endOffset);
      this.#steps.push(`truncate:${to}`);
      this.truncations += 1;
      return store.truncateTo(asOffset(to));
    }
    const slice = await leader.readLog(logEndOffset, this.#random.chance(0.3) ? 1 : 3000);
    this.#steps.push(`fetch:${logEndOffset}-${slice.nextOffset}`);
    follower.acceptedEpoch = this.#epoch;
    const isMerged = leader.log.segments.some(
      ({ merged, end: mergedEnd }) => merged && mergedEnd > logEndOffset,
    );
    if (isMerged) follower.completeFrom = Math.max(follower.completeFrom, leader.committedOffset);
    const { bytes, nextOffset, epochs } = slice;
    await store.appendFetched(Uint8Array.from(bytes), nextOffset, { epochs, deferSync: isRebuilding });
    await store.commitTo(asOffset(Math.min(nextOffset, this.#highWatermark)));
    if (nextOffset >= this.#highWatermark && nextOffset >= leader.durableOffset) await this.#join(follower);
  }

  /** Caught up: what it lost it has again. */
  async #join(side: Side): Promise<void> {
    if (side.isMember) return;
    const { store } = this.#open(side);
    await store.syncNow();
    if (side.rebuildEpoch > 0) await store.raiseRemovedFloor(this.#open(this.#leader).store.removedFloor);
    await store.clearLossy();
    side.isMember = true;
    side.rebuildEpoch = 0;
    this.#steps.push(`${side.name} joins`);
  }

  async #rebuild(side: Side): Promise<void> {
    this.#steps.push(`rebuild ${side.name}`);
    this.rebuilds += 1;
    await side.replica?.store.abandon();
    side.machine = this.#newSide(side.name, this.#random.below(1000)).machine;
    side.replica = await side.machine.open();
    side.rebuildEpoch = this.#epoch;
    side.isMember = false;
    side.completeFrom = 0;
    side.acceptedEpoch = 0;
  }

  /** HW = min durable over the members; then both learn of it. */
  async #advance(): Promise<void> {
    const isCounted = (side: Side): boolean => side === this.#leader || side.acceptedEpoch === this.#epoch;
    const inSync = this.#sides.filter(({ isMember }) => isMember);
    if (!inSync.every(isCounted)) return;
    const members = inSync.map((side) => this.#open(side).store);
    this.#highWatermark = Math.max(
      this.#highWatermark,
      Math.min(...members.map(({ durableOffset }) => durableOffset)),
    );
    this.#steps.push(`hw:${this.#highWatermark}`);
    for (const side of this.#sides) {
      if (side !== this.#leader && this.#random.chance(0.3)) continue;
      const { store } = this.#open(side);
      // A follower that has not reconciled yet learns of no high watermark.
      if (side !== this.#leader && !this.#isInStep(side)) continue;
      await store.commitTo(asOffset(Math.min(this.#highWatermark, store.sealedOffset)));
    }
  }

  #isInStep(side: Side): boolean {
    const { lastEpoch, logEndOffset } = this.#open(side).store;
    const end = this.#open(this.#leader).store.epochEnd(lastEpoch);
    return end.epoch === lastEpoch && end.endOffset >= logEndOffset;
  }

  async #merge(): Promise<void> {
    const side = this.#pick();
    const replica = this.#open(side);
    const { log, committedOffset } = replica.store;
    const count = log.segments.slice(0, -1).filter(({ end }) => end <= committedOffset).length;
    if (count === 0) return;
    const first = this.#random.chance(0.7) ? 0 : this.#random.below(count);
    const taken = 1 + this.#random.below(count - first);
    // Sometimes wrong, as for one that was long away: then the floor alone is the safety (C5, R16).
    const right = Math.min(...this.#sides.map((each) => this.#open(each).store.durableOffset));
    const limit = this.#random.chance(0.2) ? Number.POSITIVE_INFINITY : right;
    const isFloorPinned = this.#sides.some(({ rebuildEpoch }) => rebuildEpoch > 0);
    this.#steps.push(`merge ${side.name} ${first}+${taken}`);
    const outcome = await replica.merge(first, taken, {
      tombstoneRemoveOffset: () => asOffset(limit),
      isFloorPinned: () => isFloorPinned,
    });
    if (outcome !== null) this.merges += 1;
  }

  /** Ends the epoch that is, and begins the next on `side` if it may lead: a member, with all that is committed. */
  async #elect(side: Side): Promise<void> {
    if (!side.isMember) return;
    this.elections += 1;
    for (const each of this.#sides) each.replica?.store.endEpoch();
    this.#epoch += 1;
    this.#leader = side;
    const { store } = this.#open(side);
    if (store.logEndOffset < this.#highWatermark)
      throw new Error(
        `the new leader's log ends at ${store.logEndOffset}, ${this.#highWatermark} is committed`,
      );
    this.#records.length = Math.min(this.#records.length, this.#highWatermark);
    for (let offset = this.#records.length; offset < store.logEndOffset; offset += 1) {
      const record = this.#written.get(`${store.epochs.epochBelow(asOffset(offset + 1))}:${offset}`);
      if (record === undefined) throw new Error(`offset ${offset} is of an epoch that never wrote it`);
      this.#records.push(record);
    }
    await store.beginEpoch(asLeaderEpoch(this.#epoch));
    this.#steps.push(`elect ${side.name} e${this.#epoch}@${store.logEndOffset}`);
    // A rebuild does not outlive the epoch of its leader.
    const other = this.#follower;
    if (other.rebuildEpoch > 0) await this.#rebuild(other);
  }

  /** One machine stops in the middle of something, or between two things, and comes back. */
  async #crash(): Promise<void> {
    const side = this.#pick();
    this.crashes += 1;
    const policy = this.#random.chance(0.5) ? 'loseAll' : 'random';
    this.#steps.push(`crash ${side.name} ${policy}`);
    if (side === this.#leader && !this.#follower.isMember) return this.#restartAlone(side, policy);
    if (this.#random.chance(0.7)) await this.#stopWithin(side, policy);
    side.machine.nextLife({ policy });
    side.acceptedEpoch = 0;
    if (side.rebuildEpoch > 0) return this.#rebuild(side);
    await this.#reopen(side);
    if (side !== this.#leader) return;
    const other = side === this.#sides[0] ? this.#sides[1] : this.#sides[0];
    const returns = side.isMember && this.#open(side).store.logEndOffset >= this.#highWatermark;
    await this.#elect(returns && this.#random.chance(0.4) ? side : other);
  }

  /** The only member: nothing that it has durably may be lost, and it leads again. */
  async #restartAlone(side: Side, policy: 'loseAll' | 'random'): Promise<void> {
    side.machine.nextLife({ policy });
    side.replica = await side.machine.open();
    await this.#elect(side);
  }

  async #stopWithin(side: Side, policy: 'loseAll' | 'random'): Promise<void> {
    const progress = this.#random.pick(['before', 'partly', 'after'] as const);
    side.machine.disk.failAtOperation(1 + this.#random.below(12), { policy, progress });
    const work = [() => this.#flush(), () => this.#fetch(), () => this.#merge()];
    if (side === this.#leader) this.#append();
    try {
      for (let count = 0; count < 3 && !side.machine.disk.isCrashed; count += 1)
        await this.#random.pick(work)();
    } catch (error) {
      if (!side.machine.disk.isCrashed) throw error;
    }
  }

  async #reopen(side: Side): Promise<void> {
    side.replica = await side.machine.open();
    if (!side.replica.store.isWhole) side.isMember = false;
    this.#steps.push(`${side.name} ends at ${side.replica.store.logEndOffset}`);
  }

  /** The committed state of the side, key by key, is that of the records below its committed offset. */
  async #check(side: Side): Promise<void> {
    const replica = this.#open(side);
    const { committedOffset } = replica.store;
    if (committedOffset > this.#highWatermark) throw new Error(`${side.name} committed ${committedOffset}`);
    // A side that was cut below what it knew to be committed, or is being built, is right again when it has fetched.
    if (side.rebuildEpoch > 0 || !replica.store.isWhole || committedOffset < side.completeFrom) return;
    for (const key of KEYS) {
      const newest = this.#records.slice(0, committedOffset).findLast((record) => record.key === key);
      const expected = newest?.value ?? null;
      const found = await replica.get(key);
      if (found !== expected) {
        throw new Error(
          `${side.name} at ${committedOffset}: ${key} is ${found?.slice(0, 6)}, expected ${expected?.slice(0, 6)}`,
        );
      }
    }
  }

  async #note(step: string, done: Promise<void> | undefined): Promise<void> {
    this.#steps.push(step);
    await done;
  }

  get #follower(): Side {
    return this.#leader === this.#sides[0] ? this.#sides[1] : this.#sides[0];
  }

  #pick(): Side {
    return this.#random.pick(this.#sides);
  }

  #open(side: Side): TestReplica {
    if (side.replica === null) throw new Error(`${side.name} is not open`);
    return side.replica;
  }

  #newSide(name: string, node: number): Side {
    const options = { node, segmentBytesMax: SEGMENT_BYTES, seed: this.#random.below(1_000_000) };
    const machine = new ReplicaMachine(options);
    return {
      name,
      machine,
      replica: null,
      rebuildEpoch: 0,
      isMember: true,
      completeFrom: 0,
      acceptedEpoch: 0,
    };
  }
}
