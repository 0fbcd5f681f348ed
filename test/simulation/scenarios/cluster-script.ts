import { expect } from 'chai';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import type { NodeId } from '../../../src/model/numbers.ts';
import type { NumberedCommand } from '../../../src/replication/leader-partition.ts';
import { Merge } from '../../../src/storage/merge.ts';
import { type Action, describeOutcome, History, type Outcome } from '../checkers/history.ts';
import { checkLinearizability } from '../checkers/linearizability.ts';
import { compareReplica } from '../checkers/replica-comparison.ts';
import { WorldTransport } from '../runner/world-transport.ts';
import type { LiveNode, WorldOptions } from '../world/world.ts';
import { HEAL_MS_MAX, P0, type ScriptOptions, ScriptStage } from './script-stage.ts';

const DEADLINE_MS = 4_000;

/** A request under way. `text` is null until the client knows: the reply, or `refused (..)` or `unknown (..)`. */
export interface Asked {
  text: string | null;
}

/**
 * A story about a cluster of production nodes: everything that happens is said. All checkers look on, and at the end
 * everything is healed and every replica compared with what was committed.
 */
export class ClusterScript extends ScriptStage {
  readonly #history: History;
  readonly #transport: WorldTransport;
  /** The operation of each numbered command: one, however often it is sent. */
  readonly #operations = new Map<string, number>();

  private constructor(options: ScriptOptions) {
    super(options);
    this.#history = new History(() => this.world.trueWallMs);
    this.#transport = new WorldTransport(this.world);
  }

  /**
   * Plays a story in a cluster that has just become stable, and looks at what is left of it. CASKADE_SEED_SHIFT=1 plays
   * it in another world.
   */
  static async play(
    { seed, ...options }: ScriptOptions & Pick<WorldOptions, 'seed'>,
    story: (script: ClusterScript) => Promise<void>,
  ): Promise<void> {
    const { CASKADE_SEED_SHIFT } = process.env;
    const script = new ClusterScript({ ...options, seed: seed + 1000 * Number(CASKADE_SEED_SHIFT ?? 0) });
    try {
      await script.world.start();
      await script.untilStable();
      await story(script);
      await script.#finish();
    } catch (error) {
      script.#showEvents();
      throw error;
    } finally {
      script.world.end();
    }
  }

  /** CASKADE_EVENTS=1 shows all that happened before a story failed. */
  #showEvents(): void {
    const { CASKADE_EVENTS } = process.env;
    if (CASKADE_EVENTS !== undefined) process.stdout.write(`${this.world.events.lines().join('\n')}\n`);
  }

  // Clients

  /** Sends and goes on. `told` is called once, with what becomes its text. */
  begin(action: Action, to: NodeId = this.leader, told: (text: string) => void = () => undefined): Asked {
    const id = this.#history.invoke(1, P0, action);
    return this.#send(action, to, {}, (outcome) => {
      this.#history.complete(id, outcome);
      told(describeOutcome(outcome));
    });
  }

  /** The same sequence with the same command again is the same operation. */
  beginNumbered(numbered: NumberedCommand, action: Action, to: NodeId = this.leader): Asked {
    const name = JSON.stringify([numbered.producer, numbered.sequence]);
    const id = this.#operations.get(name) ?? this.#history.invoke(1, P0, action);
    this.#operations.set(name, id);
    return this.#send(action, to, { numbered }, (outcome) => {
      if (outcome.kind === 'done') this.#history.complete(id, outcome);
    });
  }

  askNumbered(numbered: NumberedCommand, action: Action, to: NodeId = this.leader): Promise<string> {
    return this.answer(this.beginNumbered(numbered, action, to));
  }

  #send(
    action: Action,
    to: NodeId,
    command: { readonly numbered?: NumberedCommand },
    settled: (outcome: Outcome) => void,
  ): Asked {
    const asked: Asked = { text: null };
    const settle = (outcome: Outcome): void => {
      if (asked.text !== null) return;
      asked.text = describeOutcome(outcome);
      settled(outcome);
    };
    const bounds = { deadlineMs: DEADLINE_MS, stalenessMsMax: 0 };
    this.world.after(DEADLINE_MS, () => settle({ kind: 'unknown', reason: 'client timeout' }));
    this.#transport.send(
      to,
      { partition: P0, action, consistency: 'leader', ...bounds, ...command },
      ({ outcome }) => settle(outcome),
      (how) => settle({ kind: how === 'refused' ? 'refused' : 'unknown', reason: `connection ${how}` }),
    );
    return asked;
  }

  async answer(asked: Asked): Promise<string> {
    await this.world.runUntil(() => asked.text !== null, 2 * DEADLINE_MS, 0);
    return asked.text ?? 'never answered';
  }

  ask(action: Action, to: NodeId = this.leader): Promise<string> {
    return this.answer(this.begin(action, to));
  }

  set(key: string, value: string, to: NodeId = this.leader): Promise<string> {
    return this.ask({ kind: 'set', key, value, dueMs: 0 }, to);
  }

  get(key: string, to: NodeId = this.leader): Promise<string> {
    return this.ask({ kind: 'get', key }, to);
  }

  del(key: string, to: NodeId = this.leader): Promise<string> {
    return this.ask({ kind: 'delete', key }, to);
  }

  /** Fails unless it is done. */
  async mustSet(key: string, value: string): Promise<void> {
    expect(await this.set(key, value), `SET ${key} ${value}`).to.equal('OK');
  }

  async mustDelete(key: string): Promise<void> {
    expect(await this.del(key), `DEL ${key}`).to.equal(':1');
  }

  /** Overwrites keys of no interest with this many bytes, in batches of their own. */
  async fill(bytes: number): Promise<void> {
    const value = 'x'.repeat(2_000);
    for (let done = 0; done < bytes; done += value.length) await this.mustSet(`filler ${done}`, value);
  }

  /** Asks whoever leads until it is done. How long that took, in ms. */
  async untilDone(
    action: Action,
    msMax = 10_000,
  ): Promise<{ readonly reply: string; readonly tookMs: number }> {
    const sinceMs = this.world.nowMs;
    let last = 'nobody led';
    while (this.world.nowMs - sinceMs < msMax) {
      const { leader } = this.state;
      last = leader === null ? last : await this.ask(action, leader);
      if (!/^(refused|unknown)/.test(last) && leader !== null)
        return { reply: last, tookMs: this.world.nowMs - sinceMs };
      await this.run(20);
    }
    throw new Error(
      `${JSON.stringify(action)} is not done within ${msMax} ms: ${last}; ${this.world.describe()}`,
    );
  }

  // What is done to nodes

  /** Controlled transfer: it becomes the preferred replica, and an operator asks for it. */
  async lead(id: NodeId): Promise<void> {
    await this.untilStable();
    this.world.admin({
      kind: 'reassign',
      partition: P0,
      replicas: [id, ...this.state.replicas.filter((node) => node !== id)],
    });
    await this.until('it is preferred', () => this.state.replicas[0] === id);
    this.world.admin({ kind: 'electPreferred', partition: P0 });
    await this.until(`node ${id} leads`, () => this.isServedBy(id));
    await this.untilStable();
  }

  kill(id: NodeId, policy: SurvivalPolicy = 'keepAll'): void {
    this.node(id).kill(policy);
  }

  start(id: NodeId): void {
    this.node(id).machine.start();
  }

  /** Between these two nothing arrives, in either direction. */
  cut(one: NodeId, other: NodeId): void {
    this.world.network.cut(one, other);
    this.world.network.cut(other, one);
  }

  mend(one: NodeId, other: NodeId): void {
    this.world.network.mend(one, other);
    this.world.network.mend(other, one);
  }

  /** From all other nodes. It reaches the coordinator. */
  isolate(id: NodeId): void {
    for (const other of this.others(id)) this.cut(id, other);
  }

  rejoin(id: NodeId): void {
    for (const other of this.others(id)) this.mend(id, other);
  }

  /** From the coordinator alone. */
  cutCoordinator(id: NodeId, isCut = true): void {
    this.node(id).machine.link.isCut = isCut;
  }

  /** Controllers are started anew until a node without a replica reigns; returns it. */
  async reignOfSpare(): Promise<NodeId> {
    const { world } = this;
    const spare = world.nodes.map(({ id }) => id).find((id) => !this.state.replicas.includes(id));
    if (spare === undefined) throw new Error('every node has a replica');
    for (let count = 0; count < 20 && world.controller !== spare; count += 1) {
      const { controller } = world;
      if (controller !== null) this.node(controller).restart();
      await this.run(1_000);
      await this.untilStable();
    }
    expect(world.controller).to.equal(spare);
    return spare;
  }

  expireSession(id: NodeId): void {
    const { session } = this.node(id).machine;
    if (session !== null) this.world.coordinator.expire(session);
  }

  /** The newest `count` transactions never were. */
  loseWrites(count: number): void {
    this.world.coordinator.loseWrites(count);
  }

  /** In the node's own life and time. */
  async onNode<Result>(id: NodeId, task: (live: LiveNode) => Promise<Result>): Promise<Result> {
    let result: { readonly value: Result } | null = null;
    let failure: unknown = null;
    const live = this.live(id);
    task(live).then(
      (value) => {
        result = { value };
      },
      (error: unknown) => {
        failure = error;
      },
    );
    await this.until(`node ${id} has done it`, () => result !== null || failure !== null);
    if (result === null) throw failure;
    return (result as { readonly value: Result }).value;
  }

  /** Seals the active segment. */
  roll(id: NodeId): Promise<void> {
    return this.onNode(id, () => this.store(id).rollNow());
  }

  async rollAll(): Promise<void> {
    await this.untilLevel();
    for (const { id } of this.world.nodes) await this.roll(id);
  }

  /**
   * Merges sealed segments while nothing else happens to the log. Tombstones go as if every replica had reported them,
   * whatever is so.
   */
  async merge(id: NodeId, first = 0, count = this.store(id).log.segments.length - 1): Promise<void> {
    await this.onNode(id, async ({ cluster }) => {
      const store = this.store(id);
      const { fileSystem, clock } = cluster.replicas.doors;
      const { directory, hasher, log, index } = store;
      const doors = { fileSystem, clock, directory, hasher, hashSeed: store.meta.hashSeed };
      const merge = new Merge(
        doors,
        log,
        index,
        { bytesPerSecondMax: 0 },
        {
          syncEvidence: () => store.syncEvidence(),
          committedOffset: () => store.committedOffset,
          tombstoneRemoveOffset: () => store.committedOffset,
          isFloorPinned: () => false,
          producers: store.producers,
          isCancelled: () => false,
          exclusively: (change) => change(),
        },
      );
      await merge.run(first, count);
    });
  }

  // The end

  async #finish(): Promise<void> {
    expect(await this.world.quiesce(HEAL_MS_MAX), `heals: ${this.world.describe()}`).to.equal(true);
    await this.untilDone({ kind: 'set', key: 'last', value: 'last', dueMs: 0 });
    if (this.isClean) {
      await this.untilLevel();
      await this.#compareReplicas();
      for (const verdict of checkLinearizability(this.#history.operations(), {
        wallAheadMsMax: this.world.wallAheadMsMax,
      })) {
        if (verdict.kind !== 'linearizable') this.findings.add('linearizability', verdict.text);
      }
    }
    expect(this.findings.list).to.deep.equal([]);
    expect(this.world.defects).to.deep.equal([]);
  }

  async #compareReplicas(): Promise<void> {
    let open = 0;
    for (const { replicas } of this.probe.look()) {
      for (const replica of replicas) {
        open += 1;
        void compareReplica(replica, this.reference, this.findings, () => this.world.trueWallMs)
          .catch((error: unknown) => this.findings.add('replicas equal', String(error)))
          .finally(() => {
            open -= 1;
          });
      }
    }
    await this.until('every replica is read', () => open === 0);
  }
}
