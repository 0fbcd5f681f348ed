import { type BytesRecord, decodeFrame, FRAME_ALIGNMENT_BYTES, type Frame } from './frame.ts';

/** A file of the journal as a start finds it. */
export interface FoundLap {
  readonly path: string;
  readonly bytes: Buffer;
}

/** Bytes that a file is to hold, in the order in which they were written. */
export type FileWrites = ReadonlyMap<string, readonly BytesRecord[]>;

export interface JournalFindings {
  /** By path: what may be missing in the files. */
  readonly writes: FileWrites;
  /** Above every lap and every sequence that was ever seen here. */
  readonly nextLap: number;
  readonly nextSequence: number;
  /** Of the newest lap; null: there is none. */
  readonly end: JournalEnd | null;
  /** Null: all that was acknowledged is there. Else what is not. */
  readonly damage: string | null;
}

export interface JournalEnd {
  readonly path: string;
  readonly lap: number;
  readonly position: number;
}

interface ScannedLap extends JournalEnd {
  /** From the begin of the file, without a gap. */
  readonly frames: readonly Frame[];
}

/**
 * What the files of a journal say. A lap counts up to its first frame that is not whole: what lies behind that was never
 * acknowledged, for frames are so in their order. Unless a later one says that it was (R19).
 */
export function scanJournal(found: readonly FoundLap[]): JournalFindings {
  const everything = found.flatMap(framesAnywhere);
  const laps = found.map(lapFromBegin).filter((lap) => lap !== null);
  laps.sort((left, right) => left.lap - right.lap);
  const oldestLap = oldestThatCounts(laps);
  const counting = laps.filter(({ lap }) => lap >= oldestLap);
  return {
    writes: writesOf(counting),
    nextLap: maxOf(everything.map(({ lap }) => lap)) + 1,
    nextSequence: maxOf(everything.map(({ sequence }) => sequence)) + 1,
    end: laps.at(-1) ?? null,
    damage: damageOf(laps, oldestLap, everything),
  };
}

const maxOf = (numbers: readonly number[]): number => numbers.reduce((max, one) => Math.max(max, one), 0);

function lapFromBegin({ path, bytes }: FoundLap): ScannedLap | null {
  const first = decodeFrame(bytes, 0, path);
  if (first === null) return null;
  const frames = [first];
  let at = first.paddedBytes;
  for (let frame = decodeFrame(bytes, at, path); frame !== null; frame = decodeFrame(bytes, at, path)) {
    // What lies behind a word that a start wrote over something torn is older than the word.
    if (frame.lap !== first.lap || frame.sequence <= (frames.at(-1) as Frame).sequence) break;
    frames.push(frame);
    at += frame.paddedBytes;
  }
  return { path, lap: first.lap, position: at, frames };
}

/** Those behind a gap as well, and those of earlier laps that lie there yet. */
function framesAnywhere({ path, bytes }: FoundLap): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const frame = decodeFrame(bytes, at, path);
    if (frame !== null) frames.push(frame);
    at += frame?.paddedBytes ?? FRAME_ALIGNMENT_BYTES;
  }
  return frames;
}

/** Each lap begins with the word of it, so the newest lap has one. */
function oldestThatCounts(laps: readonly ScannedLap[]): number {
  const records = laps.at(-1)?.frames.flatMap((frame) => frame.records) ?? [];
  return records.findLast((record) => record.kind === 'oldestLap')?.lap ?? 0;
}

function writesOf(laps: readonly ScannedLap[]): FileWrites {
  const writes = new Map<string, BytesRecord[]>();
  for (const record of laps.flatMap(({ frames }) => frames).flatMap(({ records }) => records)) {
    if (record.kind === 'settled') writes.delete(record.path);
    if (record.kind !== 'bytes') continue;
    const ofFile = writes.get(record.path);
    if (ofFile === undefined) writes.set(record.path, [record]);
    else ofFile.push(record);
  }
  return writes;
}

function damageOf(
  laps: readonly ScannedLap[],
  oldestLap: number,
  everything: readonly Frame[],
): string | null {
  const newest = laps.at(-1);
  if (newest === undefined) return everything.length === 0 ? null : 'no lap of it begins any more';
  const counting = laps.filter(({ lap }) => lap >= oldestLap);
  if (oldestLap < newest.lap && counting[0]?.lap !== oldestLap) return `lap ${oldestLap} is not there`;
  for (const [index, { path, frames }] of counting.entries()) {
    const next = counting[index + 1]?.frames[0]?.sequence;
    const { sequence } = frames.at(-1) as Frame;
    if (next !== undefined && next !== sequence + 1) return `${path}: is not whole behind frame ${sequence}`;
  }
  const last = (newest.frames.at(-1) as Frame).sequence;
  const durable = maxOf(everything.map(({ durableSequence }) => durableSequence));
  return durable <= last
    ? null
    : `${newest.path}: ends at frame ${last}, and frame ${durable} was on the disk`;
}
