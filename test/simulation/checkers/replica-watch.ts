import type { Offset } from '../../../src/model/numbers.ts';
import type { Findings } from './findings.ts';
import { describeRecord, isSameRecord, type LogRecord } from './log-records.ts';
import { PendingTail } from './pending-tail.ts';
import type { NodeProbe, Probe, ReplicaProbe } from './probe.ts';
import { ReferenceLog } from './reference-log.ts';

interface Seen {
  changeCount: number;
  isActing: boolean;
  readonly life: number;
  readonly directoryId: string;
  highWatermark: number;
  commitTarget: number;
  durableOffset: number;
  sealedOffset: number;
  removedFloor: number;
  isLeader: boolean;
  isEpochKnown: boolean;
  leaderEpoch: number;
  /** The highest in this life; an epoch of 0 stands for no role. */
  leaderEpochMax: number;
}

interface Disk {
  readonly replica: ReplicaProbe;
  readonly directoryId: string;
  readonly durableOffset: number;
}

export interface ReplicaWatchOptions {
  readonly minInsync: number;
  readonly nowMs: () => number;
}

/**
 * Looks at every replica after every event. What it holds: I1 for leader epochs, I3, I10 for removed floors, one leader
 * per epoch, never two that would both answer, Leader Completeness, and that what is committed is on enough disks and
 * the same everywhere.
 */
export class ReplicaWatch {
  readonly #probe: Probe;
  readonly #findings: Findings;
  readonly #options: ReplicaWatchOptions;
  readonly #references = new Map<number, ReferenceLog>();
  readonly #seen = new WeakMap<ReplicaProbe, Seen>();
  readonly #tails = new WeakMap<ReplicaProbe, PendingTail>();
  /** By partition and leader epoch: node and life that led it. */
  readonly #leaders = new Map<string, string>();
  /** By partition, then node: what was last seen there. */
  readonly #disks: Disk[][] = [];
  /** By partition: so far a leader has said that everything is committed. */
  readonly #decided: number[] = [];
  /** Of this look: with what was seen before. */
  readonly #changed: [replica: ReplicaProbe, before: Seen | undefined][] = [];
  /** By partition: how many replicas act as its leader. */
  readonly #acting: number[] = [];

  constructor(probe: Probe, findings: Findings, options: ReplicaWatchOptions) {
    this.#probe = probe;
    this.#findings = findings;
    this.#options = options;
  }

  reference(partition: number): ReferenceLog {
    const known = this.#references.get(partition);
    if (known !== undefined) return known;
    const reference = new ReferenceLog(partition, this.#findings);
    this.#references.set(partition, reference);
    return reference;
  }

  look(): void {
    const nodes = this.#probe();
    this.#acting.fill(0);
    for (const { replicas } of nodes) for (const replica of replicas) this.#tally(replica);
    // What is on enough disks is known when all have been counted.
    for (const [replica, before] of this.#changed) this.#lookAt(replica, before);
    this.#changed.length = 0;
    for (let partition = 0; partition < this.#acting.length; partition += 1) {
      if ((this.#acting[partition] ?? 0) > 1) this.#lookForTwo(partition, nodes);
    }
  }

  #tally(replica: ReplicaProbe): void {
    const { partition, changeCount } = replica;
    const before = this.#seen.get(replica);
    const isSame = before !== undefined && before.changeCount === changeCount;
    const isActing = isSame ? before.isActing : replica.isLeader && replica.canAct;
    this.#acting[partition] = (this.#acting[partition] ?? 0) + Number(isActing);
    if (isSame) return;
    if (before !== undefined && isUnchanged(before, replica)) {
      before.changeCount = changeCount;
      before.isActing = isActing;
      return;
    }
    const disks = this.#disks[partition] ?? [];
    this.#disks[partition] = disks;
    // Whose files are closed has what it had.
    const { directoryId, durableOffset } = replica;
    if (directoryId !== '') disks[replica.node] = { replica, directoryId, durableOffset };
    this.#changed.push([replica, before]);
  }

  #lookAt(replica: ReplicaProbe, before: Seen | undefined): void {
    this.#seen.set(replica, seenOf(replica, before?.life === replica.life ? before.leaderEpochMax : 0));
    const name = `node ${replica.node} life ${replica.life} partition ${replica.partition}`;
    this.#marksHold(replica, name);
    if (replica.isLeader)
      this.#decided[replica.partition] = Math.max(this.#decidedOf(replica), replica.commitTarget);
    const isSameLog = before?.life === replica.life && before.directoryId === replica.directoryId;
    // What was not committed of a log that was thrown away says nothing of the one that was built in its place.
    if (!isSameLog) this.#tails.delete(replica);
    this.#tailOf(replica).look(replica, (record) => {
      if (isSameLog) this.#isNotCommitted(replica, record, name);
    });
    if (before === undefined || !isSameLog) {
      this.#leads(replica, name, false);
      this.#committed(replica, replica.highWatermark);
      return;
    }
    this.#neverBack(before, replica, name);
    const isKnown =
      before.isLeader &&
      before.isEpochKnown === replica.isEpochKnown &&
      before.leaderEpoch === replica.leaderEpoch;
    this.#leads(replica, name, isKnown);
    if (replica.highWatermark > before.highWatermark)
      this.#committed(replica, before.highWatermark as Offset);
  }

  /** I3: high watermark <= log end. */
  #marksHold(replica: ReplicaProbe, name: string): void {
    const { highWatermark, durableOffset, logEndOffset } = replica;
    this.#findings.expect(
      highWatermark <= logEndOffset && durableOffset <= logEndOffset,
      'I3',
      () =>
        `${name}: high watermark ${highWatermark}, on disk ${durableOffset}, log end ${logEndOffset} are not in order`,
    );
  }

  /**
   * What is committed is cut off nowhere: a truncation ends where the log agrees with the leader's, which has it all
   * (KIP-101). Only a leader of an earlier epoch than that of the commit may lack it: whoever still follows that one
   * did not count for the commit.
   */
  #isNotCommitted({ partition, leaderEpoch }: ReplicaProbe, record: LogRecord, name: string): void {
    const reference = this.reference(partition);
    const committed = reference.at(record.offset);
    this.#findings.expect(
      committed === undefined ||
        !isSameRecord(committed, record) ||
        leaderEpoch < reference.epochAt(record.offset),
      'committed',
      () => `${name} has cut off ${describeRecord(record)}, which was committed`,
    );
  }

  #neverBack(before: Seen, replica: ReplicaProbe, name: string): void {
    this.#findings.expect(
      replica.highWatermark >= before.highWatermark,
      'I3',
      () => `${name}: the high watermark went back from ${before.highWatermark} to ${replica.highWatermark}`,
    );
    this.#findings.expect(
      replica.leaderEpoch === 0 || replica.leaderEpoch >= before.leaderEpochMax,
      'I1',
      () => `${name}: the leader epoch went back from ${before.leaderEpochMax} to ${replica.leaderEpoch}`,
    );
    this.#findings.expect(
      replica.removedFloor >= before.removedFloor,
      'I10',
      () => `${name}: the removed floor went back from ${before.removedFloor} to ${replica.removedFloor}`,
    );
  }

  /**
   * One leader per epoch, in one life: beside one that may write in it there is no other. And it has everything that
   * was committed before (Leader Completeness). */
  #leads(replica: ReplicaProbe, name: string, isKnown: boolean): void {
    if (!replica.isLeader || isKnown) return;
    const epoch = `${replica.partition}/${replica.leaderEpoch}`;
    const who = `${replica.node}/${replica.life}`;
    const other = this.#leaders.get(epoch) ?? who;
    if (replica.isEpochKnown) this.#leaders.set(epoch, other);
    this.#findings.expect(
      other === who,
      'one leader per epoch',
      () => `${name} leads in epoch ${replica.leaderEpoch}, which ${other} (node/life) has led`,
    );
    const reference = this.reference(replica.partition);
    this.#findings.expect(
      replica.leaderEpoch <= reference.leaderEpoch || replica.logEndOffset >= reference.endOffset,
      'leader completeness',
      () =>
        `${name} leads in epoch ${replica.leaderEpoch} with log end ${replica.logEndOffset}; ${reference.endOffset} was committed in epoch ${reference.leaderEpoch}`,
    );
  }

  #committed(replica: ReplicaProbe, from: Offset): void {
    const reference = this.reference(replica.partition);
    const who = `node ${replica.node} life ${replica.life} epoch ${replica.leaderEpoch}`;
    if (replica.isLeader) {
      if (replica.highWatermark > reference.endOffset) this.#isOnEnoughDisks(replica, who);
      reference.advance(replica.highWatermark, replica.leaderEpoch);
    } else {
      // What a leader was about to commit is committed when its role is over.
      if (replica.highWatermark <= this.#decidedOf(replica))
        reference.advance(replica.highWatermark, reference.leaderEpoch);
      this.#findings.expect(
        replica.highWatermark <= reference.endOffset,
        'I5',
        () =>
          `partition ${replica.partition}: ${who} has high watermark ${replica.highWatermark}; no leader ever committed above ${reference.endOffset}`,
      );
    }
    if (from < replica.highWatermark) this.#compare(replica, from, who);
  }

  #decidedOf({ partition }: ReplicaProbe): number {
    return this.#decided[partition] ?? 0;
  }

  /** I5, seen from outside: a leader may commit only what min.insync disks hold. */
  #isOnEnoughDisks(replica: ReplicaProbe, who: string): void {
    const { partition, highWatermark } = replica;
    const disks = this.#disks[partition] ?? [];
    const count = disks.filter((disk) => onDisk(disk) >= highWatermark).length;
    this.#findings.expect(
      count >= this.#options.minInsync,
      'I5',
      () =>
        `partition ${partition}: ${who} committed up to ${highWatermark}, which is on ${count} disks; ${this.#options.minInsync} are needed`,
    );
  }

  #compare(replica: ReplicaProbe, from: Offset, who: string): void {
    const reference = this.reference(replica.partition);
    const atMs = this.#options.nowMs();
    this.#tailOf(replica).take(replica, from, (record) => reference.confirm(record, who, atMs));
  }

  #tailOf(replica: ReplicaProbe): PendingTail {
    const known = this.#tails.get(replica);
    if (known !== undefined) return known;
    const tail = new PendingTail();
    this.#tails.set(replica, tail);
    return tail;
  }

  /** Never two leaders of one partition that would both answer a read at the same instant (L4). */
  #lookForTwo(partition: number, nodes: readonly NodeProbe[]): void {
    const answering = nodes
      .flatMap(({ replicas }) => replicas)
      .filter((replica) => replica.partition === partition && replica.isLeader && replica.hasLease());
    this.#findings.expect(answering.length < 2, 'two leaders answer', () => {
      const names = answering.map(({ node, leaderEpoch }) => `node ${node} in epoch ${leaderEpoch}`);
      return `partition ${partition}: ${names.join(' and ')} both hold a lease`;
    });
  }
}

/**
 * One whose process has ended still says what its disk held then: the sync that ended in that very event was told to
 * others, and to no look.
 */
const onDisk = ({ replica, directoryId, durableOffset }: Disk): number =>
  replica.directoryId === directoryId ? replica.durableOffset : durableOffset;

function seenOf(replica: ReplicaProbe, epochMaxBefore: number): Seen {
  const { changeCount, isLeader, isEpochKnown, leaderEpoch, removedFloor } = replica;
  const { life, directoryId, highWatermark, commitTarget, durableOffset, sealedOffset } = replica;
  const leaderEpochMax = Math.max(epochMaxBefore, leaderEpoch);
  const marks = { highWatermark, commitTarget, durableOffset, sealedOffset, removedFloor };
  const isActing = isLeader && replica.canAct;
  return {
    changeCount,
    isActing,
    life,
    directoryId,
    ...marks,
    isLeader,
    isEpochKnown,
    leaderEpoch,
    leaderEpochMax,
  };
}

function isUnchanged(before: Seen, replica: ReplicaProbe): boolean {
  return (
    before.life === replica.life &&
    before.directoryId === replica.directoryId &&
    before.highWatermark === replica.highWatermark &&
    before.commitTarget === replica.commitTarget &&
    before.durableOffset === replica.durableOffset &&
    before.sealedOffset === replica.sealedOffset &&
    before.isLeader === replica.isLeader &&
    before.isEpochKnown === replica.isEpochKnown &&
    before.leaderEpoch === replica.leaderEpoch &&
    before.removedFloor === replica.removedFloor
  );
}
