import type {
  CommitListener,
  ForwardRequest,
  ForwardStream,
  LeaderPartition,
  NumberedCommand,
} from '../../cluster/index.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import { CaskadeError, invariant } from '../../model/errors.ts';
import { asOffset, type MonotonicMillis, type Offset } from '../../model/numbers.ts';
import type { CommandRun } from './command-run.ts';
import { type InboxRouter, ledFor, replyTo } from './request-gate.ts';

/** A request that has come, until when it may begin, and until when its forwarder waits. */
export interface Received {
  readonly stream: ForwardStream;
  readonly request: ForwardRequest;
  readonly untilMs: MonotonicMillis;
  readonly endMs: MonotonicMillis;
}

/** Appended, and not resolved. */
interface Appended extends Received {
  readonly partition: LeaderPartition;
  readonly offset: Offset;
  readonly reply: Uint8Array;
}

/** What a refusal in this round said; the round is over with it. */
interface RoundEnd {
  readonly sequence: number;
  readonly isAbsent: boolean;
}

const NOT_LEADER = new CaskadeError('notLeader', 'this node does not lead the partition in that epoch');
const TOO_LATE = new CaskadeError('tryAgain', 'the command did not begin in time');
const BEHIND = new CaskadeError('tryAgain', 'a command before this one was refused');
const NOTHING = new Uint8Array(0);

/**
 * The numbered commands of one forwarder for one partition, at its leader (R14): strictly in order, the next one when
 * the one before it is appended; what cannot run yet holds those behind it. Answers leave when they are committed.
 *
 * A refusal ends the round: of what the forwarder has sent behind it nothing runs, whoever leads by then. So the
 * forwarder may give the number to another command. A newer round takes the place of the older one, of which nothing that
 * has not begun runs any more.
 */
export class WriteLane implements CommitListener {
  readonly #router: InboxRouter;
  readonly #clock: Clock;
  readonly #run: CommandRun;
  #incarnation = 0;
  #round = 0;
  #ended: RoundEnd | null = null;
  #queue: Received[] = [];
  /** In the order of the log. */
  readonly #appended: Appended[] = [];
  /** Until when the head waits; a wait that was given up is another object. */
  #wait: Timer | null = null;

  constructor(router: InboxRouter, clock: Clock, newRun: (listener: CommitListener) => CommandRun) {
    this.#router = router;
    this.#clock = clock;
    this.#run = newRun(this);
  }

  received(received: Received): void {
    const { incarnation, round } = received.request;
    if (incarnation < this.#incarnation || (incarnation === this.#incarnation && round < this.#round)) return;
    if (incarnation !== this.#incarnation || round !== this.#round) {
      this.#incarnation = incarnation;
      this.#round = round;
      this.#ended = null;
      this.#clear();
    }
    this.#queue.push(received);
    this.#advance();
  }

  /** What came by that stream and has not begun does not begin any more. */
  ended(stream: ForwardStream): void {
    if (!this.#queue.some((received) => received.stream === stream)) return;
    const kept = this.#queue.filter((received) => received.stream !== stream);
    this.#clear();
    this.#queue = kept;
    this.#advance();
  }

  // CommitListener

  committed(partition: LeaderPartition): void {
    let first = this.#appended[0];
    while (first !== undefined && first.partition === partition && first.offset < partition.highWatermark) {
      this.#appended.shift();
      this.#done(first, first.offset, first.reply);
      first = this.#appended[0];
    }
    invariant(first === undefined || !first.partition.isOver, 'nobody was told how a leadership ended');
  }

  inDoubt(partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    const isGivenUp = (each: Appended): boolean => each.partition === partition && each.offset >= firstOffset;
    const givenUp = this.#appended.filter(isGivenUp);
    if (givenUp.length === 0) return;
    const kept = this.#appended.filter((each) => !isGivenUp(each));
    this.#appended.splice(0, this.#appended.length, ...kept);
    for (const each of givenUp) {
      if (error.code === 'inDoubt') this.#doubt(each, each.offset, error);
      else this.#refuse(each, error, true);
    }
  }

  // Inside

  #clear(): void {
    this.#queue = [];
    this.#endWait();
    this.#run.end();
  }

  #advance(): void {
    while (this.#wait === null) {
      // An answer may bring the next request within this call.
      const head = this.#queue.shift();
      if (head === undefined) return;
      const until = this.#take(head);
      if (until === null) continue;
      this.#queue.unshift(head);
      this.#waitFor(until, head.untilMs);
    }
  }

  /** What has not begun in its time is refused: else its forwarder would have to call it in doubt. */
  #waitFor(until: Promise<void>, untilMs: MonotonicMillis): void {
    const wait = this.#clock.setTimer(untilMs - this.#clock.monotonicMs(), () => this.#goOn(wait));
    this.#wait = wait;
    void until.then(() => this.#goOn(wait));
  }

  #goOn(wait: Timer): void {
    if (this.#wait !== wait) return;
    this.#endWait();
    this.#advance();
  }

  #endWait(): void {
    this.#wait?.cancel();
    this.#wait = null;
  }

  /** Not null: it is to be taken again then. */
  #take(head: Received): Promise<void> | null {
    const { request } = head;
    const partition = ledFor(this.#router, request);
    if (partition === null) return this.#refuse(head, NOT_LEADER, false);
    if (this.#ended !== null) return this.#refuseBehind(head, partition, this.#ended);
    if (this.#clock.monotonicMs() >= head.untilMs) return this.#refuse(head, TOO_LATE, false);
    const numbered = numberedOf(request);
    const admission = partition.admit(numbered);
    switch (admission.verdict) {
      case 'execute':
        return this.#execute(head, partition, numbered);
      case 'join':
        this.#join(head, partition, numbered, admission.offset);
        return null;
      case 'answer':
        return this.#done(head, admission.offset, admission.outcome);
      case 'suspended': {
        const refusal = partition.writeRefusal();
        return refusal === null ? partition.suspension : this.#refuse(head, refusal, false);
      }
      case 'refuse': {
        const { error, expected = 0 } = admission;
        return this.#refuse(head, error, expected > 0, expected);
      }
    }
  }

  #execute(head: Received, partition: LeaderPartition, numbered: NumberedCommand): Promise<void> | null {
    const refusal = partition.writeRefusal();
    if (refusal !== null) return this.#refuse(head, refusal, true);
    if (partition.congestion !== null) return partition.congestion;
    if (head.request.command.length === 0) {
      partition.beginCommand(numbered);
      const offset = partition.endCommand(NOTHING);
      partition.listen(this.#run.listener);
      this.#append(head, partition, offset, NOTHING);
      return null;
    }
    const result = this.#run.run(head.request, partition, numbered);
    switch (result.kind) {
      case 'suspended':
        return result.until;
      case 'refused':
        return this.#refuse(head, result.error, true);
      case 'broken':
        return this.#doubt(head, result.offset, result.error);
      case 'ran':
        this.#append(head, partition, asOffset(result.offset), result.reply);
        return null;
    }
  }

  #append(head: Received, partition: LeaderPartition, offset: Offset, reply: Uint8Array): void {
    this.#appended.push({ ...head, partition, offset, reply });
    this.committed(partition);
  }

  /** A retry of what is not committed waits for it (R13); then the log knows the answer. */
  #join(received: Received, partition: LeaderPartition, numbered: NumberedCommand, offset: Offset): void {
    void partition.whenResolved(offset).then(() => {
      const admission =
        offset < partition.highWatermark && !partition.isOver ? partition.admit(numbered) : null;
      if (admission?.verdict === 'answer') this.#done(received, admission.offset, admission.outcome);
      else
        this.#doubt(received, offset, new CaskadeError('inDoubt', 'what was sent before is not committed'));
    });
  }

  /** As the partition would say now, so that a client need not wait for another round to hear it. */
  #refuseBehind(head: Received, partition: LeaderPartition, { sequence, isAbsent }: RoundEnd): null {
    const refusal = partition.writeRefusal();
    return refusal === null
      ? this.#refuse(head, BEHIND, isAbsent, sequence)
      : this.#refuse(head, refusal, isAbsent);
  }

  // Answers

  #done({ stream, request }: Received, offset: Offset, reply: Uint8Array | null): null {
    stream.send(replyTo(this.#router, request, 'done', { offset, reply }));
    return null;
  }

  #doubt({ stream, request }: Received, offset: Offset, error: CaskadeError): null {
    stream.send(replyTo(this.#router, request, 'inDoubt', { offset, error }));
    return null;
  }

  #refuse({ stream, request }: Received, error: CaskadeError, isAbsent: boolean, expectedSequence = 0): null {
    const sequence = request.sequence as number;
    const isOfThisRound = request.incarnation === this.#incarnation && request.round === this.#round;
    if (isOfThisRound && this.#ended === null) this.#ended = { sequence, isAbsent };
    stream.send(replyTo(this.#router, request, 'refused', { error, isAbsent, expectedSequence }));
    return null;
  }
}

function numberedOf({ forwarder: node, incarnation, sequence }: ForwardRequest): NumberedCommand {
  const producer = { kind: 'node', node, incarnation } as const;
  return { producer, sequence: sequence as NonNullable<typeof sequence>, isRetry: true };
}
