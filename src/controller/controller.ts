import { CoalescedWork } from '../coordination/coalesced-work.ts';
import type { CoordinatorSession } from '../coordination/coordinator.ts';
import { CLUSTER_PATH, NODES_PATH, PARTITIONS_PATH } from '../coordination/paths.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { AdminRequest, FromController, ToController } from '../model/control-messages.ts';
import { InvariantError } from '../model/errors.ts';
import type { ControllerEpoch, Incarnation, NodeId, PartitionId } from '../model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../model/partition-state.ts';
import type { Reign } from './campaign.ts';
import type { AdminResult, ControllerEffect, ControllerEvent } from './controller-event.ts';
import { type ControllerSettings, type ControllerState, idleState } from './controller-state.ts';
import { CoordinatorView, type Read } from './coordinator-view.ts';
import { logDecision } from './log-decision.ts';
import type { ControllerRules } from './rules/rules.ts';
import { step } from './step.ts';

export type { AdminResult } from './controller-event.ts';
export { CONTROLLER_SETTINGS, type ControllerSettings } from './controller-state.ts';

export interface ControllerOptions {
  readonly nodeId: NodeId;
  readonly session: CoordinatorSession;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ControllerSettings;
  /** Sends to a node (also to this one), or loses it. */
  send(node: NodeId, message: FromController): void;
  /** The controller gave up its reign; `epochSeen` is above ours if somebody knew more. Give it to `Campaign.gaveUp`. */
  gaveUp(reason: string, epochSeen: ControllerEpoch | null): void;
}

type Timeless<Event> = Event extends ControllerEvent ? Omit<Event, 'nowMs'> : never;

/** What belongs to one reign: an answer that comes for another one is dropped. */
interface Running {
  readonly view: CoordinatorView;
  readonly reign: Reign;
  readonly readingNodes: CoalescedWork;
  readonly readingShape: CoalescedWork;
  stopObserving: () => void;
}

/**
 * The shell around `step`: one queue of events, each worked off whole before the next (PROTOCOL 2.11). One for each
 * session; idle between reigns.
 */
export class Controller {
  readonly #rules: ControllerRules;
  readonly #options: ControllerOptions;
  readonly #queue: Timeless<ControllerEvent>[] = [];
  readonly #adminWaiters = new Map<number, (result: AdminResult) => void>();
  #state: ControllerState;
  /** When the process of a node was last refused, and in which life: a later one that reigns or leads meanwhile is not meant. */
  readonly #refused = new Map<NodeId, { readonly incarnation: Incarnation; readonly atMs: number }>();
  #isStepping = false;
  #running: Running | null = null;
  #timer: Timer | null = null;
  #nextRequestId = 1;

  constructor(rules: ControllerRules, options: ControllerOptions) {
    this.#rules = rules;
    this.#options = options;
    this.#state = idleState(options.nodeId, options.settings);
  }

  /** What it knows and is doing, for tests, checkers and status. */
  get state(): ControllerState {
    return this.#state;
  }

  /** The campaign was won. The world is read first; until then it answers as if it did not reign. */
  begin(reign: Reign): void {
    this.end();
    const { session, logger } = this.#options;
    const view = new CoordinatorView(session, reign, logger);
    const running: Running = {
      view,
      reign,
      readingNodes: new CoalescedWork(
        () => this.#readNodes(running),
        (error) => this.#fail(error),
      ),
      readingShape: new CoalescedWork(
        () => this.#readShape(running),
        (error) => this.#fail(error),
      ),
      stopObserving: () => {},
    };
    this.#running = running;
    this.#start(running).catch((error: unknown) => this.#fail(error));
  }

  /** The reign is over: everything in flight is dropped at once (W12). */
  end(): void {
    this.#running?.stopObserving();
    this.#running = null;
    this.#enqueue({ kind: 'reignEnded' });
  }

  /** From a node, this one included. Answers come through `send`. While it does not reign it answers proposals only. */
  receive(message: ToController): void {
    this.#enqueue({ kind: 'message', message });
  }

  /**
   * The process of this node, in the life in which it was last known, refuses connections: counts as dead for a while,
   * until it speaks or registers anew (R7).
   */
  nodeRefused(node: NodeId, incarnation: Incarnation): void {
    this.#refused.set(node, { incarnation, atMs: this.#options.clock.monotonicMs() });
    this.#enqueue({ kind: 'nodeRefused', node, incarnation });
  }

  /** Resolves when the wish has been taken over or refused. */
  admin(request: AdminRequest): Promise<AdminResult> {
    const requestId = this.#nextRequestId++;
    return new Promise((resolve) => {
      this.#adminWaiters.set(requestId, resolve);
      this.#enqueue({ kind: 'admin', requestId, request });
    });
  }

  /** Watches before it reads, so that no change falls between (PROTOCOL 2.2). */
  async #start(running: Running): Promise<void> {
    running.stopObserving = this.#observe(running);
    const world = await this.#persist(running, () => running.view.readWorld());
    if (world === undefined) return;
    const { controllerEpoch } = running.reign;
    this.#enqueue({ kind: 'reignBegan', controllerEpoch, world });
    // The predecessor itself may be the dead process by which this reign came about (R7): its session lives on.
    const sinceMs = this.#options.clock.monotonicMs() - this.#options.settings.refusedMsMax;
    for (const [node, { incarnation, atMs }] of this.#refused) {
      if (atMs > sinceMs) this.#enqueue({ kind: 'nodeRefused', node, incarnation });
    }
    running.readingNodes.request();
    running.readingShape.request();
  }

  /** Nothing is asked for before the world is read: what is observed then is read after it. */
  #observe(running: Running): () => void {
    const { session } = this.#options;
    const ifReigning = (work: CoalescedWork) => () => {
      if (this.#state.controllerEpoch !== null) work.request();
    };
    const stops = [
      session.observe(NODES_PATH, 'children', ifReigning(running.readingNodes)),
      session.observe(PARTITIONS_PATH, 'children', ifReigning(running.readingShape)),
      session.observe(CLUSTER_PATH, 'node', ifReigning(running.readingShape)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  async #readShape(running: Running): Promise<void> {
    const shape = await this.#persist(running, () =>
      running.view.readShape(new Set(this.#state.partitions.keys())),
    );
    if (shape !== undefined) this.#enqueue({ kind: 'shapeRead', shape });
  }

  async #readNodes(running: Running): Promise<void> {
    const nodes = await this.#persist(running, () => running.view.readNodes());
    if (nodes !== undefined) this.#enqueue({ kind: 'nodesChanged', nodes });
  }

  /** Reads until it is read; undefined: the reign is over. */
  async #persist<Value>(running: Running, read: () => Promise<Read<Value>>): Promise<Value | undefined> {
    while (running === this.#running) {
      const outcome = await read();
      if (running !== this.#running) return undefined;
      if (outcome.kind === 'read') return outcome.value;
      await this.#options.clock.sleep(this.#options.settings.retryMs);
    }
    return undefined;
  }

  #enqueue(event: Timeless<ControllerEvent>): void {
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
        this.#stepOrFail(next);
    } finally {
      this.#isStepping = false;
    }
  }

  /**
   * An event that cannot be worked off ends the reign: what comes after it may rest on what it was to say. Nobody who
   * asked for something waits for ever.
   */
  #stepOrFail(event: Timeless<ControllerEvent>): void {
    try {
      this.#step(event);
    } catch (error) {
      // The end of a reign has nothing left to end.
      if (event.kind === 'reignEnded') throw error;
      this.#queue.length = 0;
      for (const answer of this.#adminWaiters.values())
        answer({ ok: false, reason: 'the controller failed' });
      this.#adminWaiters.clear();
      this.#fail(error);
    }
  }

  #step(event: Timeless<ControllerEvent>): void {
    const { state, effects } = step(this.#rules, this.#state, {
      ...event,
      nowMs: this.#options.clock.monotonicMs(),
    });
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ControllerEffect): void {
    switch (effect.kind) {
      case 'write':
        this.#write(effect.next, effect.times).catch((error: unknown) => this.#fail(error));
        break;
      case 'readPartition':
        this.#readPartition(effect.partition).catch((error: unknown) => this.#fail(error));
        break;
      case 'writeFacts':
        this.#writeFacts(effect.facts).catch((error: unknown) => this.#fail(error));
        break;
      case 'readShape':
        this.#running?.readingShape.request();
        break;
      case 'send':
        this.#options.send(effect.node, effect.message);
        break;
      case 'wake':
        this.#wakeAt(effect.atMs);
        break;
      case 'resign':
        this.#resign(effect.reason, effect.epochSeen);
        break;
      case 'adminReply':
        this.#adminWaiters.get(effect.requestId)?.(effect.result);
        this.#adminWaiters.delete(effect.requestId);
        break;
      case 'decided':
        logDecision(this.#options.logger, effect);
        break;
    }
  }

  async #write(next: PartitionState, times: number): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    const outcome = await running.view.write(next, times);
    if (running === this.#running) this.#enqueue({ kind: 'written', partition: next.id, outcome });
  }

  async #writeFacts(facts: ClusterFacts): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    const outcome = await running.view.writeFacts(facts);
    if (running === this.#running) this.#enqueue({ kind: 'factsWritten', facts, outcome });
  }

  async #readPartition(partition: PartitionId): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    const state = await this.#persist(running, () => running.view.readPartition(partition));
    if (state !== undefined) this.#enqueue({ kind: 'partitionRead', partition, state });
  }

  #wakeAt(atMs: number | null): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (atMs === null) return;
    const delayMs = atMs - this.#options.clock.monotonicMs();
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#enqueue({ kind: 'timer' }));
  }

  #resign(reason: string, epochSeen: ControllerEpoch | null): void {
    this.#running?.stopObserving();
    this.#running = null;
    this.#options.logger.warn({ component: 'controller', epochSeen }, `the controller resigns: ${reason}`);
    this.#options.gaveUp(reason, epochSeen);
  }

  /** Our own bug: the reign ends, another controller reads everything anew. */
  #fail(error: unknown): void {
    this.#options.logger.error({ component: 'controller', err: error }, 'the controller failed');
    this.end();
    this.#options.gaveUp(error instanceof InvariantError ? error.message : 'it failed', null);
  }
}
