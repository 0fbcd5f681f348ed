import { CONTROLLER_EPOCH_PATH, CONTROLLER_PATH } from '../../../src/coordination/paths.ts';
import { asPartitionId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { CandidateWatch } from '../checkers/candidate-watch.ts';
import { ControllerWatch } from '../checkers/controller-watch.ts';
import { Coverage } from '../checkers/coverage.ts';
import { DEFECT, Findings } from '../checkers/findings.ts';
import { FloorWatch } from '../checkers/floor-watch.ts';
import { History, type Operation } from '../checkers/history.ts';
import { PartitionStateWatch } from '../checkers/partition-state-watch.ts';
import type { NodeProbe, ReplicaProbe } from '../checkers/probe.ts';
import { compareDigests, compareReplica } from '../checkers/replica-comparison.ts';
import { ReplicaWatch } from '../checkers/replica-watch.ts';
import { putInForce } from '../mutations/mutation.ts';
import { mutationNamed } from '../mutations/mutations.ts';
import { SimulatedWorld } from '../world/simulated-world.ts';
import type { World, WorldOptions } from '../world/world.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import { sizesOf } from '../world/world-sizes.ts';
import { Aftershocks } from './aftershocks.ts';
import type { ClientCrowd } from './client-crowd.ts';
import { crowdOf, judgeClients, resultOf } from './client-verdicts.ts';
import { ClusterProbe } from './cluster-probe.ts';
import { CoverageWatch } from './coverage-watch.ts';
import { FaultPatterns, patternOf } from './fault-patterns.ts';
import { FinalRequests } from './final-requests.ts';
import { strikeAlone } from './lone-faults.ts';
import { simulateLone } from './lone-run.ts';
import { Operator } from './operator.ts';
import type { RunResult } from './run-result.ts';
import { mayForget, type RunSettings } from './run-settings.ts';
import { checkSilence } from './silence-check.ts';
import { WorldTransport } from './world-transport.ts';

/** Between two looks at counters. */
const COUNTERS_EVERY_MS = 50;
/** In one second of virtual time; a busy one has some 5,000. */
const EVENTS_PER_SECOND_MAX = 60_000;
/** Mean time between two comparisons of a whole replica. */
const COMPARISON_EVERY_MS = 3_000;

/** Runs one seed: faults and clients, then healing, then every check. Throws only when the simulator itself is broken. */
export async function simulateRun(settings: RunSettings): Promise<RunResult> {
  if (settings.isAlone) return simulateLone(settings);
  const startedMs = performance.now();
  const mutation = settings.mutation === null ? null : mutationNamed(settings.mutation);
  const restore = mutation === null ? null : putInForce(mutation);
  const world = new SimulatedWorld({
    ...worldOptions(settings),
    ...(mutation === null ? {} : { rules: mutation.rules }),
  });
  try {
    const run = new SimulationRun(settings, world);
    await run.serve();
    await run.heal();
    run.judge();
    return run.result(performance.now() - startedMs, world.digest);
  } finally {
    world.end();
    restore?.();
  }
}

function worldOptions(settings: RunSettings): Partial<WorldOptions> {
  const { seed, nodes, partitions, replicationFactor, minInsync, flushMode, slownessMs, leaseMsMax } =
    settings;
  const timing = { ...WORLD_TIMING, leaseMsMax };
  return {
    seed,
    nodeCount: nodes,
    partitionCount: partitions,
    replicationFactor,
    minInsync,
    flushMode,
    slownessMs,
    timing,
    sizes: sizesOf(seed),
    configurationsFollow: true,
  };
}

/**
 * A node that stopped because an invariant of PROTOCOL 2.10 was about to break was caught by that invariant; anything
 * else is a crash.
 */
function checkerOf(defect: string): string {
  const invariant = /InvariantError.*\((I\d+)\)/.exec(defect)?.[1];
  return invariant === undefined ? DEFECT : `${invariant}${AT_RUN_TIME}`;
}

const AT_RUN_TIME = ' at run time';

/** The mutant was stopped by a check of its own. */
export const isAtRunTime = (checker: string): boolean => checker.endsWith(AT_RUN_TIME);

const isPresent = (state: PartitionState | null): state is PartitionState => state !== null;

class SimulationRun {
  readonly #settings: RunSettings;
  readonly #world: World;
  readonly #findings: Findings;
  readonly #history: History;
  readonly #coverage = new Coverage();
  readonly #watch: ReplicaWatch;
  readonly #probe: ClusterProbe;
  readonly #transport: WorldTransport;
  readonly #crowd: ClientCrowd;
  readonly #operator: Operator;
  readonly #aftershocks: Aftershocks;
  readonly #patterns: FaultPatterns;
  /** As they stand after the event. */
  #nodes: readonly NodeProbe[] = [];
  #isJudged = false;
  #busyFromMs = 0;
  #eventsAtBusy = 0;
  #servingSinceMs = 0;
  #operations: readonly Operation[] = [];

  constructor(settings: RunSettings, world: World) {
    const nowMs = (): number => world.nowMs;
    this.#settings = settings;
    this.#world = world;
    this.#findings = new Findings(nowMs);
    this.#history = new History(() => world.trueWallMs);
    this.#probe = new ClusterProbe(world);
    this.#watch = new ReplicaWatch(() => this.#nodes, this.#findings, {
      minInsync: settings.minInsync,
      nowMs: () => world.trueWallMs,
    });
    this.#transport = new WorldTransport(world);
    this.#crowd = crowdOf(settings, world, this.#transport, this.#history, this.#coverage);
    const random = new SeededRandom(settings.seed ^ 0x0b5e55ed);
    this.#operator = new Operator(world, random.fork(), !settings.isForgetful);
    this.#aftershocks = new Aftershocks(world, random.fork());
    const memory = { mayForget: mayForget(settings), isForgetful: settings.isForgetful };
    this.#patterns = new FaultPatterns(world, random.fork(), memory, (name) =>
      this.#coverage.hit(patternOf(name)),
    );
    this.#observe();
    this.#compareNowAndThen(random.fork());
  }

  /** Clients ask while faults happen, until enough of both has been. */
  async serve(): Promise<void> {
    const { operationsMin, faultsMin, busyMsMax, healMsMax, faultEveryMs } = this.#settings;
    await this.#world.start();
    const began = await this.#world.runUntil(() => this.#world.isStable(), healMsMax);
    this.#findings.expect(began, 'heals', () => `not stable ${healMsMax} ms after the start`);
    this.#servingSinceMs = this.#world.nowMs;
    this.#crowd.start();
    this.#world.startFaults({ everyMs: faultEveryMs, weights: this.#faultWeights() });
    this.#aftershocks.start();
    // They kill several at a time, who under a weak flush mode would all have to be given back what only they had (R18).
    if (this.#settings.flushMode === 'always') this.#patterns.start();
    this.#operator.start();
    const isEnough = (): boolean =>
      this.#isBroken ||
      (this.#history.checkedCount >= operationsMin && this.#world.faults.length >= faultsMin);
    await this.#world.runUntil(isEnough, busyMsMax);
    this.#world.stopFaults();
    this.#aftershocks.stop();
    this.#patterns.stop();
    this.#operator.stop();
  }

  #faultWeights(): { readonly coordinatorLosesWrites?: number } {
    return mayForget(this.#settings) ? {} : { coordinatorLosesWrites: 0 };
  }

  /** No more faults: everything comes back, serves, and is equal. */
  async heal(): Promise<void> {
    const { healMsMax } = this.#settings;
    if (this.#isBroken) return;
    const isHealed = await this.#world.quiesce(healMsMax);
    this.#findings.expect(
      isHealed,
      'heals',
      () => `not stable ${healMsMax} ms after the last fault: ${this.#standing()}`,
    );
    this.#crowd.stop();
    await this.#world.runUntil(() => this.#crowd.isIdle, healMsMax);
    if (isHealed) await this.#strikeAlone();
    await this.#askForLast();
    if (isHealed) await this.#compareReplicas();
    if (!this.#isBroken) await checkSilence(this.#world, this.#findings);
  }

  judge(): void {
    this.#isJudged = true;
    const world = this.#world;
    this.#operations = this.#history.operations();
    for (const defect of world.defects) this.#findings.add(checkerOf(defect), defect);
    const { faults } = world;
    const testimony = {
      settings: this.#settings,
      world,
      operations: this.#operations,
      crowd: this.#crowd,
      referenceOf: (partition: number) => this.#watch.reference(partition),
      disturbances: [...faults, ...this.#operator.wishes, ...this.#patterns.disturbances],
      servingSinceMs: this.#servingSinceMs,
    };
    judgeClients(testimony, this.#findings);
  }

  result(realMs: number, digest: string): RunResult {
    const told = { operations: this.#operations, coverage: this.#coverage, findings: this.#findings };
    return resultOf(this.#settings, this.#world, { ...told, realMs, digest });
  }

  /** What follows a broken state only repeats it. */
  get #isBroken(): boolean {
    return this.#findings.count > 0 || this.#world.defects.length > 0;
  }

  #observe(): void {
    const world = this.#world;
    const states = new PartitionStateWatch(this.#findings, this.#settings.minInsync);
    const coverage = new CoverageWatch(world, this.#coverage);
    const controllers = new ControllerWatch(this.#findings);
    const textAt = (path: string): string | null => world.coordinator.nodeAt(path)?.text ?? null;
    const candidates = new CandidateWatch(() => this.#nodes, this.#findings, {
      partitions: world.partitions,
      stateOf: (partition) => world.partitionState(asPartitionId(partition)),
      committedOf: (partition) => this.#watch.reference(partition).endOffset,
    });
    const floors = new FloorWatch(this.#probe.look, this.#findings, {
      stateOf: (partition) => world.partitionState(asPartitionId(partition)),
      mostOnDisk: (partition, node) => candidates.mostOnDisk(partition, node),
    });
    let countersAtMs = 0;
    let seenChanges = -1;
    world.observe(() => {
      this.#nodes = this.#probe.look();
      this.#watch.look();
      const { coordinator, coordinatorChanges } = world;
      const { lossCount } = coordinator;
      // As long as it is the same, it has been looked at.
      const isNews = coordinatorChanges !== seenChanges;
      seenChanges = coordinatorChanges;
      const known = isNews ? world.partitions.map((id) => world.partitionState(id)).filter(isPresent) : [];
      for (const state of known) {
        states.look(state, lossCount);
        this.#aftershocks.look(state);
        this.#patterns.look(state);
      }
      candidates.look();
      if (isNews) {
        const texts = { controller: textAt(CONTROLLER_PATH), epoch: textAt(CONTROLLER_EPOCH_PATH) };
        controllers.look(texts, known, lossCount);
      }
      coverage.look();
      this.#isQuietEnough();
      if (world.nowMs < countersAtMs) return;
      countersAtMs = world.nowMs + COUNTERS_EVERY_MS;
      coverage.lookAtCounters();
      floors.look();
    });
  }

  /** Two parts that answer each other without a pause would show only in the bill for electricity. */
  #isQuietEnough(): void {
    const { nowMs, eventCount } = this.#world;
    if (nowMs < this.#busyFromMs + 1_000) {
      if (eventCount - this.#eventsAtBusy > EVENTS_PER_SECOND_MAX && this.#findings.count === 0) {
        this.#findings.add(
          'busy',
          `${eventCount - this.#eventsAtBusy} events in ${nowMs - this.#busyFromMs} ms`,
        );
      }
      return;
    }
    this.#busyFromMs = nowMs;
    this.#eventsAtBusy = eventCount;
  }

  async #strikeAlone(): Promise<void> {
    const { seed, healMsMax } = this.#settings;
    const isHealed = await strikeAlone(this.#world, new SeededRandom(seed ^ 0xa10e), healMsMax);
    this.#findings.expect(
      isHealed,
      'heals',
      () => `not stable ${healMsMax} ms after a fault that came alone: ${this.#standing()}`,
    );
  }

  async #askForLast(): Promise<void> {
    const { healMsMax } = this.#settings;
    const last = new FinalRequests(this.#transport, this.#history);
    last.ask(this.#world.partitions, this.#history.operations());
    const isServed = await this.#world.runUntil(() => last.isDone, healMsMax);
    last.end();
    this.#findings.expect(
      isServed,
      'serves',
      () => `not every key is served ${healMsMax} ms after healing: ${this.#standing()}`,
    );
  }

  /** Every replica against what was committed. The last write has to reach the followers first. */
  async #compareReplicas(): Promise<void> {
    const { healMsMax } = this.#settings;
    const replicas = (): readonly ReplicaProbe[] => this.#probe.look().flatMap((node) => node.replicas);
    const areLevel = (): boolean =>
      replicas().every(
        ({ partition, highWatermark }) => highWatermark === this.#watch.reference(partition).endOffset,
      );
    const isLevel = await this.#world.runUntil(areLevel, healMsMax);
    this.#findings.expect(isLevel, 'heals', () => `high watermarks differ: ${this.#standing()}`);
    let open = 0;
    for (const replica of replicas()) {
      open += 1;
      void this.#compare(replica).finally(() => {
        open -= 1;
      });
    }
    for (const partition of this.#world.partitions) {
      open += 1;
      const own = replicas().filter((replica) => replica.partition === partition);
      void compareDigests(own, this.#findings)
        .catch((error: unknown) =>
          this.#findings.add('replicas equal', `partition ${partition}: ${String(error)}`),
        )
        .finally(() => {
          open -= 1;
        });
    }
    const isCompared = await this.#world.runUntil(() => open === 0, healMsMax);
    this.#findings.expect(isCompared, 'replicas equal', () => `${open} replicas could not be read whole`);
  }

  /** While the clients go on: one replica or another, as far as it has committed. */
  #compareNowAndThen(random: SeededRandom): void {
    this.#world.after(random.fraction() * 2 * COMPARISON_EVERY_MS, () => {
      if (this.#isJudged) return;
      const replicas = this.#probe.look().flatMap((node) => node.replicas);
      if (replicas.length > 0) void this.#compare(random.pick(replicas), true);
      this.#compareNowAndThen(random);
    });
  }

  /** `mayFail`: faults go on, so the disk may be bad. */
  #compare(replica: ReplicaProbe, mayFail = false): Promise<void> {
    const reference = this.#watch.reference(replica.partition);
    return compareReplica(replica, reference, this.#findings, () => this.#world.trueWallMs).catch(
      (error: unknown) => {
        if (!mayFail) this.#findings.add('replicas equal', `node ${replica.node}: ${String(error)}`);
      },
    );
  }

  /** Where everybody stands, for a finding. */
  #standing(): string {
    const states = this.#world.partitions.map((partition) => {
      const state = this.#world.partitionState(partition);
      return `partition ${partition} v${state?.version} leader ${state?.leader} epoch ${state?.leaderEpoch} isr [${state?.isr.join(' ')}] elr [${state?.elr.join(' ')}]`;
    });
    const replicas = this.#probe
      .look()
      .flatMap((node) =>
        node.replicas.map(
          ({ partition, isLeader, leaderEpoch, highWatermark, logEndOffset }) =>
            `n${node.node}/p${partition} ${isLeader ? 'leads' : 'follows'} in ${leaderEpoch} hw ${highWatermark} end ${logEndOffset}`,
        ),
      );
    return [...states, ...replicas].join('; ');
  }
}
