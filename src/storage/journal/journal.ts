import { relative } from 'node:path';
import type { Clock } from '../../env/clock.ts';
import type { FileHandle, FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import { CaskadeError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { FRAME_HEADER_BYTES, type JournalRecord, newLapId, paddedTo } from './frame.ts';
import { FramesUnderWay } from './frames-under-way.ts';
import { JournaledFile, type JournalSide } from './journaled-file.ts';
import type { LapFile } from './lap-file.ts';

/** The longest frame: so much is written without a trip through the thread pool. */
const FRAME_BYTES_MAX = 64 * 1024;
/** One frame at a time would let those wait that come while it is written, for a sync that is not theirs. */
const FRAMES_MAX = 3;

/** After so many turns in a row with one sync the next one is not kept waiting for company. */
const LONE_TURNS = 16;

/** Where a log could not be synced, a lap that speaks of it is tried to be ended again after this. */
const END_AGAIN_MS = 10_000;

export interface JournalDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface JournalSettings {
  /** Of each of its two files. */
  readonly lapBytes: number;
  /** Where fewer files are to be synced at a time, each is by itself: it would be written twice for nothing. */
  readonly filesMin: number;
}

export const JOURNAL: JournalSettings = { lapBytes: LIMITS.journalLapBytes, filesMin: 2 };

/** What a start has made of the files. */
export interface JournalFiles {
  /** The node's data directory. */
  readonly directory: string;
  /** The next lap goes into the first of them. */
  readonly laps: readonly [LapFile, LapFile];
  readonly nextLap: number;
  /** Of that lap. */
  readonly lapId: string;
  readonly nextSequence: number;
  readonly filesMin: number;
  readonly filesMended: number;
  /** Takes the files away, durably: no start reads them any more. */
  readonly discard: () => Promise<void>;
}

export interface JournalCounts {
  /** Asked for. */
  syncs: number;
  /** Of these, by frames. */
  journaled: number;
  frames: number;
  /** That have come to their end. */
  laps: number;
  /** By the start, with what they may have lacked. */
  readonly filesMended: number;
}

/** What frames speak of, and not all of which the file is known to hold on its own. */
interface LiveFile {
  readonly file: JournaledFile;
  /** Of the newest of these frames. */
  readonly lap: number;
}

interface Waiting {
  readonly file: JournaledFile;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One journal for the logs of a node (ADR 23): where several files are to be synced at the same time, what was written to them
 * goes into one frame of one file, whose sync does for all. What frames of a lap speak of is synced by itself when the next
 * lap begins; after a crash a start writes to the files what they may lack. Whose sync comes alone has its own file synced, as if there were
 * no journal, and so has everybody where it has no room or its disk failed.
 */
export class Journal implements JournalSide {
  readonly #doors: JournalDoors;
  readonly #directory: string;
  readonly #filesMin: number;
  readonly #laps: readonly LapFile[];
  readonly #frames: FramesUnderWay;
  /** By name. All others hold everything on their own. */
  readonly #live = new Map<string, LiveFile>();
  readonly #discard: () => Promise<void>;
  #current: LapFile;
  #nextLapId: string;
  #oldestLap: number;
  #asked: Waiting[] = [];
  #isTurnAwaited = false;
  #askedInTurn = 0;
  /** Turns in a row with one sync. */
  #loneTurns = 0;
  #turnOver: Promise<void> | null = null;
  #endAgainAtMs = Number.NEGATIVE_INFINITY;
  #isClosing = false;
  /** Null: it is in use. Else resolves when it is done without. */
  #end: Promise<void> | null = null;
  /** Why it is not. */
  #failure: unknown = null;
  readonly counts: JournalCounts;

  constructor(doors: JournalDoors, files: JournalFiles) {
    const { directory, laps, nextLap, lapId, nextSequence, filesMin, filesMended, discard } = files;
    this.#doors = doors;
    this.#directory = directory;
    this.#filesMin = filesMin;
    this.#discard = discard;
    this.#laps = laps;
    this.#current = laps[0];
    this.#nextLapId = newLapId(doors.random);
    this.#current.begin(nextLap, lapId);
    laps[1].prepare();
    this.#oldestLap = nextLap;
    this.#frames = new FramesUnderWay(nextSequence, () => this.#goAtTurnEnd());
    this.counts = { syncs: 0, journaled: 0, frames: 0, laps: 0, filesMended };
  }

  /** Begins the first lap, durably. Call it once, before anything else. */
  begin(): Promise<void> {
    return this.#sayOldest(this.#oldestLap);
  }

  /** The file, with syncs that may go through the journal. One of that name at a time. `isNew`: it was just created. */
  async attach(handle: FileHandle, isNew: boolean): Promise<FileHandle> {
    const file = new JournaledFile(handle, relative(this.#directory, handle.path), this);
    if (!this.#live.has(file.name)) return file;
    // One of that name could not be settled when it was closed. If it was removed since then, nobody needs what it lacks.
    if (isNew && this.#end === null) await this.#saySettled(file);
    else await this.#end;
    if (this.#live.has(file.name)) throw unsettled(file.path, this.#failure);
    return file;
  }

  sync(file: JournaledFile): Promise<void> {
    this.counts.syncs += 1;
    if (!this.#isInUse) return file.syncItself();
    return new Promise((resolve, reject) => {
      this.#asked.push({ file, resolve, reject });
      this.#askedInTurn += 1;
      this.#goAtTurnEnd();
      if (this.#loneTurns > LONE_TURNS) this.#go();
    });
  }

  async settle(file: JournaledFile): Promise<void> {
    if (!this.#live.has(file.name)) return;
    await file.syncItself();
    if (this.#end === null) await this.#saySettled(file);
    else await this.#end;
    if (this.#live.has(file.name)) throw unsettled(file.path, this.#failure);
  }

  async #saySettled({ name }: JournaledFile): Promise<void> {
    try {
      await this.#say({ kind: 'settled', path: name });
      this.#live.delete(name);
    } catch (error) {
      this.#giveUp(error);
      await this.#end;
    }
  }

  async leave(file: JournaledFile): Promise<void> {
    try {
      await this.settle(file);
    } catch (error) {
      const fields = { component: 'journal', err: error, path: file.path };
      this.#doors.logger.warn(fields, 'a log is closed that may lack what the journal has');
    }
  }

  /** After all its files. True: they hold everything on their own, and a start finds nothing here. */
  async close(): Promise<boolean> {
    this.#isClosing = true;
    await this.#turnOver;
    const isSilent = await this.#fallSilent();
    await this.#frames.ended();
    for (const lap of this.#laps) await lap.close();
    return isSilent;
  }

  async #fallSilent(): Promise<boolean> {
    if (this.#end !== null) {
      await this.#end;
      return this.#live.size === 0;
    }
    try {
      return await this.#endLapsBelow(this.#current.lap + 1, [...this.#live.keys()]);
    } catch (error) {
      const text = 'the journal is still needed, and is read by the next start';
      this.#doors.logger.warn({ component: 'journal', err: error }, text);
      return false;
    }
  }

  get #isInUse(): boolean {
    return this.#end === null && !this.#isClosing;
  }

  /** Those that ask in one turn go together. */
  #goAtTurnEnd(): void {
    if (this.#isTurnAwaited || this.#asked.length === 0) return;
    this.#isTurnAwaited = true;
    this.#doors.clock.atTurnEnd(() => {
      this.#isTurnAwaited = false;
      this.#loneTurns = this.#askedInTurn > 1 ? 0 : this.#loneTurns + 1;
      this.#askedInTurn = 0;
      this.#go();
    });
  }

  #go(): void {
    if (this.#frames.count >= FRAMES_MAX) return;
    const together: Waiting[] = [];
    let bytes = FRAME_HEADER_BYTES;
    for (const waiting of this.#asked.splice(0)) {
      const { file } = waiting;
      if (file.isNoted && bytes + file.noteBytes <= FRAME_BYTES_MAX) {
        together.push(waiting);
        bytes += file.noteBytes;
      } else syncItself(waiting);
    }
    if (together.length >= this.#filesMin && this.#hasRoom(paddedTo(bytes))) this.#writeTogether(together);
    else for (const waiting of together) syncItself(waiting);
  }

  #writeTogether(together: readonly Waiting[]): void {
    this.counts.frames += 1;
    this.counts.journaled += together.length;
    const { lap } = this.#current;
    for (const { file } of together) this.#live.set(file.name, { file, lap });
    const records = together.flatMap(({ file }) => file.takeNotes());
    this.#frames.write(this.#current, records).then(
      () => {
        for (const { resolve } of together) resolve();
      },
      (error: unknown) => {
        this.#giveUp(error);
        for (const waiting of together) syncItself(waiting);
      },
    );
  }

  #hasRoom(bytes: number): boolean {
    if (!this.#isInUse) return false;
    if (this.#current.isFullFor(bytes)) this.#beginLap();
    return this.#current.hasRoom(bytes);
  }

  /** Not before the lap that is in the other file counts no longer, and what begins this one is on the disk. */
  #beginLap(): void {
    const other = this.#laps.find((lap) => lap !== this.#current) as LapFile;
    if (this.#turnOver !== null) return;
    if (other.lap >= this.#oldestLap) this.#endLapsLater();
    else if (other.isPrepared) this.#beginLapIn(other);
    else other.prepare();
  }

  #beginLapIn(other: LapFile): void {
    const { lap } = this.#current;
    other.begin(lap + 1, this.#nextLapId);
    this.#nextLapId = newLapId(this.#doors.random);
    this.#current = other;
    // Now: frames of the new lap may speak of the same files, and do not tell what is older.
    const names = [...this.#live.keys()];
    // The first word of every lap, so that a start finds it in the newest.
    this.#turn(this.#sayOldest(this.#oldestLap).then(() => this.#endLapsBelow(other.lap, names)));
  }

  /** A log that could not be synced may be gone by now. */
  #endLapsLater(): void {
    if (this.#doors.clock.monotonicMs() < this.#endAgainAtMs) return;
    this.#turn(this.#endLapsBelow(this.#current.lap, [...this.#live.keys()]));
  }

  #turn(ended: Promise<boolean>): void {
    this.#turnOver = ended
      .then((isEnded) => {
        if (isEnded) this.counts.laps += 1;
      })
      .catch((error: unknown) => this.#giveUp(error))
      .finally(() => {
        this.#turnOver = null;
      });
  }

  /**
   * The logs that laps below this one speak of are synced by themselves; then these laps count no longer. False: one of them could
   * not be, and the laps are needed by the next start. That is no failure of the journal.
   */
  async #endLapsBelow(lap: number, names: readonly string[]): Promise<boolean> {
    if (!(await this.#syncAll(names))) {
      this.#endAgainAtMs = this.#doors.clock.monotonicMs() + END_AGAIN_MS;
      return false;
    }
    await this.#sayOldest(lap);
    this.#oldestLap = lap;
    for (const [name, live] of [...this.#live]) if (live.lap < lap) this.#live.delete(name);
    return true;
  }

  /** By their own handles, which are told of every page that was lost since they were opened, whoever had it written. */
  async #syncAll(names: readonly string[]): Promise<boolean> {
    let isDone = true;
    for (const name of names) {
      try {
        await this.#live.get(name)?.file.syncItself();
      } catch (error) {
        // Closed, and settled before that.
        if (!this.#live.has(name)) continue;
        isDone = false;
        const text =
          'a log cannot be synced: the journal keeps what it has of it, and the next start needs that';
        this.#doors.logger.warn({ component: 'journal', err: error }, text);
      }
    }
    return isDone;
  }

  #sayOldest(lap: number): Promise<void> {
    return this.#say({ kind: 'oldestLap', lap, nextLapId: this.#nextLapId });
  }

  #say(record: JournalRecord): Promise<void> {
    return this.#frames.write(this.#current, [record]);
  }

  /** From here on every log is synced by itself. */
  #giveUp(error: unknown): void {
    if (this.#end !== null) return;
    this.#failure = error;
    this.#doors.logger.error(
      { component: 'journal', err: error },
      'the journal is not written to any more: until the next start every log is synced by itself',
    );
    this.#end = this.#endWithout().catch((failure: unknown) => {
      const text = 'what the journal has is not all in the logs: the next start needs it';
      this.#doors.logger.error({ component: 'journal', err: failure }, text);
    });
    for (const waiting of this.#asked.splice(0)) syncItself(waiting);
  }

  /** So that logs may be cut again, which the journal could not be told any more. */
  async #endWithout(): Promise<void> {
    await this.#frames.ended();
    if (!(await this.#syncAll([...this.#live.keys()]))) return;
    await this.#discard();
    this.#live.clear();
  }
}

function syncItself({ file, resolve, reject }: Waiting): void {
  file.syncItself().then(resolve, reject);
}

function unsettled(path: string, cause: unknown): CaskadeError {
  const text = `cannot change ${path}: the journal has what may be missing in it and cannot be told; check the disk, then restart`;
  return new CaskadeError('syncFailed', text, { cause });
}
