import { asOffset } from '../../../src/model/numbers.ts';
import type { Findings } from './findings.ts';
import { decodeBatches, describeRecord, type LogRecord } from './log-records.ts';
import type { ReplicaProbe } from './probe.ts';
import { applyRecord, type ReferenceLog } from './reference-log.ts';

const SLICE_BYTES = 1024 * 1024;
/** A read that a merge or a cut overtook says nothing, and is asked again. */
const OVERTAKEN_MAX = 5;

/**
 * Reads the whole committed part of a replica's log and compares it with what was committed: every record that is there
 * is the same, every one that is missing may be missing (C4, C5), and the keys it leaves alive are those that are alive
 * (C14; no deleted key comes back), as far as nothing was committed meanwhile. Only what is below `end` is looked at;
 * default: its high watermark. The reading happens in the replica's own life and time; what ends before it does says
 * nothing.
 */
export async function compareReplica(
  replica: ReplicaProbe,
  reference: ReferenceLog,
  findings: Findings,
  nowMs: () => number,
  end = replica.highWatermark,
): Promise<void> {
  const { directoryId } = replica;
  const who = `partition ${replica.partition}: node ${replica.node} life ${replica.life} at high watermark ${end}`;
  const records = await recordsAtOnce(replica, end);
  if (records === null || replica.directoryId !== directoryId) return;
  for (const record of records) reference.confirm(record, who, nowMs());
  const present = new Set(records.map(({ offset }) => Number(offset)));
  // A merge went by what was committed when it ran; and what is fetched from a merged log lacks what is superseded
  // there, though what did so comes later.
  const { highWatermark, removedFloor } = replica;
  const evidenceEnd = Math.max(highWatermark, reference.endOffset);
  const mayBeMissing = (offset: number): boolean => reference.mayBeMissing(offset, evidenceEnd, removedFloor);
  for (const offset of reference.offsetsBelow(end)) {
    if (present.has(offset) || mayBeMissing(offset)) continue;
    const lost = describeRecord(reference.at(offset) as LogRecord);
    findings.add('committed', `${who} has lost ${lost}`);
  }
  if (highWatermark !== end) return;
  compareStates({ who, found: stateOf(records), expected: reference.stateAt(end), mayBeMissing }, findings);
}

/** The committed states of one partition's replicas, as their indexes have them, at one offset: all the same (C14). */
export async function compareDigests(replicas: readonly ReplicaProbe[], findings: Findings): Promise<void> {
  const digests = await Promise.all(
    replicas.map(async (replica) => ({ replica, digest: await replica.digest() })),
  );
  const first = new Map<number, (typeof digests)[number]>();
  for (const entry of digests) {
    const { replica, digest } = entry;
    if (digest === null) continue;
    const other = first.get(digest.offset) ?? entry;
    first.set(digest.offset, other);
    findings.expect(
      other.digest?.digest === digest.digest && other.digest.keys === digest.keys,
      'replicas equal',
      () =>
        `partition ${replica.partition}: at ${digest.offset} node ${replica.node} has ${digest.keys} keys and digest ${digest.digest}, node ${other.replica.node} ${other.digest?.keys} and ${other.digest?.digest}`,
    );
  }
}

interface States {
  readonly who: string;
  readonly found: ReadonlyMap<string, LogRecord>;
  readonly expected: ReadonlyMap<string, LogRecord>;
  readonly mayBeMissing: (offset: number) => boolean;
}

function compareStates({ who, found, expected, mayBeMissing }: States, findings: Findings): void {
  for (const [name, record] of expected) {
    const other = found.get(name);
    const isSame =
      other !== undefined && other.value === record.value && other.expiresAtMs === record.expiresAtMs;
    findings.expect(
      isSame || mayBeMissing(record.offset),
      'replicas equal',
      () =>
        `${who}: ${describeRecord(record)} is ${other === undefined ? 'not there' : describeRecord(other)}`,
    );
  }
  for (const [name, record] of found) {
    findings.expect(
      expected.has(name),
      'replicas equal',
      () => `${who}: ${describeRecord(record)} has come back`,
    );
  }
}

function stateOf(records: readonly LogRecord[]): ReadonlyMap<string, LogRecord> {
  const state = new Map<string, LogRecord>();
  for (const record of records) applyRecord(state, record);
  return state;
}

/**
 * Read without a merge in between, which may take a tombstone away that kills what was read before it. Null: merges
 * come one after the other.
 */
async function recordsAtOnce(replica: ReplicaProbe, end: number): Promise<readonly LogRecord[] | null> {
  for (let count = 0; count < OVERTAKEN_MAX; count += 1) {
    const before = [...replica.segments];
    const records = await committedRecords(replica, end);
    const { segments } = replica;
    if (before.every((segment) => segments.includes(segment))) return records;
  }
  return null;
}

/** What is there from `from` on and below `end`. */
export async function committedRecords(
  replica: ReplicaProbe,
  end: number,
  from = replica.logStartOffset,
): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  let overtaken = 0;
  for (let offset = from; offset < end && overtaken < OVERTAKEN_MAX; ) {
    const slice = await replica.readLog(offset, SLICE_BYTES);
    for (const record of decodeBatches(slice.bytes)) if (record.offset < end) records.push(record);
    overtaken = slice.nextOffset <= offset ? overtaken + 1 : 0;
    offset = asOffset(Math.max(offset, slice.nextOffset));
  }
  return records;
}
