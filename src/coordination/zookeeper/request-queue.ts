import type { Clock, Timer } from '../../env/clock.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';
import type { Failure, Outcome } from '../coordinator.ts';
import { failureOf, isConnectionLoss } from './outcomes.ts';
import type { Answer, Reply } from './zookeeper-client.ts';

/** H13: the library parses many replies of one chunk in quadratic time. */
export const IN_FLIGHT_MAX = 256;
/** Beyond it a caller asks for more than any answer is worth waiting for. */
export const WAITING_MAX = 65_536;

export interface RequestQueueHooks {
  /** An answer of the server arrived. */
  replied(): void;
  /** An answer that says nothing about the node that was asked for: the connection is gone, the session is, ... */
  unexpected(code: number, path: string): void;
}

interface Request {
  /** What it is about, for the log. */
  readonly path: string;
  readonly send: () => void;
  readonly giveUp: (failure: Failure) => void;
  sentMs: MonotonicMillis;
}

/**
 * Requests of one session: sent while it is open, so many at a time, in order; each with a deadline from when it was sent
 * (W4). After the deadline its place stays taken until the library answers, for the answers come in order; and its late
 * answer is ignored.
 */
export class RequestQueue {
  readonly #clock: Clock;
  readonly #deadlineMs: () => number;
  readonly #hooks: RequestQueueHooks;
  readonly #sent = new Set<Request>();
  #waiting: Request[] = [];
  #phase: 'shut' | 'open' | 'ended' = 'shut';
  #lastSentMs: MonotonicMillis;

  constructor(clock: Clock, deadlineMs: () => number, hooks: RequestQueueHooks) {
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#hooks = hooks;
    this.#lastSentMs = clock.monotonicMs();
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get lastSentMs(): MonotonicMillis {
    return this.#lastSentMs;
  }

  /** When the oldest request without an answer was sent; null: there is none. */
  get oldestSentMs(): MonotonicMillis | null {
    for (const { sentMs } of this.#sent) return sentMs;
    return null;
  }

  /**
   * `path`: what it is about, for the log. Rejects only for what the library does not accept from a caller: a path that is
   * none, a node too large.
   */
  ask<Value>(path: string, send: (reply: Reply<Value>) => void): Promise<Outcome<Value>> {
    if (this.#phase === 'ended') return Promise.resolve(failure('sessionLost'));
    if (this.#phase === 'shut' || this.#waiting.length >= WAITING_MAX)
      return Promise.resolve(failure('unknown'));
    return new Promise((resolve, reject) => {
      this.#waiting.push(this.#request(path, send, resolve, reject));
      this.#pump();
    });
  }

  /** A connection stands. */
  open(): void {
    if (this.#phase === 'shut') this.#phase = 'open';
  }

  /** The connection is gone: what was not sent is not sent any more (W1). The library may forget what was (H5). */
  shut(): void {
    if (this.#phase === 'open') this.#giveUp('shut', 'unknown');
  }

  /** The session is over. */
  end(): void {
    this.#giveUp('ended', 'sessionLost');
  }

  /** What was sent may have happened. */
  #giveUp(phase: 'shut' | 'ended', ofWaiting: Failure): void {
    this.#phase = phase;
    const [sent, waiting] = [[...this.#sent], this.#waiting];
    this.#sent.clear();
    this.#waiting = [];
    for (const request of sent) request.giveUp('unknown');
    for (const request of waiting) request.giveUp(ofWaiting);
  }

  #request<Value>(
    path: string,
    send: (reply: Reply<Value>) => void,
    resolve: (outcome: Outcome<Value>) => void,
    reject: (error: unknown) => void,
  ): Request {
    let deadline: Timer | null = null;
    const settle = (outcome: Outcome<Value>): void => {
      deadline?.cancel();
      resolve(outcome);
    };
    const request: Request = {
      path,
      sentMs: this.#lastSentMs,
      giveUp: (reason) => settle(failure(reason)),
      send: () => {
        deadline = this.#clock.setTimer(this.#deadlineMs(), () => settle(failure('unknown')));
        try {
          send((answer) => {
            if (this.#hear(request, answer)) settle(outcomeOf(answer));
          });
        } catch (error) {
          deadline.cancel();
          this.#sent.delete(request);
          reject(error);
        }
      },
    };
    return request;
  }

  /** False: it was given up. */
  #hear(request: Request, answer: Answer<unknown>): boolean {
    if (!this.#sent.delete(request)) return false;
    if (!answer.ok && isConnectionLoss(answer.code)) this.shut();
    else this.#hooks.replied();
    if (!answer.ok && !isPlain(failureOf(answer.code))) this.#hooks.unexpected(answer.code, request.path);
    this.#pump();
    return true;
  }

  #pump(): void {
    while (this.#phase === 'open' && this.#sent.size < IN_FLIGHT_MAX) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      request.sentMs = this.#clock.monotonicMs();
      this.#lastSentMs = request.sentMs;
      this.#sent.add(request);
      request.send();
    }
  }
}

const failure = (reason: Failure): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure: reason,
});

function outcomeOf<Value>(answer: Answer<Value>): Outcome<Value> {
  return answer.ok ? answer : failure(failureOf(answer.code));
}

const isPlain = (reason: Failure): boolean => reason !== 'unknown' && reason !== 'sessionLost';
