import type { CaskadeError } from '../../src/model/errors.ts';
import { asDatabaseId, asEpochMillis, asOffset, type Offset } from '../../src/model/numbers.ts';
import type { Partition } from '../../src/replication/leader/partition.ts';
import {
  type CommitListener,
  EntryView,
  KeyView,
  type LeaderPartition,
  ReadOutcome,
  TombstoneReason,
} from '../../src/replication/leader-partition.ts';
import type { StoreNode } from '../../src/server/store-node.ts';
import type { NodeMachine } from './node-machine.ts';
import type { ModelEntry, ModelRecord, ModelState, StoreModel } from './store-model.ts';

const DATABASE = asDatabaseId(0);
const READS_MAX = 50;

/** The store and its model disagree: what a test of this kind exists to find. */
export class ModelViolation extends Error {
  override readonly name = 'ModelViolation';
}

export function viewOf(key: string, partition: Pick<LeaderPartition, 'hash'>): KeyView {
  const view = new KeyView();
  view.bytes = Buffer.from(key, 'latin1');
  view.end = view.bytes.length;
  view.hash = partition.hash(view.bytes, 0, view.end);
  return view;
}

export function textOf(entry: EntryView): string {
  return Buffer.from(entry.bytes.subarray(entry.start, entry.end)).toString('latin1');
}

/** The model of a machine, and what its present life is doing: every append goes to both. */
export class ModelledStore implements CommitListener {
  readonly machine: NodeMachine;
  readonly model: StoreModel;
  readonly node: StoreNode;
  readonly partition: Partition;
  /** What was given up, first to last. */
  readonly failures: { readonly firstOffset: Offset; readonly error: CaskadeError }[] = [];
  readonly #entry = new EntryView();

  constructor(machine: NodeMachine, model: StoreModel, node: StoreNode) {
    this.machine = machine;
    this.model = model;
    this.node = node;
    this.partition = node.partitions[0] as Partition;
    this.noteTime();
  }

  /** Starts the node until a start goes through, and compares what it finds with the model. */
  static async recover(
    machine: NodeMachine,
    model: StoreModel,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<ModelledStore> {
    for (;;) {
      const node = await machine.tryOpen(settings);
      if (node === null) {
        machine.nextLife();
        continue;
      }
      const store = new ModelledStore(machine, model, node);
      store.checkLogEnd();
      return store;
    }
  }

  noteTime(): void {
    this.model.wallMsMax = Math.max(this.model.wallMsMax, this.machine.clock.wallMs());
  }

  committed(partition: LeaderPartition): void {
    // A machine that is gone tells nobody anything.
    if (!this.machine.disk.isCrashed) {
      this.model.acknowledged = Math.max(this.model.acknowledged, partition.highWatermark);
    }
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    if (!this.machine.disk.isCrashed) this.failures.push({ firstOffset, error });
  }

  // Appends

  put(key: string, value: string, expiresAtMs = 0): void {
    this.#append({ kind: 'put', key, value, expiresAtMs });
  }

  remove(key: string): void {
    this.#append({ kind: 'remove', key });
  }

  flushDatabase(): void {
    this.#append({ kind: 'flush' });
  }

  /** As EXPIRE and PERSIST do: only if the newest appended state has the key. False: it has not, or is not in memory. */
  expire(key: string, expiresAtMs: number): boolean {
    const { partition } = this;
    if (partition.writeRefusal() !== null) return false;
    if (partition.readAppended(DATABASE, viewOf(key, partition), this.#entry, false) !== ReadOutcome.ready) {
      return false;
    }
    if (!this.#entry.found) return false;
    this.#append({ kind: 'expire', key, expiresAtMs });
    return true;
  }

  /** All records in one atomic group. */
  group(records: readonly ModelRecord[]): void {
    const { partition } = this;
    if (partition.writeRefusal() !== null || records.length === 0) return;
    partition.beginGroup();
    const offsets = records.map((record) => this.#place(record));
    partition.endGroup();
    partition.listen(this);
    const groupEnd = (offsets.at(-1) as Offset) + 1;
    for (const [index, record] of records.entries()) {
      this.model.append(offsets[index] as Offset, record, groupEnd);
    }
  }

  #append(record: ModelRecord): void {
    if (this.partition.writeRefusal() !== null) return;
    const offset = this.#place(record);
    this.partition.listen(this);
    this.model.append(offset, record);
  }

  #place(record: ModelRecord): Offset {
    const { partition } = this;
    if (record.kind === 'flush') return partition.flushDatabase(DATABASE);
    const key = viewOf(record.key, partition);
    if (record.kind === 'remove') return partition.remove(DATABASE, key, TombstoneReason.deleted);
    const expiresAtMs = asEpochMillis(record.expiresAtMs);
    if (record.kind === 'expire') return partition.changeExpiry(DATABASE, key, expiresAtMs);
    const value = Buffer.from(record.value, 'latin1');
    return partition.put(DATABASE, key, value, 0, value.length, expiresAtMs);
  }

  // Checks

  /** After a start: everything acknowledged is in the log, nothing that was never appended, no half group. */
  checkLogEnd(): void {
    const logEnd = this.partition.stats().logEndOffset;
    const { acknowledged } = this.model;
    if (logEnd < acknowledged && !this.model.isWeak) {
      throw new ModelViolation(
        `the log ends at ${logEnd}, but ${acknowledged} was acknowledged: writes are lost`,
      );
    }
    const cut = this.model.groupCutBy(logEnd);
    if (cut !== undefined) throw new ModelViolation(cut);
    this.model.restart(logEnd);
  }

  /** Compares every key, read one by one, then the scan and the counts. The store may go on writing meanwhile. */
  async check(keys: readonly string[]): Promise<void> {
    this.noteTime();
    for (const key of keys) if (!(await this.#checkKey(key))) return;
    this.checkScan();
  }

  /** Reads as GET does. False: the machine crashed, or the disk is slow and the answer would need the clock to move. */
  async #checkKey(key: string): Promise<boolean> {
    const { partition } = this;
    const view = viewOf(key, partition);
    const wallMs = this.machine.clock.wallMs();
    for (let reads = 0; reads < READS_MAX; reads += 1) {
      const outcome = partition.readCommitted(DATABASE, view, this.#entry, true);
      if (this.machine.disk.isCrashed) return false;
      if (outcome === ReadOutcome.refused)
        throw new ModelViolation(`GET ${key}: ${partition.refusal.message}`);
      if (outcome === ReadOutcome.ready) {
        this.#compare(key, this.model.stateAt(partition.highWatermark).get(key), this.#entry, wallMs);
        return true;
      }
      if (!(await this.#resolved(partition.suspension))) return false;
    }
    throw new ModelViolation(`GET ${key}: suspended ${READS_MAX} times`);
  }

  /** Runs turns until the suspension is over; false when nothing happens any more without it. */
  async #resolved(suspension: Promise<void>): Promise<boolean> {
    let resolved = false;
    void suspension.then(() => {
      resolved = true;
    });
    for (let turn = 0; turn < 20 && !resolved; turn += 1) await this.machine.clock.runTurn();
    return resolved && !this.machine.disk.isCrashed;
  }

  #compare(key: string, expected: ModelEntry | undefined, found: EntryView, wallMs: number): void {
    const { model, partition } = this;
    const about = `GET ${key} at high watermark ${partition.highWatermark}`;
    if (!found.found) {
      if (expected === undefined) return;
      if (!model.isDue(expected)) throw new ModelViolation(`${about}: nil, expected ${show(expected)}`);
      model.noteExpired(key, partition.highWatermark);
      return;
    }
    const value = { value: textOf(found), expiresAtMs: found.expiresAtMs };
    if (
      expected === undefined ||
      value.value !== expected.value ||
      value.expiresAtMs !== expected.expiresAtMs
    ) {
      throw new ModelViolation(`${about}: ${show(value)}, expected ${show(expected)}`);
    }
    if (value.expiresAtMs > 0 && value.expiresAtMs <= wallMs) {
      throw new ModelViolation(`${about}: a due key is shown: ${show(value)} at ${wallMs}`);
    }
  }

  /** SCAN visits each committed key once; DBSIZE counts them; the keydir holds nothing above the high watermark (I9). */
  checkScan(): void {
    const { partition, model } = this;
    const expected = model.stateAt(partition.highWatermark);
    const visited: string[] = [];
    let position = 0;
    do {
      position = partition.scan(DATABASE, position, 3, (bytes, start, end) =>
        visited.push(Buffer.from(bytes.subarray(start, end)).toString('latin1')),
      );
    } while (position !== 0);
    const seen = new Set(visited);
    if (seen.size !== visited.length)
      throw new ModelViolation(`SCAN visits a key twice: ${visited.join(' ')}`);
    for (const key of seen)
      if (!expected.has(key)) throw new ModelViolation(`SCAN shows ${key}, which is not there`);
    for (const [key, entry] of expected) {
      if (!seen.has(key) && !model.isDue(entry)) throw new ModelViolation(`SCAN misses ${key}`);
    }
    if (partition.keyCount(DATABASE) !== seen.size) {
      throw new ModelViolation(`DBSIZE says ${partition.keyCount(DATABASE)}, SCAN visits ${seen.size}`);
    }
    this.#checkExpiring(expected, seen);
  }

  #checkExpiring(expected: ModelState, seen: ReadonlySet<string>): void {
    const count = [...expected].filter(([key, entry]) => seen.has(key) && entry.expiresAtMs > 0).length;
    const found = this.partition.expiringKeyCount(DATABASE);
    if (found !== count) throw new ModelViolation(`${found} keys have an expiry, expected ${count}`);
  }

  /** Lets everything that was begun come to its end, time standing still. */
  async settle(): Promise<void> {
    await this.machine.clock.settle();
    this.committed(this.partition);
  }

  /** Lets what was appended be flushed and answered; whatever else was begun goes on. */
  async answered(): Promise<void> {
    const { clock, disk } = this.machine;
    for (let turn = 0; turn < 20 && this.partition.stats().unflushedBytes > 0 && !disk.isCrashed; turn += 1) {
      await clock.runTurn();
    }
    await clock.runTurn();
    this.committed(this.partition);
  }

  get end(): Offset {
    return asOffset(this.partition.stats().logEndOffset);
  }
}

function show(entry: ModelEntry | undefined): string {
  if (entry === undefined) return 'nil';
  const { value, expiresAtMs } = entry;
  const text = value.length > 24 ? `${value.slice(0, 24)}...(${value.length} bytes)` : value;
  return `"${text}"${expiresAtMs > 0 ? ` due at ${expiresAtMs}` : ''}`;
}
