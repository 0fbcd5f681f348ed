import type {
  Admission,
  CommitListener,
  EntryView,
  KeyView,
  NumberedCommand,
  PartitionStats,
  ScannedKey,
} from '../../src/cluster/index.ts';
import { type LeaderPartition, ReadOutcome, TombstoneReason } from '../../src/cluster/index.ts';
import { CaskadeError, invariant } from '../../src/model/errors.ts';
import {
  asDatabaseId,
  asEpochMillis,
  asLeaderEpoch,
  asOffset,
  asPartitionId,
  type DatabaseId,
  type EpochMillis,
  NO_EXPIRY,
  type Offset,
} from '../../src/model/numbers.ts';

/**
 * `now`: every append is committed at once, nothing ever waits. `turn`: what a turn appended is committed, and its
 * listeners told, in a microtask after it. `manual`: nothing is committed before the test calls `commitTo` or `commitAll`.
 */
export type CommitMode = 'now' | 'turn' | 'manual';

export interface FakeRecord {
  readonly kind: 'put' | 'tombstone' | 'expiry' | 'flush' | 'outcome';
  readonly offset: Offset;
  readonly database: DatabaseId;
  /** Latin-1 text of the key's bytes; empty for a flush. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly expiresAtMs: EpochMillis;
  readonly reason: TombstoneReason;
  /** Number of the atomic group, 0 outside of one. */
  readonly group: number;
}

interface FakeEntry {
  readonly offset: Offset;
  readonly value: Uint8Array;
  readonly expiresAtMs: EpochMillis;
  readonly live: boolean;
}

interface FakeCommand {
  readonly offset: Offset;
  readonly outcome: Uint8Array;
}

interface Waiter {
  readonly offset: Offset;
  readonly resolve: () => void;
}

export interface FakePartitionOptions {
  readonly id?: number;
  readonly leaderEpoch?: number;
  readonly commit?: CommitMode;
  /** The wall clock that decides what is due. */
  readonly wallMs?: () => number;
}

const NOTHING = new Uint8Array(0);
const ABSENT: FakeEntry = { offset: asOffset(-1), value: NOTHING, expiresAtMs: NO_EXPIRY, live: false };

/** One partition in memory, with the commit in the test's hand. It keeps the rules of `LeaderPartition`, not its speed. */
export class FakePartition implements LeaderPartition {
  readonly id;
  readonly leaderEpoch;
  isOver = false;
  highWatermark = asOffset(0);
  suspension: Promise<void> = Promise.resolve();
  refusal = new CaskadeError('tryAgain', 'nothing was refused yet');
  congestion: Promise<void> | null = null;

  /** Everything ever appended and not truncated, in order. */
  readonly records: FakeRecord[] = [];
  /** Set to refuse writes before they are appended. */
  refuseWrites: CaskadeError | null = null;
  /** Set to refuse reads. */
  refuseReads: CaskadeError | null = null;
  /** Keys whose value lies on disk: the next read that wants it is suspended, and loads it. */
  readonly cold = new Set<string>();
  /** What the next calls of `confirmRead` answer, one after the other; then `ready`. `suspended` comes with a promise that is resolved. */
  readonly confirmations: ReadOutcome[] = [];
  /** The arrivals that `confirmRead` was asked for. */
  readonly arrivals: number[] = [];
  readCount = 0;
  mergeCount = 0;

  readonly #commit: CommitMode;
  readonly #wallMs: () => number;
  #committed = new Map<string, FakeEntry>();
  #appended = new Map<string, FakeEntry>();
  readonly #listeners = new Set<CommitListener>();
  #waiters: Waiter[] = [];
  #endOffset = 0;
  #flushOffset = asOffset(-1);
  #group = 0;
  #groupCount = 0;
  /** By producer and sequence; none is ever forgotten. */
  readonly #commands = new Map<string, FakeCommand>();
  #command = '';
  #commitScheduled = false;

  constructor(options: FakePartitionOptions = {}) {
    this.id = asPartitionId(options.id ?? 0);
    this.leaderEpoch = asLeaderEpoch(options.leaderEpoch ?? 1);
    this.#commit = options.commit ?? 'now';
    this.#wallMs = options.wallMs ?? Date.now;
  }

  get logEndOffset(): Offset {
    return asOffset(this.#endOffset);
  }

  get durableOffset(): Offset {
    return this.logEndOffset;
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = 0x811c9dc5 ^ this.id;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    return hash >>> 0;
  }

  readCommitted(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome {
    this.readCount += 1;
    if (this.refuseReads !== null) return this.#refuse(this.refuseReads);
    const name = nameOf(database, key);
    if (this.#isDue(this.#committed.get(name))) {
      const newest = this.#newest(name);
      const offset = this.#isDue(newest) ? this.#bury(database, key) : newest.offset;
      if (offset >= this.highWatermark) return this.#suspend(this.whenResolved(offset));
    }
    return this.#answer(name, this.#committed.get(name) ?? ABSENT, entry, withValue);
  }

  readAppended(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome {
    this.readCount += 1;
    if (this.refuseReads !== null) return this.#refuse(this.refuseReads);
    const name = nameOf(database, key);
    if (this.#isDue(this.#newest(name))) this.#bury(database, key);
    return this.#answer(name, this.#newest(name), entry, withValue);
  }

  confirmRead(arrival: number): ReadOutcome {
    this.arrivals.push(arrival);
    const outcome = this.confirmations.shift() ?? ReadOutcome.ready;
    if (outcome === ReadOutcome.suspended) return this.#suspend(Promise.resolve());
    if (outcome === ReadOutcome.refused) {
      return this.#refuse(new CaskadeError('tryAgain', 'nobody confirmed the lead in time'));
    }
    return outcome;
  }

  writeRefusal(): CaskadeError | null {
    return this.refuseWrites;
  }

  beginGroup(): void {
    invariant(this.#group === 0, 'a group is open already');
    this.#groupCount += 1;
    this.#group = this.#groupCount;
  }

  endGroup(): void {
    invariant(this.#group !== 0, 'no group is open');
    this.#group = 0;
  }

  put(
    database: DatabaseId,
    key: KeyView,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: EpochMillis,
  ): Offset {
    return this.append('put', database, textOf(key), Buffer.from(value.subarray(start, end)), expiresAtMs);
  }

  remove(database: DatabaseId, key: KeyView, reason: TombstoneReason): Offset {
    return this.append('tombstone', database, textOf(key), NOTHING, NO_EXPIRY, reason);
  }

  changeExpiry(database: DatabaseId, key: KeyView, expiresAtMs: EpochMillis): Offset {
    const present = this.#newest(nameOf(database, key));
    invariant(present.live, 'a change of expiry needs an existing key');
    return this.append('expiry', database, textOf(key), present.value, expiresAtMs);
  }

  flushDatabase(database: DatabaseId): Offset {
    return this.append('flush', database, '', NOTHING, NO_EXPIRY);
  }

  admit({ producer, sequence }: NumberedCommand): Admission {
    const known = this.#commands.get(`${JSON.stringify(producer)} ${sequence}`);
    if (known === undefined) return { verdict: 'execute' };
    if (known.offset >= this.highWatermark) return { verdict: 'join', offset: known.offset };
    return { verdict: 'answer', ...known };
  }

  beginCommand({ producer, sequence }: NumberedCommand): void {
    this.beginGroup();
    this.#command = `${JSON.stringify(producer)} ${sequence}`;
  }

  endCommand(outcome: Uint8Array): Offset {
    const offset = this.append('outcome', asDatabaseId(0), '', outcome, NO_EXPIRY);
    this.#commands.set(this.#command, { offset, outcome });
    this.endGroup();
    return offset;
  }

  listen(listener: CommitListener): void {
    if (this.highWatermark < this.#endOffset) this.#listeners.add(listener);
  }

  whenResolved(offset: Offset): Promise<void> {
    if (offset < this.highWatermark || offset >= this.#endOffset) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ offset, resolve }));
  }

  whenFlushed(): Promise<void> {
    return Promise.resolve();
  }

  keyCount(database: DatabaseId): number {
    return this.#committedOf(database).length;
  }

  expiringKeyCount(database: DatabaseId): number {
    return this.#committedOf(database).filter(([, entry]) => entry.expiresAtMs > 0).length;
  }

  scan(database: DatabaseId, position: number, countMax: number, visit: ScannedKey): number {
    const keys = this.#committedOf(database)
      .map(([name]) => Buffer.from(name.slice(name.indexOf(':') + 1), 'latin1'))
      .map((bytes) => ({ bytes, hash: this.hash(bytes, 0, bytes.length) }))
      .filter(({ hash }) => hash >= position)
      .sort((left, right) => left.hash - right.hash);
    let visited = 0;
    for (const { bytes, hash } of keys) {
      const before = keys[visited - 1];
      if (visited >= countMax && before !== undefined && before.hash !== hash) return before.hash + 1;
      visit(bytes, 0, bytes.length);
      visited += 1;
    }
    return 0;
  }

  stats(): PartitionStats {
    return {
      leaderEpoch: this.leaderEpoch,
      logStartOffset: asOffset(0),
      logEndOffset: this.logEndOffset,
      highWatermark: this.highWatermark,
      isr: [1],
      keyCount: 0,
      segmentCount: 1,
      segmentBytes: this.records.reduce((sum, record) => sum + record.key.length + record.value.length, 0),
      deadBytes: 0,
      cacheHits: 3,
      cacheMisses: 1,
      cacheBytes: 0,
      keydirBytes: 0,
      expiredKeys: this.records.filter((record) => record.reason === TombstoneReason.expired).length,
      expiryLagMs: 0,
      answeredRetries: 0,
      merges: this.mergeCount,
      flushes: 0,
      unflushedBytes: 0,
      fencedReason: '',
      reads: {
        byLease: 0,
        byReadIndex: 0,
        byVersionCheck: 0,
        refused: 0,
        leaseRemainingMs: Number.POSITIVE_INFINITY,
      },
    };
  }

  async mergeNow(): Promise<void> {
    this.mergeCount += 1;
  }

  // The test's hand

  /** The high watermark goes to `offset`: everything below it is committed, its listeners and waiters are told. */
  commitTo(offset: number): void {
    invariant(offset <= this.#endOffset, 'cannot commit what was not appended');
    for (const record of this.records) {
      if (record.offset >= this.highWatermark && record.offset < offset) this.#apply(this.#committed, record);
    }
    this.highWatermark = asOffset(Math.max(this.highWatermark, offset));
    const listeners = [...this.#listeners];
    if (this.highWatermark === this.#endOffset) this.#listeners.clear();
    for (const listener of listeners) listener.committed(this);
    this.#wake();
  }

  commitAll(): void {
    this.commitTo(this.#endOffset);
  }

  /** Everything uncommitted is in doubt and truncated; its offsets are used again. */
  fail(error: CaskadeError = new CaskadeError('inDoubt', 'the batch was not committed')): void {
    const first = this.highWatermark;
    const kept = this.records.filter((record) => record.offset < first);
    this.records.splice(0, this.records.length, ...kept);
    this.#endOffset = first;
    for (const [name, { offset }] of this.#commands) if (offset >= first) this.#commands.delete(name);
    this.#appended = new Map(this.#committed);
    this.#flushOffset = this.records.findLast((record) => record.kind === 'flush')?.offset ?? asOffset(-1);
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.inDoubt(this, first, error);
    this.#wake();
  }

  /** Everybody who waits is told that what is not committed is given up; the records stay. */
  giveUpAll(error: CaskadeError): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.inDoubt(this, this.highWatermark, error);
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters = [];
  }

  /** The newest records were never appended; nobody is told. */
  takeBack(count: number): void {
    this.records.length -= count;
    this.#endOffset -= count;
    this.#appended = new Map(this.#committed);
  }

  /** Newest appended value of a key in database 0 as Latin-1 text; undefined if absent. */
  valueOf(key: string): string | undefined {
    const entry = this.#newest(`0:${key}`);
    return entry.live ? Buffer.from(entry.value).toString('latin1') : undefined;
  }

  expiryOf(key: string): number | undefined {
    const entry = this.#newest(`0:${key}`);
    return entry.live ? entry.expiresAtMs : undefined;
  }

  /** Puts a committed key without a command. */
  seed(key: string, value: string, expiresAtMs = 0): void {
    this.append('put', asDatabaseId(0), key, Buffer.from(value, 'latin1'), asEpochMillis(expiresAtMs));
    this.commitAll();
  }

  // Inside

  protected append(
    kind: FakeRecord['kind'],
    database: DatabaseId,
    key: string,
    value: Uint8Array,
    expiresAtMs: EpochMillis,
    reason: TombstoneReason = TombstoneReason.deleted,
  ): Offset {
    const offset = asOffset(this.#endOffset);
    this.#endOffset += 1;
    const record = { kind, offset, database, key, value, expiresAtMs, reason, group: this.#group };
    this.records.push(record);
    this.#apply(this.#appended, record);
    if (this.#commit === 'now') this.commitAll();
    else if (this.#commit === 'turn') this.#scheduleCommit();
    return offset;
  }

  #scheduleCommit(): void {
    if (this.#commitScheduled) return;
    this.#commitScheduled = true;
    queueMicrotask(() => {
      this.#commitScheduled = false;
      this.commitAll();
    });
  }

  #apply(view: Map<string, FakeEntry>, record: FakeRecord): void {
    if (record.kind === 'outcome') return;
    if (record.kind === 'flush') {
      for (const name of [...view.keys()]) if (name.startsWith(`${record.database}:`)) view.delete(name);
      if (view === this.#appended) this.#flushOffset = record.offset;
      return;
    }
    view.set(`${record.database}:${record.key}`, {
      offset: record.offset,
      value: record.value,
      expiresAtMs: record.expiresAtMs,
      live: record.kind !== 'tombstone',
    });
  }

  /** A key without a record of its own after a flush was last changed by the flush. */
  #newest(name: string): FakeEntry {
    return this.#appended.get(name) ?? { ...ABSENT, offset: this.#flushOffset };
  }

  #isDue(entry: FakeEntry | undefined): boolean {
    return entry?.live === true && entry.expiresAtMs > 0 && entry.expiresAtMs <= this.#wallMs();
  }

  #bury(database: DatabaseId, key: KeyView): Offset {
    return this.append('tombstone', database, textOf(key), NOTHING, NO_EXPIRY, TombstoneReason.expired);
  }

  #answer(name: string, found: FakeEntry, entry: EntryView, withValue: boolean): ReadOutcome {
    if (withValue && found.live && this.cold.delete(name.slice(name.indexOf(':') + 1))) {
      return this.#suspend(Promise.resolve());
    }
    entry.found = found.live;
    entry.bytes = found.value;
    entry.start = 0;
    entry.end = found.value.length;
    entry.valueLength = found.value.length;
    entry.expiresAtMs = found.expiresAtMs;
    entry.offset = found.offset;
    entry.uncommittedOffset = found.offset >= this.highWatermark ? found.offset : -1;
    return ReadOutcome.ready;
  }

  #suspend(until: Promise<void>): ReadOutcome {
    this.suspension = until;
    return ReadOutcome.suspended;
  }

  #refuse(error: CaskadeError): ReadOutcome {
    this.refusal = error;
    return ReadOutcome.refused;
  }

  #committedOf(database: DatabaseId): [string, FakeEntry][] {
    return [...this.#committed].filter(([name, entry]) => entry.live && name.startsWith(`${database}:`));
  }

  #wake(): void {
    const resolved = this.#waiters.filter(
      ({ offset }) => offset < this.highWatermark || offset >= this.#endOffset,
    );
    this.#waiters = this.#waiters.filter((waiter) => !resolved.includes(waiter));
    for (const waiter of resolved) waiter.resolve();
  }
}

function textOf(key: KeyView): string {
  return Buffer.from(key.bytes.buffer, key.bytes.byteOffset + key.start, key.end - key.start).toString(
    'latin1',
  );
}

function nameOf(database: DatabaseId, key: KeyView): string {
  return `${database}:${textOf(key)}`;
}
