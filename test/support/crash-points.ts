import { expect } from 'chai';
import type { CrashPointOptions } from '../../src/env/faulty-file-system.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { ModelledStore, ModelViolation } from './modelled-store.ts';
import { type MachineOptions, NodeMachine, unlessCrashed } from './node-machine.ts';
import { StoreModel } from './store-model.ts';

/** A machine with its model: what a workload works on. `store` is that of the present life. */
export interface CrashSubject {
  readonly machine: NodeMachine;
  readonly model: StoreModel;
  store: ModelledStore | null;
}

/** Something that is done to a store, every disk operation of which is a point to crash at. */
export interface CrashWorkload {
  readonly name: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Every key that it touches. */
  readonly keys: readonly string[];
  /** Done before the points are counted; ends settled. */
  readonly prepare: (subject: CrashSubject) => Promise<void>;
  /** Deterministic; returns early once the machine has crashed. */
  readonly run: (subject: CrashSubject) => Promise<void>;
  /** Crashes once more while the first restart cleans up. */
  readonly crashesDuringRecovery?: boolean;
}

export interface CrashTally {
  /** Disk operations of the workload. */
  points: number;
  /** Points times progress times survival policy. */
  visits: number;
  /** Starts that were refused by R19 because a sector itself was torn, and went through with accept-torn-tail. */
  tornSectors: number;
}

export const CRASHES: readonly Required<CrashPointOptions>[] = (['loseAll', 'random'] as const).flatMap(
  (policy) => (['before', 'partly', 'after'] as const).map((progress) => ({ policy, progress })),
);

async function prepared(workload: CrashWorkload, options: MachineOptions): Promise<CrashSubject> {
  const settings = { ...workload.settings, ...options.settings };
  const machine = new NodeMachine({ ...options, settings });
  const subject: CrashSubject = { machine, model: new StoreModel(), store: null };
  await workload.prepare(subject);
  await machine.clock.settle();
  return subject;
}

export async function countPoints(workload: CrashWorkload, options: MachineOptions = {}): Promise<number> {
  const subject = await prepared(workload, options);
  const before = subject.machine.disk.operationCount;
  await workload.run(subject);
  await subject.machine.clock.settle();
  return subject.machine.disk.operationCount - before;
}

/** Crashes at every operation of the workload, in every way, and checks what a restart finds, twice. */
export async function visitCrashPoints(
  workload: CrashWorkload,
  seed: number,
  crashes: readonly Required<CrashPointOptions>[] = CRASHES,
  options: MachineOptions = {},
): Promise<CrashTally> {
  const points = await countPoints(workload, { ...options, seed });
  const tally: CrashTally = { points, visits: 0, tornSectors: 0 };
  for (let point = 1; point <= points; point += 1) {
    for (const crash of crashes) {
      tally.visits += 1;
      try {
        await visit(workload, { ...options, seed }, point, crash, tally);
      } catch (error) {
        throw new Error(
          `${workload.name}: crash at operation ${point} of ${points} (${crash.progress}, ${crash.policy}, seed ${seed}): ${String(error)}`,
          { cause: error },
        );
      }
    }
  }
  return tally;
}

async function visit(
  workload: CrashWorkload,
  options: MachineOptions,
  point: number,
  crash: Required<CrashPointOptions>,
  tally: CrashTally,
): Promise<void> {
  const subject = await prepared(workload, options);
  const { machine } = subject;
  machine.disk.failAtOperation(point, crash);
  await unlessCrashed(machine, workload.run(subject));
  await machine.clock.settle();
  if (!machine.disk.isCrashed)
    throw new Error('the workload ended before the crash point: it is not deterministic');
  machine.nextLife();
  if (workload.crashesDuringRecovery === true) await crashDuringRecovery(subject, crash, tally);
  await recoverAndCheck(subject, workload.keys, tally);
  // What the first start showed is settled: a second crash at once must not take it back.
  machine.nextLife({ policy: 'loseAll' });
  await recoverAndCheck(subject, workload.keys, tally);
}

/** A start of which an operation chosen by chance is the last; a start has about 25. */
async function crashDuringRecovery(
  subject: CrashSubject,
  crash: Required<CrashPointOptions>,
  tally: CrashTally,
): Promise<void> {
  const { machine } = subject;
  machine.disk.failAtOperation(1 + machine.random.below(25), crash);
  await recover(subject, tally);
  await machine.clock.settle();
  machine.nextLife();
}

/** Starts, compares with the model, writes once more, and holds the directory against its manifest. */
export async function recoverAndCheck(
  subject: CrashSubject,
  keys: readonly string[],
  tally: CrashTally,
): Promise<void> {
  const { machine } = subject;
  const store = await recover(subject, tally);
  subject.store = store;
  await store.check(keys);
  store.put('after', String(machine.lives));
  await store.settle();
  if (subject.model.acknowledged < store.end)
    throw new ModelViolation('a write after the restart is not answered');
  await store.check([...keys, 'after']);
  const errors = machine.unexpectedErrors();
  if (errors.length > 0) throw new ModelViolation(errors.join('; '));
  const disorder = await machine.disorder();
  if (disorder.length > 0) throw new ModelViolation(`the directory is in disorder: ${disorder.join(', ')}`);
}

async function recover({ machine, model }: CrashSubject, tally: CrashTally): Promise<ModelledStore> {
  try {
    return await ModelledStore.recover(machine, model);
  } catch (error) {
    if (!(error instanceof CaskadeError) || error.code !== 'tornTailRefused') throw error;
    // R19: without an all-zero sector nobody can tell a torn sector from a rotten one. The operator decides, and nothing
    // acknowledged may be lost by it.
    tally.tornSectors += 1;
    machine.nextProcess();
    return ModelledStore.recover(machine, model, { 'storage.acceptTornTail': 'true' });
  }
}

const SOAK = process.env.CASKADE_SOAK === '1';
const SEED = Number(process.env.CASKADE_SEED ?? 7);
const SEEDS = SOAK ? 50 : 1;

/** A test for each workload; the soak visits all points again under other seeds, which decide what a crash leaves. */
export function describeCrashPoints(title: string, workloads: readonly CrashWorkload[]): void {
  describe(title, () => {
    for (const workload of workloads) {
      it(`a crash at any operation of ${workload.name} loses nothing that was acknowledged`, async () => {
        const sum: CrashTally = { points: 0, visits: 0, tornSectors: 0 };
        for (let seed = SEED; seed < SEED + SEEDS; seed += 1) {
          const tally = await visitCrashPoints(workload, seed);
          expect(tally.points).to.be.greaterThan(5);
          sum.points += tally.points;
          sum.visits += tally.visits;
          sum.tornSectors += tally.tornSectors;
        }
        const { points, visits, tornSectors } = sum;
        console.log(
          `      ${points} points, ${visits} crashes, 0 failures (${tornSectors} torn inside a sector)`,
        );
      }).timeout(SOAK ? 1_800_000 : 60_000);
    }
  });
}
