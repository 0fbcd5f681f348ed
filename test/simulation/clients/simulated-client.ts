import { asNodeId, asPartitionId, type NodeId } from '../../../src/model/numbers.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { type History, isRead, type Outcome } from '../checkers/history.ts';
import { type ClientKind, type Numbered, Numbering } from './numbering.ts';
import type { ServiceAnswer, ServiceRequest } from './service-call.ts';
import type { Request, Workload } from './workload.ts';

/**
 * How requests travel. `failed` says as much as a client can know: `refused` = nothing listens there, `broken` = it may
 * have run.
 */
export interface ClientTransport {
  readonly nodes: readonly NodeId[];
  after(delayMs: number, callback: () => void): void;
  send(
    to: NodeId,
    request: ServiceRequest,
    answered: (answer: ServiceAnswer) => void,
    failed: (how: 'refused' | 'broken') => void,
  ): void;
}

export interface ClientOptions {
  readonly client: number;
  readonly kind: ClientKind;
  /** Between two requests of a burst, and between two bursts. */
  readonly thinkMsMax: number;
  readonly pauseMsMax: number;
  /** After so long without an answer the client takes another connection: what it asked is in doubt. */
  readonly timeoutMsMax: number;
  readonly stalenessMsMax: number;
  /** After so many refusals a request is given up. */
  readonly attemptsMax: number;
  readonly retryMsMax: number;
  /**
   * Share of requests in doubt that are asked again without a producer id: as another operation. With one all are, as
   * the same.
   */
  readonly blindRetryShare: number;
}

/** What a suite must have met of numbered commands. */
export type Met = 'retry joined its waiter' | 'command below the window' | 'gap of a forwarder';

/** Told of every attempt that was refused or ended in doubt, and of every answer to a numbered command. */
export interface ClientWitness {
  refused(partition: number, reason: string): void;
  unknown(partition: number, reason: string): void;
  told(partition: number, numbered: Numbered, reply: string): void;
  met(what: Met): void;
}

/** A request with all its attempts. */
interface Task {
  readonly request: Request;
  readonly numbered: Numbered | null;
  /** Of the history; one for all attempts of a numbered command. */
  operation: number;
  attemptsLeft: number;
  wasSent: boolean;
  /** Some attempt may have been executed. */
  isInDoubt: boolean;
}

/** Something to be done once the client has asked for so many things more. */
interface Later {
  dueIn: number;
  readonly run: () => void;
}

const PAUSE_SHARE = 0.15;
/** Commands that a forwarder has under way at a time. */
const FORWARDED_MAX = 3;
/**
 * Shares of the numbered commands: whose answer is taken for lost, that are sent twice, and that are sent once more
 * long after they were done.
 */
const LOST_ANSWER_SHARE = 0.03;
const DOUBLED_SHARE = 0.1;
/** Of the attempts, those that go to any node. */
const ASTRAY_SHARE = 0.05;
const LATE_COPY_SHARE = 0.05;
const DOUBLED_AFTER_MS_MAX = 300;
/** Share of those in doubt that are put off; and for how many requests at most. */
const PUT_OFF_SHARE = 0.2;
const PUT_OFF_REQUESTS_MAX = 48;
/** What a cluster without a fault may say to numbered commands, too. */
const BELOW = 'older than what is remembered';
const GAP = 'came before command';
const LOST_ANSWER = 'the answer was lost';

/** One client: one request at a time, retried while it is refused or, with a producer id, in doubt; then a pause. */
export class SimulatedClient {
  readonly #options: ClientOptions;
  readonly #transport: ClientTransport;
  readonly #workload: Workload;
  readonly #history: History;
  readonly #random: SeededRandom;
  readonly #witness: ClientWitness;
  readonly #numbering: Numbering;
  readonly #leaders = new Map<number, NodeId>();
  #later: Later[] = [];
  #isStopped = false;
  #openCount = 0;

  constructor(
    options: ClientOptions,
    transport: ClientTransport,
    workload: Workload,
    history: History,
    random: SeededRandom,
    witness: ClientWitness,
  ) {
    this.#options = options;
    this.#transport = transport;
    this.#workload = workload;
    this.#history = history;
    this.#random = random;
    this.#witness = witness;
    this.#numbering = new Numbering(options.client, options.kind);
  }

  get isIdle(): boolean {
    return this.#openCount === 0;
  }

  start(): void {
    this.#think();
  }

  /** No new request; the one in flight ends as it will. */
  stop(): void {
    this.#isStopped = true;
  }

  #think(): void {
    if (this.#isStopped || this.#openCount > 0) return;
    const { thinkMsMax, pauseMsMax, kind } = this.#options;
    const mostMs = this.#random.chance(PAUSE_SHARE) ? pauseMsMax : thinkMsMax;
    this.#transport.after(this.#random.fraction() * mostMs, () => {
      if (this.#isStopped) return;
      const count = kind === 'forwarder' ? 1 + this.#random.below(FORWARDED_MAX) : 1;
      for (let each = 0; each < count; each += 1) this.#begin(this.#workload.next());
      this.#comeDue();
    });
  }

  #begin(request: Request): void {
    const numbered = isRead(request.action) ? null : this.#numbering.next(request.partition);
    const { attemptsMax } = this.#options;
    this.#openCount += 1;
    this.#attempt({
      request,
      numbered,
      operation: 0,
      attemptsLeft: attemptsMax,
      wasSent: false,
      isInDoubt: false,
    });
  }

  #close(): void {
    this.#openCount -= 1;
    this.#think();
  }

  // What is put off

  #putOff(run: () => void): void {
    this.#later.push({ dueIn: 1 + this.#random.below(PUT_OFF_REQUESTS_MAX), run });
  }

  #comeDue(): void {
    for (const later of this.#later) later.dueIn -= 1;
    const due = this.#later.filter(({ dueIn }) => dueIn <= 0);
    this.#later = this.#later.filter(({ dueIn }) => dueIn > 0);
    for (const { run } of due) run();
  }

  // Attempts

  #attempt(task: Task): void {
    const { request, numbered } = task;
    const { client, timeoutMsMax } = this.#options;
    if (task.operation === 0)
      task.operation = this.#history.invoke(client, request.partition, request.action, request.consistency);
    let open = 1;
    let isOver = false;
    const end = (outcome: Outcome): void => {
      if (isOver) return;
      open -= 1;
      // The other copy may be executed yet.
      if (outcome.kind !== 'done' && open > 0) {
        task.isInDoubt = true;
        return;
      }
      isOver = true;
      this.#ended(task, outcome);
    };
    const timeoutMs = timeoutMsMax * (0.1 + 0.9 * this.#random.fraction());
    this.#transport.after(timeoutMs, () => {
      open = 1;
      end({ kind: 'unknown', reason: 'client timeout' });
    });
    this.#send(task, end);
    if (numbered === null || !this.#random.chance(DOUBLED_SHARE)) return;
    this.#transport.after(this.#random.fraction() * DOUBLED_AFTER_MS_MAX, () => {
      if (isOver) return;
      open += 1;
      this.#send(task, end);
    });
  }

  #send(task: Task, end: (outcome: Outcome) => void): void {
    const { request, numbered } = task;
    const { timeoutMsMax, stalenessMsMax } = this.#options;
    const to = this.#target(request);
    const command = numbered === null ? {} : { numbered: { ...numbered, isRetry: task.wasSent } };
    task.wasSent = true;
    this.#transport.send(
      to,
      {
        partition: asPartitionId(request.partition),
        action: request.action,
        consistency: request.consistency,
        deadlineMs: timeoutMsMax,
        stalenessMsMax,
        ...command,
      },
      (answer) => {
        this.#learnLeader(request.partition, answer);
        this.#tell(task, answer);
        const isLost = numbered !== null && this.#random.chance(LOST_ANSWER_SHARE);
        end(isLost ? { kind: 'unknown', reason: LOST_ANSWER } : answer.outcome);
      },
      (how) => {
        this.#leaders.delete(request.partition);
        if (how === 'refused') end({ kind: 'refused', reason: `connection to node ${to} refused` });
        else end({ kind: 'unknown', reason: `connection to node ${to} broken` });
      },
    );
  }

  #tell({ request, numbered }: Task, { outcome, hasJoined }: ServiceAnswer): void {
    if (numbered === null) return;
    if (hasJoined) this.#witness.met('retry joined its waiter');
    if (outcome.kind === 'done') this.#witness.told(request.partition, numbered, outcome.reply);
    else if (outcome.reason.includes(BELOW)) this.#witness.met('command below the window');
    else if (outcome.reason.includes(GAP)) this.#witness.met('gap of a forwarder');
  }

  #ended(task: Task, outcome: Outcome): void {
    task.attemptsLeft -= 1;
    if (outcome.kind !== 'done') this.#complain(task.request.partition, outcome);
    if (task.numbered === null) this.#endedPlain(task, outcome);
    else this.#endedNumbered(task, outcome);
  }

  #complain(partition: number, outcome: Exclude<Outcome, { readonly kind: 'done' }>): void {
    if (outcome.kind === 'unknown') this.#leaders.delete(partition);
    if ([BELOW, GAP, LOST_ANSWER].some((text) => outcome.reason.includes(text))) return;
    if (outcome.kind === 'unknown') this.#witness.unknown(partition, outcome.reason);
    else this.#witness.refused(partition, outcome.reason);
  }

  /** Every attempt is an operation of its own. */
  #endedPlain(task: Task, outcome: Outcome): void {
    this.#history.complete(task.operation, outcome);
    this.#workload.learn(task.request.action, outcome);
    task.operation = 0;
    const isWorthIt =
      outcome.kind === 'refused' ||
      (outcome.kind === 'unknown' && this.#random.chance(this.#options.blindRetryShare));
    if (isWorthIt && task.attemptsLeft > 0 && !this.#isStopped) this.#again(task);
    else this.#close();
  }

  /** All attempts are one operation. */
  #endedNumbered(task: Task, outcome: Outcome): void {
    if (outcome.kind === 'unknown') task.isInDoubt = true;
    const isKnown = outcome.kind === 'done' || outcome.reason.includes(BELOW);
    if (isKnown || task.attemptsLeft <= 0 || this.#isStopped) {
      this.#finish(task, outcome);
      this.#close();
    } else if (this.#isPutOff(outcome)) {
      this.#putOff(() => {
        this.#openCount += 1;
        this.#attempt(task);
      });
      this.#close();
    } else this.#again(task);
  }

  #isPutOff({ kind }: Outcome): boolean {
    return kind === 'unknown' && this.#options.kind === 'client' && this.#random.chance(PUT_OFF_SHARE);
  }

  #finish(task: Task, outcome: Outcome): void {
    const reason = outcome.kind === 'done' ? '' : outcome.reason;
    const known: Outcome =
      outcome.kind === 'refused' && task.isInDoubt ? { kind: 'unknown', reason } : outcome;
    this.#history.complete(task.operation, known);
    this.#workload.learn(task.request.action, known);
    if (outcome.kind !== 'done') this.#numbering.gaveUp();
    else if (this.#random.chance(LATE_COPY_SHARE)) this.#putOff(() => this.#send(task, () => undefined));
  }

  #again(task: Task): void {
    this.#transport.after(this.#random.fraction() * this.#options.retryMsMax, () => this.#attempt(task));
  }

  /** A leader that was deposed, and does not know it, is found only by who asks others than the leader it knows. */
  #target(request: Request): NodeId {
    const isKnownAsked = request.consistency === 'leader' && !this.#random.chance(ASTRAY_SHARE);
    const known = isKnownAsked ? this.#leaders.get(request.partition) : undefined;
    return known ?? this.#random.pick(this.#transport.nodes);
  }

  #learnLeader(partition: number, { outcome, leaderHint }: ServiceAnswer): void {
    if (leaderHint === null || (outcome.kind === 'refused' && this.#random.chance(0.3))) {
      this.#leaders.delete(partition);
    } else this.#leaders.set(partition, asNodeId(leaderHint));
  }
}
