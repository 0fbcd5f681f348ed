import type {
  CoordinatorFactory,
  CoordinatorSession,
  Failure,
  MultiResult,
  Operation,
  Outcome,
  ReadNode,
  SessionState,
} from '../../../src/coordination/coordinator.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { SessionByMulti } from '../../support/session-by-multi.ts';
import type { CoordinatorServer, ServerSession } from './coordinator-server.ts';
import type { Life } from './life.ts';
import type { Scheduler } from './scheduler.ts';

/** The way between one machine and the coordinator. Outlives the lives of its node. */
export interface CoordinatorLink {
  isCut: boolean;
  /** Share of answers that never arrive, though what was asked has been done. */
  replyLossShare: number;
  /** The server that this machine talks to lags so far behind. */
  staleMs: number;
  /** What is asked takes so much longer to get there. */
  slownessMs: number;
}

export interface SessionDoors {
  readonly scheduler: Scheduler;
  readonly server: CoordinatorServer;
  readonly link: CoordinatorLink;
  readonly life: Life;
  readonly clock: Clock;
  readonly random: SeededRandom;
}

const LATENCY_MS_MIN = 0.2;
const JITTER_MS = 1.5;
/** A write waits for a majority of the ensemble. */
const QUORUM_MS = 2;
/** How often observers are called though nothing is known to have changed, in session timeouts. */
const POLL_SHARE = 0.6;

interface Observer {
  readonly path: string;
  readonly of: 'node' | 'children';
  readonly listener: () => void;
}

export class SimulatedSessionFactory implements CoordinatorFactory {
  readonly #doors: SessionDoors;
  /** The session opened last: what an expiry hits. */
  current: SimulatedSession | null = null;

  constructor(doors: SessionDoors) {
    this.#doors = doors;
  }

  open(): CoordinatorSession {
    this.current = new SimulatedSession(this.#doors);
    return this.current;
  }
}

/**
 * The client's side of a session: everything it does is an event of the life that owns it, so a stalled node neither
 * hears nor pings, and a dead one is silent.
 */
class SimulatedSession extends SessionByMulti implements CoordinatorSession {
  readonly #doors: SessionDoors;
  readonly #listeners: ((state: SessionState) => void)[] = [];
  readonly #observers = new Set<Observer>();
  /** Calls under way: told when the session ends. */
  readonly #pending = new Set<() => void>();
  #state: SessionState = 'connecting';
  #server: ServerSession | null = null;
  #lastReplyMs: number;
  #lastRequestAtMs = 0;
  #lastReplyAtMs = 0;

  constructor(doors: SessionDoors) {
    super();
    this.#doors = doors;
    this.#lastReplyMs = doors.clock.monotonicMs();
    this.#beat();
    this.#poll();
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Its half at the server: null until it first connected. */
  get server(): ServerSession | null {
    return this.#server;
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }

  read(path: string): Promise<Outcome<ReadNode>> {
    return this.#call((session) => this.#doors.server.read(session, path), 0);
  }

  list(path: string): Promise<Outcome<readonly string[]>> {
    return this.#call((session) => this.#doors.server.list(session, path), 0);
  }

  multi(operations: readonly Operation[]): Promise<Outcome<MultiResult>> {
    // What is sent is what was meant now, whatever the caller does to it later.
    const sent = JSON.parse(JSON.stringify(operations)) as readonly Operation[];
    return this.#call((session) => this.#doors.server.multi(session, sent), QUORUM_MS);
  }

  barrier(): Promise<Outcome<null>> {
    return this.#call((session) => {
      this.#doors.server.barrier(session);
      return { ok: true, value: null };
    }, QUORUM_MS);
  }

  observe(path: string, of: 'node' | 'children', listener: () => void): () => void {
    const observer = { path, of, listener };
    this.#observers.add(observer);
    this.#doors.scheduler.after(this.#latencyMs(), this.#doors.life, () => this.#notify(observer));
    return () => {
      this.#observers.delete(observer);
    };
  }

  async close(): Promise<void> {
    await this.#call<null>((session) => {
      this.#doors.server.expire(session);
      return { ok: true, value: null };
    }, QUORUM_MS);
    this.#change('lost');
  }

  /** Asks the server; the answer counts only while the session lives, and comes too late after two thirds of its timeout (W4). */
  #call<Value>(ask: (session: ServerSession) => Outcome<Value>, serverMs: number): Promise<Outcome<Value>> {
    if (this.#state === 'lost') return Promise.resolve(failure('sessionLost'));
    if (this.#state !== 'connected' || this.#server === null) return Promise.resolve(failure('unknown'));
    return new Promise((resolve) => {
      const end = (outcome: Outcome<Value>): void => {
        this.#pending.delete(giveUp);
        timer.cancel();
        resolve(outcome);
      };
      const giveUp = (): void => end(failure('unknown'));
      this.#pending.add(giveUp);
      const timer = this.#doors.clock.setTimer((this.#doors.server.sessionMs * 2) / 3, giveUp);
      this.#exchange(ask, serverMs, end);
    });
  }

  /** There and back, in order. Nothing comes back where the way is cut or the answer is lost. */
  #exchange<Value>(
    ask: (session: ServerSession) => Outcome<Value>,
    serverMs: number,
    answered: (outcome: Outcome<Value>) => void,
  ): void {
    const { scheduler, link, life, random, server } = this.#doors;
    if (link.isCut) return;
    this.#lastRequestAtMs = Math.max(
      this.#lastRequestAtMs,
      scheduler.nowMs + this.#latencyMs() + link.slownessMs + random.fraction() * serverMs,
    );
    scheduler.at(this.#lastRequestAtMs, null, () => {
      if (link.isCut || server.isDown) return;
      const session = this.#reach();
      if (session?.isRefused === true) return;
      const outcome = session === null || session.isExpired ? failure('sessionLost') : ask(session);
      if (random.chance(link.replyLossShare)) return;
      this.#lastReplyAtMs = Math.max(this.#lastReplyAtMs, scheduler.nowMs + this.#latencyMs());
      scheduler.at(this.#lastReplyAtMs, life, () => {
        if (link.isCut) return;
        this.#heard(outcome);
        answered(outcome);
      });
    });
  }

  /** What the server knows of this session when a request of it arrives. */
  #reach(): ServerSession | null {
    const { server, link, scheduler } = this.#doors;
    if (this.#server === null && this.#state === 'connecting') {
      this.#server = server.open((paths) => this.#changed(paths));
    }
    if (this.#server !== null) {
      this.#server.lastHeardMs = scheduler.nowMs;
      this.#server.staleMs = link.staleMs;
    }
    return this.#server;
  }

  #heard(outcome: Outcome<unknown>): void {
    if (this.#state === 'lost') return;
    if (!outcome.ok && outcome.failure === 'sessionLost') {
      this.#change('lost');
      return;
    }
    this.#lastReplyMs = this.#doors.clock.monotonicMs();
    if (this.#state !== 'connected') {
      this.#change('connected');
      for (const observer of this.#observers) this.#notify(observer);
    }
  }

  /** Pings every quarter of the timeout, or faster while nothing comes back. */
  #beat(): void {
    if (this.#state === 'lost') return;
    const { clock, server } = this.#doors;
    const silenceMs = clock.monotonicMs() - this.#lastReplyMs;
    if (this.#state === 'connected' && silenceMs > server.sessionMs / 3 + 20) this.#change('suspended');
    // Whom no server serves any more begins anew (W14).
    if (this.#state === 'suspended' && silenceMs > server.sessionMs * 3) this.#change('lost');
    this.#exchange(
      () => ({ ok: true, value: null }),
      0,
      () => undefined,
    );
    const isWell = this.#state === 'connected' && silenceMs < server.sessionMs / 5;
    clock.setTimer(isWell ? server.sessionMs / 8 : server.sessionMs / 20, () => this.#beat());
  }

  #poll(): void {
    const { clock, server, random } = this.#doors;
    clock.setTimer(server.sessionMs * POLL_SHARE * (1 + random.fraction()), () => {
      if (this.#state === 'lost') return;
      for (const observer of this.#observers) this.#notify(observer);
      this.#poll();
    });
  }

  /** At the server: something was committed. */
  #changed(paths: ReadonlySet<string>): void {
    const { scheduler, link, life, random } = this.#doors;
    for (const observer of this.#observers) {
      if (!touches(observer, paths) || link.isCut || random.chance(link.replyLossShare)) continue;
      this.#lastReplyAtMs = Math.max(this.#lastReplyAtMs, scheduler.nowMs + this.#latencyMs());
      scheduler.at(this.#lastReplyAtMs, life, () => this.#notify(observer));
    }
  }

  #notify(observer: Observer): void {
    if (this.#state === 'connected' && this.#observers.has(observer)) observer.listener();
  }

  #change(state: SessionState): void {
    if (this.#state === state || this.#state === 'lost') return;
    this.#state = state;
    if (state === 'lost') for (const giveUp of this.#pending) giveUp();
    for (const listener of this.#listeners)
      this.#doors.scheduler.after(0, this.#doors.life, () => listener(state));
  }

  #latencyMs(): number {
    return LATENCY_MS_MIN + this.#doors.random.fraction() ** 2 * JITTER_MS;
  }
}

export type { SimulatedSession };

const failure = (what: Failure): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure: what,
});

function touches({ path, of }: Observer, paths: ReadonlySet<string>): boolean {
  if (of === 'node') return paths.has(path);
  return [...paths].some((changed) => changed.slice(0, changed.lastIndexOf('/')) === path);
}
