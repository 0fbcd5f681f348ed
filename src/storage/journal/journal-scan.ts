import {
  type BytesRecord,
  checkVersion,
  decodeFrame,
  FRAME_ALIGNMENT_BYTES,
  type Frame,
  type OldestLapRecord,
} from './frame.ts';

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
  readonly lapId: string;
  readonly position: number;
}

interface ScannedLap extends JournalEnd {
  /** From the begin of the file, without a gap. */
  readonly frames: readonly Frame[];
  /** Of the same lap, but not whole up to there. */
  readonly behind: readonly Frame[];
}

/**
 * What the files of a journal say. They count up to the first frame that is not whole: what lies behind that was never
 * acknowledged, for frames are so in their order. Unless a later one says that it was on the disk (R19).
 */
export function scanJournal(found: readonly FoundLap[]): JournalFindings {
  const laps = found.map(lapFromBegin).filter((lap) => lap !== null);
  laps.sort((left, right) => left.lap - right.lap);
  const newest = laps.at(-1);
  const word = newest === undefined ? undefined : lastWordOf(newest);
  const oldestLap = word?.lap ?? 0;
  const begun = found.flatMap(({ bytes }) => framesOf(bytes, 0, word?.nextLapId));
  const frames = [...laps.flatMap((lap) => [...lap.frames, ...lap.behind]), ...begun];
  const counting = withoutGap(laps.filter(({ lap }) => lap >= oldestLap));
  return {
    writes: writesOf(counting),
    nextLap: (newest?.lap ?? 0) + 1,
    nextSequence: maxOf(frames.map(({ sequence }) => sequence)) + 1,
    end: newest ?? null,
    damage: newest === undefined ? damageWithoutLap(found) : damageOf(newest, counting, oldestLap, frames),
  };
}

const maxOf = (numbers: readonly number[]): number => numbers.reduce((max, one) => Math.max(max, one), 0);
const lastOf = ({ frames }: ScannedLap): number => (frames.at(-1) as Frame).sequence;

function lapFromBegin({ path, bytes }: FoundLap): ScannedLap | null {
  checkVersion(bytes, path);
  const first = decodeFrame(bytes, 0);
  if (first === null) return null;
  const { lap, lapId } = first;
  const frames = [first];
  let position = first.paddedBytes;
  for (let frame = decodeFrame(bytes, position); ; frame = decodeFrame(bytes, position)) {
    if (frame?.lapId !== lapId) break;
    // What lies behind a word that a start wrote over something torn is older than the word.
    if (frame.sequence <= (frames.at(-1) as Frame).sequence) break;
    frames.push(frame);
    position += frame.paddedBytes;
  }
  const behind = framesOf(bytes, position, lapId);
  return { path, lap, lapId, position, frames, behind };
}

/** Those of this lap, behind a gap as well. */
const framesOf = (bytes: Buffer, position: number, lapId: string | undefined): Frame[] =>
  whateverIsFrame(bytes, position).filter((frame) => frame.lapId === lapId);

/** What looks like one: it may be what a client wrote. */
function whateverIsFrame(bytes: Buffer, position: number): Frame[] {
  const frames: Frame[] = [];
  for (let at = position; at < bytes.length; at += FRAME_ALIGNMENT_BYTES) {
    const frame = decodeFrame(bytes, at);
    if (frame !== null) frames.push(frame);
  }
  return frames;
}

/** Frames of the next lap may be on the disk before the last ones of the lap before: these two are two files. */
function withoutGap(laps: readonly ScannedLap[]): readonly ScannedLap[] {
  const gap = laps.findIndex((lap, index) => {
    const before = laps[index - 1];
    return before !== undefined && lap.frames[0]?.sequence !== lastOf(before) + 1;
  });
  return gap < 0 ? laps : laps.slice(0, gap);
}

/** Each lap begins with one. */
function lastWordOf({ frames }: ScannedLap): OldestLapRecord | undefined {
  const records = frames.flatMap((frame) => frame.records);
  return records.findLast((record) => record.kind === 'oldestLap');
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

function damageWithoutLap(found: readonly FoundLap[]): string | null {
  return found.some(({ bytes }) => whateverIsFrame(bytes, 0).length > 0)
    ? 'no lap of it begins any more'
    : null;
}

function damageOf(
  newest: ScannedLap,
  counting: readonly ScannedLap[],
  oldestLap: number,
  frames: readonly Frame[],
): string | null {
  // No lap begins before the begin of the one before is on the disk.
  if (oldestLap <= newest.lap && counting[0]?.lap !== oldestLap) return `lap ${oldestLap} is not there`;
  const last = counting.at(-1) ?? newest;
  const durable = maxOf(frames.map(({ durableSequence }) => durableSequence));
  if (durable <= lastOf(last)) return null;
  return `${last.path}: ends at frame ${lastOf(last)}, and frame ${durable} was on the disk`;
}
