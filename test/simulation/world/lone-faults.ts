import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import { endOfData } from '../../../src/storage/format/integers.ts';
import type { Backup } from './backup.ts';
import { DOCUMENTS, damaging, pathsIn, SEGMENTS } from './disk-faults.ts';
import type { FaultKind } from './fault.ts';
import { FAULT_WEIGHTS, type FaultScene, type FaultTarget, STRIKES } from './faults.ts';

/** What a node that is alone suffers under flush mode always. */
export const LONE_KINDS = [
  'crash',
  'crashAtWrite',
  'powerLoss',
  'shutdown',
  'bounce',
  'stall',
  'pause',
  'silent',
  'slowNetwork',
  'slowDisk',
  'syncError',
  'diskError',
  'diskFull',
  'bitRot',
  'documentDamage',
  'segmentDamage',
  'hintDamage',
  'clockRate',
  'wallJump',
] as const satisfies readonly FaultKind[];

/**
 * A weaker mode promises nothing about what was not synced, and so nothing about a damaged tail: what is left is the
 * end of a process.
 */
const NOT_UNDER_WEAK: readonly FaultKind[] = [
  'powerLoss',
  'syncError',
  'diskError',
  'bitRot',
  'segmentDamage',
];

type Weights = Readonly<Record<FaultKind, number>>;

export function loneWeights(isWeak: boolean): Weights {
  const kinds: readonly FaultKind[] = LONE_KINDS;
  const weights = Object.entries(FAULT_WEIGHTS).map(([name, weight]) => {
    const kind = name as FaultKind;
    const isMeant = kinds.includes(kind) && !(isWeak && NOT_UNDER_WEAK.includes(kind));
    return [kind, isMeant ? weight : 0];
  });
  return Object.fromEntries(weights) as Weights;
}

/**
 * The strikes of all worlds, where what they destroy can be restored; under a weak flush mode the machine never loses
 * its power.
 */
export function loneStrikes(backup: Backup, isWeak: boolean): typeof STRIKES {
  const struck = isWeak ? withBattery : (scene: FaultScene): FaultScene => scene;
  const strikes = Object.entries(STRIKES).map(([kind, strike]) => [
    kind,
    (scene: FaultScene): number => strike(struck(scene)),
  ]);
  return {
    ...(Object.fromEntries(strikes) as typeof STRIKES),
    documentDamage: (scene) => damaging(scene, DOCUMENTS, backup.keep),
    segmentDamage: (scene) => damaging(scene, SEGMENTS, backup.keep),
    bitRot: (scene) => rotting(scene, backup),
  };
}

/** Below the end of the data: the zeros behind it are written over. */
function rotting({ machine, random, center }: FaultScene, backup: Backup): number {
  const disk = machine.disk.faulty;
  void pathsIn(disk, SEGMENTS).then((paths) => {
    if (paths.length === 0) return;
    const path = random.pick(paths);
    const length = endOfData(Buffer.from(disk.contentOf(path) ?? []));
    if (length === 0) return;
    const position = random.below(length);
    const how = backup.keep(path, () => {
      disk.flipBit(path, position, random.below(8));
      return `rots at ${position}`;
    });
    center.events.note(`n${machine.id}`, `${path} ${how}`);
  });
  return 0;
}

const withBattery = (scene: FaultScene): FaultScene => ({
  ...scene,
  machine: new BatteryMachine(scene.machine),
});

/** Whatever ends a process here, the page cache stays. */
class BatteryMachine implements FaultTarget {
  readonly #inner: FaultTarget;

  constructor(inner: FaultTarget) {
    this.#inner = inner;
  }

  get id(): FaultTarget['id'] {
    return this.#inner.id;
  }

  get disk(): FaultTarget['disk'] {
    return this.#inner.disk;
  }

  get wall(): FaultTarget['wall'] {
    return this.#inner.wall;
  }

  get link(): FaultTarget['link'] {
    return this.#inner.link;
  }

  get clock(): FaultTarget['clock'] {
    return this.#inner.clock;
  }

  get session(): FaultTarget['session'] {
    return this.#inner.session;
  }

  get isStopping(): boolean {
    return this.#inner.isStopping;
  }

  kill(_policy: SurvivalPolicy): void {
    this.#inner.kill('keepAll');
  }

  powerOn(): void {
    this.#inner.powerOn();
  }

  start(): void {
    this.#inner.start();
  }

  stall(ms: number): void {
    this.#inner.stall(ms);
  }

  shutDown(): void {
    this.#inner.shutDown();
  }
}
