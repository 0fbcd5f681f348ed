import type { IsrProposal, ProposalResult } from '../../../src/model/control-messages.ts';
import type { CaskadeError } from '../../../src/model/errors.ts';
import { LIMITS } from '../../../src/model/limits.ts';
import {
  asIncarnation,
  asMonotonicMillis,
  asNodeId,
  asOffset,
  asPartitionVersion,
  type LeaderEpoch,
  type NodeId,
  type Offset,
} from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Partition } from '../../../src/replication/leader/partition.ts';
import { PartitionLeader } from '../../../src/replication/leader/partition-leader.ts';
import {
  type CommitListener,
  EntryView,
  type LeaderPartition,
  ReadOutcome,
} from '../../../src/replication/leader-partition.ts';
import type { Fetch, FetchReply, PeerMessage } from '../../../src/replication/messages.ts';
import type { ClusterView, LeaderHost } from '../../../src/replication/node/leader-role.ts';
import type { VersionCheck } from '../../../src/replication/node/ports.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { FlushScheduler } from '../../../src/storage/flush-scheduler.ts';
import type { PartitionStore } from '../../../src/storage/partition-store.ts';
import type { SimulatedClock } from '../../support/simulated-clock.ts';
import {
  DATABASE,
  keyOf,
  LIFE,
  leaderSettings,
  loneState,
  NODE,
  PARTITION_UUID,
  StoreMachine,
  textOf,
} from '../../support/store-fixture.ts';

export const LEASE_MS = 600;
export const LAG_MS = 1500;
export const POLL_MS = 150;
export const TIMEOUT_MS = 4000;

export interface LeaderMachineOptions {
  readonly replicas?: readonly number[];
  readonly isr?: readonly number[];
  readonly elr?: readonly number[];
  readonly minInsync?: number;
  /** L5: how long after the start the leader may act. */
  readonly mayActAfterMs?: number;
  /** Keys of an earlier epoch, on the disk but not known to be committed. */
  readonly inherited?: readonly string[];
  /** R17; else its epoch counts as known from the start. */
  readonly waitsForEpoch?: boolean;
  readonly machine?: StoreMachine;
}

/** What a writer was told of one of its offsets. */
export class Outcomes implements CommitListener {
  readonly #offsets: Offset[] = [];
  readonly #given = new Map<Offset, string>();

  appended(offset: Offset): void {
    this.#offsets.push(offset);
  }

  committed(partition: LeaderPartition): void {
    for (const offset of this.#offsets) if (offset < partition.highWatermark) this.#give(offset, 'done');
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    for (const offset of this.#offsets) if (offset >= firstOffset) this.#give(offset, error.code);
  }

  /** By order of appending; '' for none yet. */
  get all(): string[] {
    return this.#offsets.map((offset) => this.#given.get(offset) ?? '');
  }

  #give(offset: Offset, outcome: string): void {
    if (!this.#given.has(offset)) this.#given.set(offset, outcome);
  }
}

/** One leader's role over a real store, with clock, followers, controller, stamps and coordinator in the test's hand. */
export class LeaderMachine implements LeaderHost {
  readonly clock: SimulatedClock;
  readonly machine: StoreMachine;
  readonly store: PartitionStore;
  readonly role: PartitionLeader;
  readonly sent: { readonly to: NodeId; readonly message: PeerMessage }[] = [];
  readonly proposals: IsrProposal[] = [];
  readonly adopted: PartitionState[] = [];
  readonly troubles: string[] = [];
  /** Log ends that were told to the controller (L9). */
  readonly ends: Offset[] = [];
  readonly versionChecks: { readonly version: number; answer(outcome: VersionAnswer): void }[] = [];
  suspicions = 0;
  stampRequests = 0;
  sequence = 0;
  mayExpireNow = true;
  state: PartitionState;
  actFromMs: number;
  readonly #followers = new Map<number, FakeFollower>();
  readonly #entry = new EntryView();
  #arrival = 0;

  private constructor(machine: StoreMachine, store: PartitionStore, options: LeaderMachineOptions) {
    this.machine = machine;
    this.clock = machine.clock;
    this.store = store;
    this.state = stateFor(store, options);
    this.actFromMs = this.clock.monotonicMs() + (options.mayActAfterMs ?? Number.NEGATIVE_INFINITY);
    const { clock, logger, cache, fileSystem } = machine;
    const maintenance = { enabled: false, deadRatioMin: 0.5, bytesPerSecondMax: 0 };
    this.role = new PartitionLeader({
      settings: {
        ...leaderSettings({ writeTimeoutMs: TIMEOUT_MS }, maintenance),
        lagMsMax: LAG_MS,
        pollMsMax: POLL_MS,
      },
      rules: options.waitsForEpoch ? RULES : { ...RULES, isEpochKnown: () => true },
      store,
      state: this.state,
      view: viewFor(options.minInsync ?? 2),
      incarnation: LIFE,
      host: this,
      versionCheck: this.#versionCheck(),
      fileSystem,
      clock,
      random: machine.random,
      logger,
      cache,
      scheduler: new FlushScheduler(clock, LIMITS.concurrentSyncsMax),
      rounds: null,
    });
    for (const id of this.state.replicas)
      if (id !== NODE) this.#followers.set(id, new FakeFollower(this, id));
    this.role.start();
  }

  static async open(options: LeaderMachineOptions = {}): Promise<LeaderMachine> {
    const machine = options.machine ?? new StoreMachine();
    if (options.inherited !== undefined) await leaveBehind(machine, options.inherited);
    const { store } = await machine.openStore({ inherits: true });
    return new LeaderMachine(machine, store, options);
  }

  get partition(): Partition {
    return this.role.partition;
  }

  follower(id: number): FakeFollower {
    return this.#followers.get(id) as FakeFollower;
  }

  // The writer and the reader

  put(key: string, outcomes?: Outcomes, value = 'v', expiresAtMs = 0): Offset {
    const bytes = Buffer.from(value);
    const view = keyOf(key, this.store);
    const offset = this.partition.put(DATABASE, view, bytes, 0, bytes.length, expiresAtMs as never);
    outcomes?.appended(offset);
    if (outcomes !== undefined) this.partition.listen(outcomes);
    return offset;
  }

  /** The committed value; null: absent; a code: refused; undefined: suspended. */
  peek(key: string): string | null | undefined {
    const outcome = this.partition.readCommitted(DATABASE, keyOf(key, this.store), this.#entry, true);
    if (outcome === ReadOutcome.refused) return this.partition.refusal.code;
    if (outcome === ReadOutcome.suspended) return undefined;
    return this.#entry.found ? textOf(this.#entry) : null;
  }

  newArrival(): number {
    this.#arrival += 1;
    return this.#arrival;
  }

  /** 'ready', 'suspended' or the code of the refusal. */
  confirm(arrival = this.newArrival()): string {
    const outcome = this.partition.confirmRead(arrival);
    if (outcome === ReadOutcome.refused) return this.partition.refusal.code;
    return outcome === ReadOutcome.ready ? 'ready' : 'suspended';
  }

  // Stamps and echoes

  /** These nodes echo the stamp that is sent now, at once. */
  echoAll(...nodes: readonly number[]): void {
    const stamp = this.stamp();
    for (const node of nodes) this.echo(node, stamp);
  }

  stamp(): { readonly sequence: number; readonly sentAtMs: number; readonly sentWallMs: number } {
    this.sequence += 1;
    return { sequence: this.sequence, sentAtMs: this.clock.monotonicMs(), sentWallMs: this.clock.wallMs() };
  }

  echo(node: number, stamp: ReturnType<LeaderMachine['stamp']>): void {
    this.role.echoed({
      node: asNodeId(node),
      incarnation: asIncarnation(node),
      leaseMs: LEASE_MS,
      ...(stamp as { sequence: number; sentAtMs: never; sentWallMs: never }),
    });
  }

  // The controller

  /** Applies the next version, as it would be pushed. */
  apply(change: Partial<PartitionState>, minInsync = 2): void {
    this.state = { ...this.state, ...change, version: asPartitionVersion(this.state.version + 1) };
    this.role.stateApplied(this.state, viewFor(minInsync));
  }

  /** Answers the last proposal, and applies what it asked for if it was granted. */
  answer(result: ProposalResult = 'ok'): void {
    const proposal = this.proposals.at(-1) as IsrProposal;
    const isr = proposal.isr.map(({ node }) => node);
    if (result === 'ok') this.apply({ isr });
    this.role.proposalReply({
      kind: 'isrProposalReply',
      proposalId: proposal.proposalId,
      partition: proposal.partition,
      leaderEpoch: proposal.leaderEpoch,
      controllerEpoch: this.state.controllerEpoch,
      result,
      state: this.state,
    });
  }

  // LeaderHost

  send(to: NodeId, message: PeerMessage): void {
    this.sent.push({ to, message });
    if (message.kind === 'fetchReply') this.#followers.get(to)?.receive(message);
  }

  propose(proposal: IsrProposal): void {
    this.proposals.push(proposal);
  }

  adopt(state: PartitionState): void {
    this.adopted.push(state);
  }

  suspectSelf(): void {
    this.suspicions += 1;
  }

  mayActFromMs(): ReturnType<LeaderHost['mayActFromMs']> {
    return asMonotonicMillis(this.actFromMs);
  }

  nextStampSequence(): number {
    return this.sequence + 1;
  }

  requestStamps(): void {
    this.stampRequests += 1;
  }

  leaseSetChanged(): void {}

  mayExpire(): boolean {
    return this.mayExpireNow;
  }

  trouble(trouble: 'disk' | 'corrupt'): void {
    this.troubles.push(trouble);
  }

  handedOver(_lastEpoch: LeaderEpoch, logEndOffset: Offset): void {
    this.ends.push(logEndOffset);
  }

  #versionCheck(): VersionCheck {
    const confirm: VersionCheck['confirm'] = (states) =>
      new Promise((resolve) => {
        this.versionChecks.push({ version: states[0]?.version ?? -1, answer: resolve });
      });
    return { confirm };
  }
}

export type VersionAnswer = 'confirmed' | 'changed' | 'unknown';

/** A follower that writes nothing: it remembers how far it was sent, and says so when the test wants. */
export class FakeFollower {
  readonly #leader: LeaderMachine;
  readonly #id: number;
  readonly replies: FetchReply[] = [];
  logEnd = 0;
  #durable = 0;
  #fetchId = 0;
  #lastEpoch = 0;
  /** Fetches again at every reply, with everything on its disk. */
  isEager = false;

  constructor(leader: LeaderMachine, id: number) {
    this.#leader = leader;
    this.#id = id;
  }

  get lastOutcome(): FetchReply['outcome'] {
    return (this.replies.at(-1) as FetchReply).outcome;
  }

  /** What it was sent and not yet told to have on disk counts as such now. */
  fetch(change: Partial<Fetch> = {}): void {
    const { role, state } = this.#leader;
    this.#fetchId += 1;
    role.receive({
      kind: 'fetch',
      from: asNodeId(this.#id),
      fromIncarnation: asIncarnation(this.#id),
      partition: state.id,
      uuid: PARTITION_UUID,
      directoryId: directoryIdOf(this.#id),
      fetchId: this.#fetchId,
      leaderEpoch: state.leaderEpoch,
      fetchOffset: asOffset(this.logEnd),
      durableOffset: asOffset(this.#durable),
      lastFetchedEpoch: this.#lastEpoch as never,
      partitionVersion: state.version,
      rebuildId: 0,
      bytesMax: 1024 * 1024,
      ...change,
    });
  }

  /** A fetch that also says: all I was sent is on my disk. */
  sync(): void {
    this.#durable = this.logEnd;
    this.fetch();
  }

  /** It holds the same log as the leader already, up to `end`. */
  holds(end: number): this {
    this.logEnd = end;
    this.#durable = end;
    this.#lastEpoch = end > 0 ? this.#leader.store.lastEpoch : 0;
    return this;
  }

  receive(reply: FetchReply): void {
    this.replies.push(reply);
    if (reply.outcome.result !== 'data') return;
    if (reply.outcome.nextOffset > this.logEnd) this.#lastEpoch = reply.leaderEpoch;
    this.logEnd = reply.outcome.nextOffset;
    if (this.isEager) this.#leader.clock.atTurnEnd(() => this.sync());
  }
}

const directoryIdOf = (id: number): string => `directory-${id}`;

function stateFor(store: PartitionStore, options: LeaderMachineOptions): PartitionState {
  const nodes = (ids: readonly number[]): NodeId[] => ids.map(asNodeId);
  const replicas = options.replicas ?? [1, 2, 3];
  return {
    ...loneState(store, store.latestEpoch),
    replicas: nodes(replicas),
    isr: nodes(options.isr ?? replicas),
    elr: nodes(options.elr ?? []),
    incarnations: Object.fromEntries(replicas.map((id) => [id, asIncarnation(id)])),
    directoryIds: Object.fromEntries(
      replicas.map((id) => [id, id === NODE ? store.directoryId : directoryIdOf(id)]),
    ),
  };
}

export function viewFor(minInsync: number): ClusterView {
  const facts = {
    clusterId: 'test',
    version: 1,
    replicationFactor: 3,
    minInsync,
    flushMode: 'always',
    leaseMsMax: LEASE_MS,
    slots: [],
  } as const;
  return { facts, live: new Map([1, 2, 3].map((id) => [asNodeId(id), asIncarnation(id)])) };
}

/** An earlier leader's appends: on the disk, sealed, and nobody wrote down that they were committed. */
async function leaveBehind(machine: StoreMachine, keys: readonly string[]): Promise<void> {
  const { store } = await machine.openStore({ inherits: true });
  for (const key of keys) {
    const value = Buffer.from(`old ${key}`);
    store.put(DATABASE, keyOf(key, store), value, 0, value.length, 0);
  }
  while (store.hasUnflushed) await store.flushOne();
  await store.close();
}
