import { asNodeId, asPartitionId, type NodeId } from '../../../src/model/numbers.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { History, Outcome } from '../checkers/history.ts';
import type { ServiceAnswer, ServiceRequest } from './service-call.ts';
import type { Request, Workload } from './workload.ts';

/** How requests travel. `failed` says as much as a client can know: `refused` = nothing listens there, `broken` = it may have run. */
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
  /** Between two requests of a burst, and between two bursts. */
  readonly thinkMsMax: number;
  readonly pauseMsMax: number;
  /** After so long without an answer the client takes another connection: what it asked is in doubt. */
  readonly timeoutMsMax: number;
  readonly stalenessMsMax: number;
  /** After so many refusals a request is given up. */
  readonly attemptsMax: number;
  readonly retryMsMax: number;
  /** Share of requests in doubt that are asked again, without a producer id: as another operation. */
  readonly blindRetryShare: number;
}

/** Told of every attempt that was refused or ended in doubt. */
export interface ClientWitness {
  refused(partition: number, reason: string): void;
  unknown(partition: number, reason: string): void;
}

const PAUSE_SHARE = 0.15;

/** One client: one request at a time, retried while it is refused, then a pause. */
export class SimulatedClient {
  readonly #options: ClientOptions;
  readonly #transport: ClientTransport;
  readonly #workload: Workload;
  readonly #history: History;
  readonly #random: SeededRandom;
  readonly #witness: ClientWitness;
  readonly #leaders = new Map<number, NodeId>();
  #isStopped = false;
  #isIdle = true;

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
  }

  get isIdle(): boolean {
    return this.#isIdle;
  }

  start(): void {
    this.#think();
  }

  /** No new request; the one in flight ends as it will. */
  stop(): void {
    this.#isStopped = true;
  }

  #think(): void {
    this.#isIdle = true;
    if (this.#isStopped) return;
    const { thinkMsMax, pauseMsMax } = this.#options;
    const mostMs = this.#random.chance(PAUSE_SHARE) ? pauseMsMax : thinkMsMax;
    this.#transport.after(this.#random.fraction() * mostMs, () => {
      if (this.#isStopped) return;
      this.#isIdle = false;
      this.#attempt(this.#workload.next(), this.#options.attemptsMax);
    });
  }

  #attempt(request: Request, attemptsLeft: number): void {
    const { client, timeoutMsMax, stalenessMsMax } = this.#options;
    const id = this.#history.invoke(client, request.partition, request.action, request.consistency);
    let isOpen = true;
    const end = (outcome: Outcome): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#history.complete(id, outcome);
      this.#ended(request, outcome, attemptsLeft - 1);
    };
    const timeoutMs = timeoutMsMax * (0.1 + 0.9 * this.#random.fraction());
    this.#transport.after(timeoutMs, () => end({ kind: 'unknown', reason: 'client timeout' }));
    const to = this.#target(request);
    this.#transport.send(
      to,
      {
        partition: asPartitionId(request.partition),
        action: request.action,
        consistency: request.consistency,
        deadlineMs: timeoutMsMax,
        stalenessMsMax,
      },
      (answer) => {
        this.#learnLeader(request.partition, answer);
        end(answer.outcome);
      },
      (how) => {
        this.#leaders.delete(request.partition);
        if (how === 'refused') end({ kind: 'refused', reason: `connection to node ${to} refused` });
        else end({ kind: 'unknown', reason: `connection to node ${to} broken` });
      },
    );
  }

  #ended(request: Request, outcome: Outcome, attemptsLeft: number): void {
    this.#workload.learn(request.action, outcome);
    if (outcome.kind === 'unknown') {
      this.#leaders.delete(request.partition);
      this.#witness.unknown(request.partition, outcome.reason);
    }
    if (outcome.kind === 'refused') this.#witness.refused(request.partition, outcome.reason);
    const isWorthIt =
      outcome.kind === 'refused' ||
      (outcome.kind === 'unknown' && this.#random.chance(this.#options.blindRetryShare));
    if (!isWorthIt || attemptsLeft <= 0 || this.#isStopped) {
      this.#think();
      return;
    }
    this.#transport.after(this.#random.fraction() * this.#options.retryMsMax, () =>
      this.#attempt(request, attemptsLeft),
    );
  }

  #target(request: Request): NodeId {
    const known = request.consistency === 'leader' ? this.#leaders.get(request.partition) : undefined;
    return known ?? this.#random.pick(this.#transport.nodes);
  }

  #learnLeader(partition: number, { outcome, leaderHint }: ServiceAnswer): void {
    if (leaderHint === null || (outcome.kind === 'refused' && this.#random.chance(0.3))) {
      this.#leaders.delete(partition);
    } else this.#leaders.set(partition, asNodeId(leaderHint));
  }
}
