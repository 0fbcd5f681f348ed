import { Alarm } from '../../env/alarm.ts';
import type { Clock } from '../../env/clock.ts';
import type {
  ControllerEpoch,
  Incarnation,
  MonotonicMillis,
  NodeId,
  Offset,
  PartitionVersion,
} from '../../model/numbers.ts';
import type { LogSlice, ReplicaLog } from '../../storage/replica-log.ts';
import type { Fetch, FetchOutcome } from '../messages.ts';
import type { PollEnds } from './poll-ends.ts';

/** What a data reply says besides the data, all of one moment. */
export interface FetchFacts {
  readonly highWatermark: Offset;
  readonly isCurrent: boolean;
  readonly tombstoneRemoveOffset: Offset;
  readonly partitionVersion: PartitionVersion;
  readonly controllerEpoch: ControllerEpoch;
}

export interface FetchServerHost {
  readonly log: Pick<ReplicaLog, 'sealedOffset' | 'logStartOffset' | 'removedFloor' | 'readLog'>;
  facts(): FetchFacts;
  /** What reconciliation says of a fetch that it accepted before, over the log as it is now; null: accepted still. */
  refusalOf(fetch: Fetch): Exclude<FetchOutcome, { result: 'data' }> | null;
  reply(fetch: Fetch, outcome: FetchOutcome): void;
  /** Batches that a follower asked for cannot be read. The follower gets no answer, and asks again. */
  unreadable(error: unknown): void;
}

interface ToldHighWatermark {
  readonly incarnation: Incarnation;
  readonly highWatermark: Offset;
}

interface ParkedFetch {
  readonly fetch: Fetch;
  readonly endAtMs: number;
  /** From then on it is answered without data; Infinity: the replica knows the newest high watermark. */
  tellAtMs: number;
}

/**
 * A high watermark that a replica has not heard of for so long is told without data: most often the next batch takes it
 * along, and a reply of its own costs a round trip more.
 */
const TELL_MS = 20;

/**
 * Answers the fetches that reconciliation accepted: with batches if there are any, else when there are, soon after the
 * high watermark has moved (KAFKA-8443), or when polls end. Of each replica only the newest fetch counts: whatever comes
 * of an older one is dropped.
 */
export class FetchServer {
  readonly #host: FetchServerHost;
  readonly #clock: Clock;
  readonly #pollEnds: PollEnds;
  readonly #bytesMax: number;
  readonly #parked = new Map<NodeId, ParkedFetch>();
  readonly #newest = new Map<NodeId, Fetch>();
  /** The high watermark that each replica was last told, in its present life. */
  readonly #told = new Map<NodeId, ToldHighWatermark>();
  readonly #reading = new Set<Promise<void>>();
  /** When somebody is to be told. It is not put off when one of them goes: it may find nothing to do. */
  readonly #alarm: Alarm;
  readonly #onPollEnd = (): void => this.#pollEnded();
  #isStopped = false;

  /** `bytesMax` bounds what a reply carries, whatever the follower asks for. */
  constructor(host: FetchServerHost, clock: Clock, pollEnds: PollEnds, bytesMax: number) {
    this.#host = host;
    this.#clock = clock;
    this.#alarm = new Alarm(clock, () => this.#look());
    this.#pollEnds = pollEnds;
    this.#bytesMax = bytesMax;
  }

  /**
   * Forgets an older fetch of the same replica. Call also for one that is answered at once otherwise. A late one of a
   * life that is over displaces nothing.
   */
  supersede(fetch: Fetch): void {
    const newest = this.#newest.get(fetch.from);
    if (newest !== undefined && fetch.fromIncarnation < newest.fromIncarnation) return;
    this.#unpark(fetch.from);
    this.#newest.set(fetch.from, fetch);
  }

  serve(fetch: Fetch): void {
    if (this.#isStopped) return;
    this.supersede(fetch);
    if (this.#host.log.sealedOffset > fetch.fetchOffset) this.#read(fetch);
    else if (this.#isUntold(fetch)) this.#replyEmpty(fetch);
    else this.#park(fetch);
  }

  /** Call when a batch was sealed, or the high watermark has moved. True: somebody was served. */
  wake(): boolean {
    if (this.#parked.size === 0) return false;
    const { sealedOffset } = this.#host.log;
    let isServed = false;
    for (const parked of [...this.#parked.values()]) {
      if (sealedOffset <= parked.fetch.fetchOffset) this.#tellSoon(parked);
      else {
        this.#serveStill(parked.fetch);
        isServed = true;
      }
    }
    return isServed;
  }

  /** Answers everything that is parked, whether there is something new or not. */
  release(): void {
    for (const { fetch } of [...this.#parked.values()]) this.#end(fetch);
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  /** Nothing is answered any more. Resolves when no read of the log is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#parked.clear();
    this.#alarm.cancel();
    this.#pollEnds.forget(this.#onPollEnd);
    this.#newest.clear();
    await Promise.all(this.#reading);
  }

  /** In its present life it knows no high watermark yet. */
  #isUntold({ from, fromIncarnation }: Fetch): boolean {
    return this.#told.get(from)?.incarnation !== fromIncarnation;
  }

  #isBehind(fetch: Fetch): boolean {
    const told = this.#told.get(fetch.from);
    return (
      told === undefined || this.#isUntold(fetch) || this.#host.facts().highWatermark > told.highWatermark
    );
  }

  #tellSoon(parked: ParkedFetch): void {
    if (parked.tellAtMs !== Number.POSITIVE_INFINITY || !this.#isBehind(parked.fetch)) return;
    parked.tellAtMs = this.#nowMs + TELL_MS;
    this.#lookBy(parked.tellAtMs);
  }

  #tell(fetch: Fetch): void {
    if (!this.#refuse(fetch)) this.#end(fetch);
  }

  #park(fetch: Fetch): void {
    const endAtMs = this.#pollEnds.await(this.#onPollEnd);
    const parked = { fetch, endAtMs, tellAtMs: Number.POSITIVE_INFINITY };
    this.#parked.set(fetch.from, parked);
    this.#tellSoon(parked);
  }

  #lookBy(atMs: number): void {
    if (atMs < this.#alarm.atMs) this.#alarm.set(atMs);
  }

  #look(): void {
    const nowMs = this.#nowMs;
    for (const { fetch, tellAtMs } of [...this.#parked.values()]) {
      if (tellAtMs <= nowMs) this.#tell(fetch);
      else if (tellAtMs !== Number.POSITIVE_INFINITY) this.#lookBy(tellAtMs);
    }
  }

  #pollEnded(): void {
    const nowMs = this.#nowMs;
    for (const { fetch, endAtMs } of [...this.#parked.values()]) {
      if (endAtMs <= nowMs) this.#end(fetch);
      else this.#pollEnds.await(this.#onPollEnd);
    }
  }

  #end(fetch: Fetch): void {
    this.#unpark(fetch.from);
    this.#replyEmpty(fetch);
  }

  get #nowMs(): MonotonicMillis {
    return this.#clock.monotonicMs();
  }

  #unpark(node: NodeId): void {
    this.#parked.delete(node);
  }

  #read(fetch: Fetch): void {
    const bytesMax = Math.min(fetch.bytesMax, this.#bytesMax);
    const slice = this.#host.log.readLog(fetch.fetchOffset, bytesMax);
    if (!(slice instanceof Promise)) {
      this.#answer(fetch, slice);
      return;
    }
    const reading = slice.then(
      (read) => this.#answerStill(fetch, read),
      (error: unknown) => this.#host.unreadable(error),
    );
    this.#reading.add(reading);
    void reading.finally(() => this.#reading.delete(reading));
  }

  /**
   * The role may have ended and the replica may have asked anew while the log was read: then nobody waits for this. A
   * merge may have removed a tombstone that the check still saw and the read did not find: asked again (C5,
   * KAFKA-5036).
   */
  #answerStill(fetch: Fetch, slice: LogSlice): void {
    if (this.#isStopped || this.#newest.get(fetch.from) !== fetch) return;
    if (!this.#refuse(fetch)) this.#answer(fetch, slice);
  }

  /** It was accepted when it was parked. */
  #serveStill(fetch: Fetch): void {
    if (!this.#refuse(fetch)) this.serve(fetch);
  }

  /** True: it is not accepted any more, and is told so. */
  #refuse(fetch: Fetch): boolean {
    const refusal = this.#host.refusalOf(fetch);
    if (refusal === null) return false;
    this.#unpark(fetch.from);
    this.#newest.delete(fetch.from);
    this.#host.reply(fetch, refusal);
    return true;
  }

  #answer(fetch: Fetch, slice: LogSlice): void {
    if (slice.nextOffset === fetch.fetchOffset && !this.#isUntold(fetch)) this.#park(fetch);
    else this.#reply(fetch, slice);
  }

  #replyEmpty(fetch: Fetch): void {
    this.#reply(fetch, { bytes: NOTHING, nextOffset: fetch.fetchOffset, epochs: [] });
  }

  #reply(fetch: Fetch, slice: LogSlice): void {
    const { logStartOffset, removedFloor } = this.#host.log;
    const facts = this.#host.facts();
    const { fromIncarnation: incarnation } = fetch;
    this.#told.set(fetch.from, { incarnation, highWatermark: facts.highWatermark });
    this.#newest.delete(fetch.from);
    this.#host.reply(fetch, {
      result: 'data',
      bytes: slice.bytes,
      byteCount: slice.bytes.length,
      nextOffset: slice.nextOffset,
      epochs: slice.epochs,
      highWatermark: facts.highWatermark,
      isCurrent: facts.isCurrent,
      logStartOffset,
      removedFloor,
      tombstoneRemoveOffset: facts.tombstoneRemoveOffset,
      partitionVersion: facts.partitionVersion,
      controllerEpoch: facts.controllerEpoch,
    });
  }
}

const NOTHING = new Uint8Array(0);
