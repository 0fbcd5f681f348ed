import { asOffset, type Offset, type PartitionId } from '../../../src/model/numbers.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { Coverage } from '../checkers/coverage.ts';
import { DEFECT, Findings } from '../checkers/findings.ts';
import { History, type Operation } from '../checkers/history.ts';
import type { LogRecord } from '../checkers/log-records.ts';
import type { ReplicaProbe } from '../checkers/probe.ts';
import { committedRecords, compareReplica } from '../checkers/replica-comparison.ts';
import { ReplicaWatch } from '../checkers/replica-watch.ts';
import type { FaultKind } from '../world/fault.ts';
import { type LiveLoneNode, LoneWorld } from '../world/lone-world.ts';
import { sizesOf } from '../world/world-sizes.ts';
import type { ClientCrowd } from './client-crowd.ts';
import { crowdOf, judgeClients, resultOf } from './client-verdicts.ts';
import { DRILL_NAMES, DRILLS, type Drill, drillOf } from './drills.ts';
import { FinalRequests } from './final-requests.ts';
import { LoneProbe } from './lone-probe.ts';
import { LoneTransport } from './lone-transport.ts';
import { faultAt, TAIL_GIVEN_UP, UNSYNCED_LOST } from './report.ts';
import type { RunResult } from './run-result.ts';
import type { RunSettings } from './run-settings.ts';

/** Mean time between two comparisons of a whole log. */
const COMPARISON_EVERY_MS = 3_000;
/** Longer than the longest time between two syncs under flush mode interval, on a slow disk. */
const SYNCED_MS = 1_500;
const BURST_ROUNDS = 20;
const BURST_PAUSE_MS_MAX = 25;
/** What a quiet node suffers at the end, one after the other. */
const LAST_KINDS: readonly FaultKind[] = ['documentDamage', 'segmentDamage', 'hintDamage', 'diskFull'];

/**
 * Runs one seed of a node that is alone: faults and clients, then healing, then every check; and at last the operator
 * gives up a rotten tail.
 */
export async function simulateLone(settings: RunSettings): Promise<RunResult> {
  const startedMs = performance.now();
  const { seed, partitions, flushMode, slownessMs } = settings;
  const sizes = sizesOf(seed);
  const world = new LoneWorld({ seed, partitionCount: partitions, flushMode, slownessMs, sizes });
  try {
    const run = new LoneRun(settings, world);
    await run.serve();
    await run.heal();
    await run.drill();
    run.judge();
    await run.cutPower();
    await run.giveUpTails();
    return run.result(performance.now() - startedMs, world.digest);
  } finally {
    world.end();
  }
}

class LoneRun {
  readonly #settings: RunSettings;
  readonly #world: LoneWorld;
  readonly #findings: Findings;
  readonly #history: History;
  readonly #coverage = new Coverage();
  readonly #watch: ReplicaWatch;
  readonly #probe: LoneProbe;
  readonly #transport: LoneTransport;
  readonly #crowd: ClientCrowd;
  readonly #random: SeededRandom;
  #seen: LiveLoneNode | null = null;
  #isJudged = false;
  #servingSinceMs = 0;
  #operations: readonly Operation[] = [];

  constructor(settings: RunSettings, world: LoneWorld) {
    this.#settings = settings;
    this.#world = world;
    this.#findings = new Findings(() => world.nowMs);
    this.#history = new History(() => world.trueWallMs);
    this.#probe = new LoneProbe(world);
    this.#watch = this.#newWatch();
    this.#transport = new LoneTransport(world);
    this.#crowd = crowdOf(settings, world, this.#transport, this.#history, this.#coverage);
    this.#random = new SeededRandom(settings.seed ^ 0x10e);
    world.observe(() => {
      if (this.#isJudged) return;
      this.#lookAtNewLife();
      this.#watch.look();
    });
    this.#compareNowAndThen();
  }

  async serve(): Promise<void> {
    const { operationsMin, faultsMin, busyMsMax, healMsMax, faultEveryMs } = this.#settings;
    const world = this.#world;
    world.start();
    const began = await world.runUntil(() => world.isStable(), healMsMax);
    this.#findings.expect(began, 'heals', () => `does not serve ${healMsMax} ms after the start`);
    this.#servingSinceMs = world.nowMs;
    this.#crowd.start();
    world.startFaults(faultEveryMs);
    const isEnough = (): boolean =>
      this.#isBroken || (this.#history.checkedCount >= operationsMin && world.faults.length >= faultsMin);
    await world.runUntil(isEnough, busyMsMax);
    world.stopFaults();
  }

  async heal(): Promise<void> {
    const { healMsMax } = this.#settings;
    if (this.#isBroken) return;
    await this.#expectServing('after the last fault');
    this.#crowd.stop();
    await this.#world.runUntil(() => this.#crowd.isIdle, healMsMax);
    for (const kind of LAST_KINDS) {
      if (this.#isBroken || !this.#world.fire(kind)) continue;
      await this.#world.run(600);
      await this.#expectServing(`after ${kind}, which came alone`);
    }
    if (!this.#isBroken) await this.#askForLast(this.#history);
    if (!this.#isBroken) await this.#compareAll();
  }

  /**
   * What nobody but an operator, or a backup, can have done to the files: each is refused, and all is well with the
   * files as they were.
   */
  async drill(): Promise<void> {
    const { healMsMax, flushMode } = this.#settings;
    for (const name of DRILL_NAMES) {
      if (this.#isBroken) return;
      const drill: Drill = DRILLS[name];
      if (drill.onlyAlways === true && flushMode !== 'always') continue;
      const at = this.#random.below(this.#world.partitions.length);
      const { isHarmed, refusedWith, isBack } = await this.#world.drill((all) => {
        const [files, others] = [all[at], all[(at + 1) % all.length]];
        if (files === undefined || others === undefined) return false;
        return drill.harm({ files, others, random: this.#random });
      }, healMsMax);
      if (isHarmed) this.#coverage.hit(drillOf(name));
      this.#findings.expect(
        isBack && (!isHarmed || refusedWith === drill.expected),
        'drill',
        () => `${name} at partition ${at}: refused with ${refusedWith}, and then ${isBack ? '' : 'not '}back`,
      );
    }
    if (!this.#isBroken) await this.#compareAll();
  }

  judge(): void {
    this.#isJudged = true;
    const world = this.#world;
    this.#operations = this.#history.operations();
    for (const { kind, roles } of world.faults) {
      for (const role of roles) this.#coverage.hit(faultAt(kind, role));
    }
    judgeClients(
      {
        settings: this.#settings,
        world,
        operations: this.#operations,
        crowd: this.#crowd,
        referenceOf: (partition) => this.#watch.reference(partition),
        disturbances: world.faults,
        servingSinceMs: this.#servingSinceMs,
      },
      this.#findings,
    );
  }

  /**
   * R18: under a weak mode a power cut takes the end of what was not synced, and nothing before it. What was
   * acknowledged last is lost, so it comes behind all other checks.
   */
  async cutPower(): Promise<void> {
    const { flushMode, healMsMax } = this.#settings;
    const world = this.#world;
    if (this.#isBroken || flushMode === 'always') return;
    await world.run(SYNCED_MS);
    const syncedEnds = world.partitions.map((partition) => this.#watch.reference(partition).endOffset);
    const last = new FinalRequests(this.#transport, new History(() => world.trueWallMs));
    for (let round = 0; round < BURST_ROUNDS; round += 1) {
      last.ask(world.partitions, []);
      await world.run(this.#random.fraction() * BURST_PAUSE_MS_MAX);
    }
    last.end();
    const ends = this.#replicas().map(({ logEndOffset }) => logEndOffset);
    const isBack = await world.cutPower(this.#random.pick(['loseAll', 'random']), healMsMax);
    this.#findings.expect(isBack, 'heals', () => `does not serve ${healMsMax} ms after a power cut`);
    for (const replica of this.#replicas()) {
      const end = await this.#endOfLog(replica);
      if (end < (ends[replica.partition] ?? 0)) this.#coverage.hit(UNSYNCED_LOST);
      const synced = flushMode === 'interval' ? (syncedEnds[replica.partition] ?? 0) : 0;
      this.#findings.expect(
        end >= synced,
        'flush interval',
        () => `partition ${replica.partition}: ends at ${end} after a power cut; ${synced} was synced`,
      );
      await this.#compareInTime([replica], asOffset(end));
    }
  }

  /**
   * R19: never without the operator's word; with it everything before the last batch is there, and later starts need no
   * word. What was acknowledged in that batch is lost, so it comes last.
   */
  async giveUpTails(): Promise<void> {
    for (const partition of this.#world.partitions) {
      if (this.#isBroken) return;
      await this.#giveUpTail(partition);
    }
    if (this.#isBroken) return;
    const { healMsMax } = this.#settings;
    const isBack = await this.#world.restart(healMsMax);
    this.#findings.expect(isBack, 'torn tail', () => 'a start after the operator gave up the tail fails');
    await this.#askForLast(new History(() => this.#world.trueWallMs));
  }

  result(realMs: number, digest: string): RunResult {
    for (const defect of this.#world.defects) this.#findings.add(DEFECT, defect);
    const told = { operations: this.#operations, coverage: this.#coverage, findings: this.#findings };
    return resultOf(this.#settings, this.#world, { ...told, realMs, digest });
  }

  /** What follows a broken state only repeats it. */
  get #isBroken(): boolean {
    return this.#findings.count > 0 || this.#world.defects.length > 0;
  }

  #newWatch(): ReplicaWatch {
    const nowMs = (): number => this.#world.trueWallMs;
    return new ReplicaWatch(this.#probe.look, this.#findings, { minInsync: 1, nowMs });
  }

  /**
   * What was written and not yet acknowledged when the last life ended is committed by the start of the next: no high
   * watermark passes it that anybody could see.
   */
  #lookAtNewLife(): void {
    const { live } = this.#world;
    if (live === null || live === this.#seen) return;
    this.#seen = live;
    for (const replica of this.#replicas()) {
      const reference = this.#watch.reference(replica.partition);
      const { endOffset } = reference;
      const from = asOffset(Math.max(endOffset, replica.logStartOffset));
      if (replica.highWatermark <= from) continue;
      const note = (records: readonly LogRecord[]): void => {
        for (const record of records) {
          if (record.offset >= endOffset)
            reference.confirm(record, `life ${live.life}`, this.#world.trueWallMs);
        }
      };
      void committedRecords(replica, replica.highWatermark, from).then(note, () => undefined);
    }
  }

  async #expectServing(when: string): Promise<void> {
    const { healMsMax } = this.#settings;
    const isHealed = await this.#world.quiesce(healMsMax);
    this.#findings.expect(isHealed, 'heals', () => `does not serve ${healMsMax} ms ${when}`);
  }

  async #giveUpTail(partition: PartitionId): Promise<void> {
    const { healMsMax, flushMode } = this.#settings;
    const given = await this.#world.giveUpTail(partition, this.#random, healMsMax);
    if (given === null) return;
    this.#coverage.hit(TAIL_GIVEN_UP);
    const { refusedWith, verdict, lostFrom } = given;
    // A weak mode gives every bad tail up.
    const expected = flushMode === 'always' ? 'tornTailRefused' : null;
    this.#findings.expect(
      refusedWith === expected && verdict === 'lossy',
      'torn tail',
      () => `partition ${partition}, rotten last batch: the start says ${refusedWith}, then it is ${verdict}`,
    );
    const replica = this.#replicas().find((each) => each.partition === partition);
    // Under a weak mode offsets were used again since the power cut.
    if (replica !== undefined && flushMode === 'always') await this.#compareInTime([replica], lostFrom);
  }

  async #askForLast(history: History): Promise<void> {
    const { healMsMax } = this.#settings;
    const last = new FinalRequests(this.#transport, history);
    last.ask(this.#world.partitions, this.#history.operations());
    const isServed = await this.#world.runUntil(() => last.isDone, healMsMax);
    last.end();
    this.#findings.expect(isServed, 'serves', () => `not every key is served ${healMsMax} ms after healing`);
  }

  #replicas(): readonly ReplicaProbe[] {
    return this.#probe.look().flatMap(({ replicas }) => replicas);
  }

  /** Index and log agree with each other and with what was committed. */
  async #compareAll(): Promise<void> {
    await this.#compareInTime(this.#replicas());
  }

  async #compareInTime(replicas: readonly ReplicaProbe[], end?: Offset): Promise<void> {
    const { healMsMax } = this.#settings;
    let open = 0;
    for (const replica of replicas) {
      open += 1;
      void this.#compare(replica, { end }).finally(() => {
        open -= 1;
      });
    }
    const isCompared = await this.#world.runUntil(() => open === 0, healMsMax);
    this.#findings.expect(isCompared, 'committed', () => `${open} logs could not be read whole`);
  }

  /**
   * Behind the last record that is there of those of earlier lives: what keys expire since then goes where something
   * was lost.
   */
  async #endOfLog(replica: ReplicaProbe): Promise<number> {
    const { healMsMax } = this.#settings;
    let end: number | null = null;
    const note = (records: readonly LogRecord[]): void => {
      const old = records.findLast(({ leaderEpoch }) => leaderEpoch < replica.leaderEpoch);
      end = Number(old?.offset ?? -1) + 1;
    };
    void committedRecords(replica, replica.highWatermark).then(note, () => undefined);
    await this.#world.runUntil(() => end !== null, healMsMax);
    return end ?? 0;
  }

  #compareNowAndThen(): void {
    this.#world.after(this.#random.fraction() * 2 * COMPARISON_EVERY_MS, () => {
      if (this.#isJudged) return;
      const replicas = this.#replicas();
      if (replicas.length > 0) void this.#compare(this.#random.pick(replicas), { mayFail: true });
      this.#compareNowAndThen();
    });
  }

  /** `mayFail`: faults go on, so the disk may be bad. */
  async #compare(
    replica: ReplicaProbe,
    { end, mayFail = false }: { readonly end?: Offset | undefined; readonly mayFail?: boolean },
  ): Promise<void> {
    const reference = this.#watch.reference(replica.partition);
    const nowMs = (): number => this.#world.trueWallMs;
    try {
      await compareReplica(replica, reference, this.#findings, nowMs, end);
      await replica.digest();
    } catch (error) {
      if (!mayFail) this.#findings.add('committed', `partition ${replica.partition}: ${String(error)}`);
    }
  }
}
