import type { NodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Replica } from '../../../src/replication/node/replica.ts';
import type { Journal } from '../../../src/storage/journal/journal.ts';
import type { Coverage } from '../checkers/coverage.ts';
import type { World } from '../world/world.ts';
import { faultAt } from './report.ts';

interface SeenReplica {
  directoryId: string;
  epoch: number;
  waited: boolean;
  deferred: boolean;
  paths: readonly number[];
  expired: number;
  merges: number;
  answered: number;
}

/** Looks out for what a suite must have met. Counters of a leader are read while it leads: they end with its epoch. */
export class CoverageWatch {
  readonly #world: World;
  readonly #coverage: Coverage;
  readonly #replicas = new WeakMap<Replica, SeenReplica>();
  readonly #journals = new WeakMap<Journal, { journaled: number; laps: number }>();
  readonly #states = new Map<number, PartitionState>();
  readonly #lives = new Map<NodeId, number>();
  #faultCount = 0;

  constructor(world: World, coverage: Coverage) {
    this.#world = world;
    this.#coverage = coverage;
  }

  /** After every event: what lasts a moment only. */
  look(): void {
    for (const { id, live } of this.#world.nodes) {
      if (live === null) continue;
      for (const replica of live.cluster.replicas.partitions) this.#lookAt(replica);
      if (this.#lives.get(id) !== live.life) this.#began(id, live.life, live.cluster.replicas.partitions);
    }
    for (const partition of this.#world.partitions) this.#lookAtState(this.#world.partitionState(partition));
    this.#countFaults();
  }

  /** Now and then: counters. */
  lookAtCounters(): void {
    for (const { live } of this.#world.nodes) {
      for (const replica of live?.cluster.replicas.partitions ?? []) this.#countOf(replica);
      const journal = live?.cluster.replicas.journal;
      if (journal !== undefined && journal !== null) this.#countOfJournal(journal);
    }
  }

  #countOfJournal(journal: Journal): void {
    const { journaled, laps, filesMended } = journal.counts;
    const seen = this.#journals.get(journal);
    this.#journals.set(journal, { journaled, laps });
    this.#coverage.hit('sync by the journal', journaled - (seen?.journaled ?? 0));
    this.#coverage.hit('lap of the journal', laps - (seen?.laps ?? 0));
    if (seen === undefined) this.#coverage.hit('log mended by the journal', filesMended);
  }

  #lookAt(replica: Replica): void {
    const { leader, store } = replica;
    if (store === null) return;
    const seen = this.#seen(replica, store.directoryId);
    if (seen.directoryId !== store.directoryId) {
      seen.directoryId = store.directoryId;
      this.#coverage.hit('resync');
    }
    if (leader === null) return;
    if (leader.leaderEpoch !== seen.epoch) {
      Object.assign(seen, { epoch: leader.leaderEpoch, waited: false, deferred: false, paths: [0, 0, 0] });
      Object.assign(seen, { expired: 0, merges: 0, answered: 0 });
    }
    if (leader.canAct) return;
    if (!seen.waited) this.#coverage.hit('promise wait');
    seen.waited = true;
    if (seen.deferred || store.logEndOffset <= leader.highWatermark) return;
    seen.deferred = true;
    this.#coverage.hit('deferred commit');
  }

  #seen(replica: Replica, directoryId: string): SeenReplica {
    const known = this.#replicas.get(replica);
    if (known !== undefined) return known;
    const counters = { paths: [0, 0, 0], expired: 0, merges: 0, answered: 0 };
    const seen = { directoryId, epoch: -1, waited: false, deferred: false, ...counters };
    this.#replicas.set(replica, seen);
    return seen;
  }

  #countOf(replica: Replica): void {
    const seen = this.#replicas.get(replica);
    const { leader } = replica;
    if (leader === null || seen === undefined || seen.epoch !== leader.leaderEpoch) return;
    const { reads, expiredKeys, merges, answeredRetries } = leader.partition.stats();
    const paths = [reads.byLease, reads.byReadIndex, reads.byVersionCheck];
    const names = ['read by lease', 'read by read-index', 'read by version check'];
    for (const [at, name] of names.entries()) {
      this.#coverage.hit(name, (paths[at] ?? 0) - (seen.paths[at] ?? 0));
    }
    this.#coverage.hit('expired key', expiredKeys - seen.expired);
    this.#coverage.hit('merge', merges - seen.merges);
    this.#coverage.hit('retry answered from the table', answeredRetries - seen.answered);
    Object.assign(seen, { paths, expired: expiredKeys, merges, answered: answeredRetries });
  }

  #began(node: NodeId, life: number, replicas: readonly Replica[]): void {
    const isRestart = this.#lives.has(node);
    this.#lives.set(node, life);
    if (!isRestart) return;
    for (const replica of replicas) {
      const isWhole = replica.report().verdict === 'whole';
      this.#coverage.hit(isWhole ? 'restart proved whole' : 'restart lossy');
    }
  }

  #lookAtState(state: PartitionState | null): void {
    if (state === null) return;
    const before = this.#states.get(state.id);
    if (before === state) return;
    this.#states.set(state.id, state);
    if (before === undefined || state.leader === null || state.leaderEpoch === before.leaderEpoch) return;
    if (before.elr.includes(state.leader)) this.#coverage.hit('election from the ELR');
  }

  #countFaults(): void {
    const { faults } = this.#world;
    for (; this.#faultCount < faults.length; this.#faultCount += 1) {
      const fault = faults[this.#faultCount];
      for (const role of fault?.roles ?? []) this.#coverage.hit(faultAt(fault?.kind ?? '', role));
    }
  }
}
