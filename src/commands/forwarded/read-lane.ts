import type { ForwardRequest, LeaderPartition } from '../../cluster/index.ts';
import type { Clock } from '../../env/clock.ts';
import { CaskadeError } from '../../model/errors.ts';
import { asOffset } from '../../model/numbers.ts';
import type { CommandRun } from './command-run.ts';
import { type InboxRouter, ledFor, replyTo } from './request-gate.ts';
import type { Received } from './write-lane.ts';

const NOT_LEADER = new CaskadeError('notLeader', 'this node does not lead the partition in that epoch');
const TOO_LATE = new CaskadeError('tryAgain', 'the command did not begin in time');
const TOO_LONG = new CaskadeError('tryAgain', 'the command took longer than its client waits');
const SEEN_GIVEN_UP = new CaskadeError('tryAgain', 'the reply rested on a write that was not committed');

/**
 * Forwarded reads: as they come. Only behind a read of the same client that waits, for a block or for word that this
 * node still leads, others of that client wait: it sees no older state after a newer one.
 */
export class ReadLane {
  readonly #router: InboxRouter;
  readonly #clock: Clock;
  readonly #newRun: () => CommandRun;
  readonly #idle: CommandRun[] = [];
  /** By client: the read that waits, and those behind it. */
  readonly #waiting = new Map<string, Received[]>();

  constructor(router: InboxRouter, clock: Clock, newRun: () => CommandRun) {
    this.#router = router;
    this.#clock = clock;
    this.#newRun = newRun;
  }

  received(received: Received): void {
    if (this.#waiting.size > 0) {
      const behind = this.#waiting.get(clientKey(received.request));
      if (behind !== undefined) {
        behind.push(received);
        return;
      }
    }
    this.#start(received, this.#idle.pop() ?? this.#newRun());
  }

  /** What came by that stream and waits is not answered any more. */
  ended(stream: Received['stream']): void {
    for (const [key, reads] of this.#waiting) {
      const [first, ...behind] = reads;
      const kept = behind.filter((read) => read.stream !== stream);
      if (first !== undefined) this.#waiting.set(key, [first, ...kept]);
    }
  }

  #start(received: Received, run: CommandRun): void {
    const until = this.#take(received, run);
    if (until === null) {
      this.#idle.push(run);
      return;
    }
    const key = clientKey(received.request);
    this.#waiting.set(key, [received]);
    this.#goOn(key, received, run, until);
  }

  #goOn(key: string, received: Received, run: CommandRun, until: Promise<void>): void {
    void until.then(() => {
      const again = this.#take(received, run);
      if (again !== null) this.#goOn(key, received, run, again);
      else this.#next(key, run);
    });
  }

  /** Those behind it, until one waits again. */
  #next(key: string, run: CommandRun): void {
    const reads = this.#waiting.get(key) ?? [];
    reads.shift();
    for (let next = reads[0]; next !== undefined; next = reads[0]) {
      const until = this.#take(next, run);
      if (until !== null) {
        this.#goOn(key, next, run, until);
        return;
      }
      reads.shift();
    }
    this.#waiting.delete(key);
    this.#idle.push(run);
  }

  /** Not null: it is to be taken again then. */
  #take(received: Received, run: CommandRun): Promise<void> | null {
    const { request } = received;
    const partition = ledFor(this.#router, request);
    if (partition === null) return this.#refuse(received, NOT_LEADER, run);
    const late = this.#lateness(received, run);
    if (late !== null) return this.#refuse(received, late, run);
    const congestion = received.stream.congestion ?? null;
    if (congestion !== null) return congestion;
    const result = run.run(request, partition, null);
    switch (result.kind) {
      case 'suspended':
        return result.until;
      case 'refused':
      case 'broken':
        return this.#refuse(received, result.error, run);
      case 'ran':
        if (result.offset < partition.highWatermark) this.#answer(received, partition, result.reply);
        else this.#answerLater(received, partition, result.offset, result.reply);
        return null;
    }
  }

  /** What has begun goes on for as long as its forwarder waits: a walk over all keys runs in many slices. */
  #lateness({ request, untilMs, endMs }: Received, run: CommandRun): CaskadeError | null {
    const nowMs = this.#clock.monotonicMs();
    if (run.hasBegun(request)) return nowMs >= endMs ? TOO_LONG : null;
    return nowMs >= untilMs ? TOO_LATE : null;
  }

  #answer({ stream, request }: Received, partition: LeaderPartition, reply: Uint8Array): void {
    const offset = asOffset(partition.highWatermark - 1);
    stream.send(replyTo(this.#router, request, 'done', { offset, reply }));
  }

  /** It has seen what is not committed yet (R3). */
  #answerLater(received: Received, partition: LeaderPartition, seen: number, reply: Uint8Array): void {
    void partition.whenResolved(asOffset(seen)).then(() => {
      if (seen < partition.highWatermark) this.#answer(received, partition, reply);
      else this.#refuse(received, SEEN_GIVEN_UP, null);
    });
  }

  #refuse({ stream, request }: Received, error: CaskadeError, run: CommandRun | null): null {
    run?.end();
    stream.send(replyTo(this.#router, request, 'refused', { error }));
    return null;
  }
}

function clientKey({ forwarder, incarnation, partition, client }: ForwardRequest): string {
  return `${forwarder} ${incarnation} ${partition} ${client.id}`;
}
