import { CLUSTER_PATH, PARTITIONS_PATH } from '../../../src/coordination/paths.ts';
import { SimulatedCrash } from '../../../src/env/faulty-file-system.ts';
import type { FileSystem } from '../../../src/env/file-system.ts';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import type { NodeId } from '../../../src/model/numbers.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { DataCenter } from './data-center.ts';
import { diskError, diskFull, documentDamage, hintDamage, segmentDamage } from './disk-faults.ts';
import type { FaultKind } from './fault.ts';
import { CLOCK_RATE_SPREAD, type Machine, type NodeProgram } from './machine.ts';
import { tailDamage } from './tail-damage.ts';

/** Whatever the machines run. */
export type FaultTarget = Pick<
  Machine<NodeProgram>,
  | 'id'
  | 'disk'
  | 'wall'
  | 'link'
  | 'clock'
  | 'session'
  | 'isStopping'
  | 'kill'
  | 'powerOn'
  | 'start'
  | 'stall'
  | 'shutDown'
>;
export interface FaultGround
  extends Pick<DataCenter<NodeProgram>, 'network' | 'coordinator' | 'events' | 'rateMin'> {
  readonly machines: readonly FaultTarget[];
}

/** What a fault works on. `after` happens earlier, all at once, when everything is healed. */
export interface FaultScene {
  readonly center: FaultGround;
  readonly machine: FaultTarget;
  readonly random: SeededRandom;
  /** Of whatever is counted; null: as chance has it. */
  readonly countMax: number | null;
  readonly after: (delayMs: number, heal: () => void) => void;
}

/** Of damages to segments, those to the newest bytes. */
const TAIL_SHARE = 0.5;

/** Does it, and says for how many milliseconds. */
type Strike = (scene: FaultScene) => number;

const between = (random: SeededRandom, min: number, max: number): number =>
  min + random.fraction() ** 2 * (max - min);

/** Does, and undoes after a time of chance. */
const lasting =
  (min: number, max: number, begin: (scene: FaultScene) => () => void): Strike =>
  (scene) => {
    const ms = between(scene.random, min, max);
    scene.after(ms, begin(scene));
    return ms;
  };

const dying =
  (policies: readonly SurvivalPolicy[], downMs: readonly [number, number], wipe = false): Strike =>
  ({ machine, random, after }) => {
    machine.kill(random.pick(policies));
    if (wipe) machine.disk.wipe();
    const ms = between(random, ...downMs);
    // Sometimes the machine is back a while before its process: it refuses again.
    if (random.chance(0.5)) after(ms * random.fraction(), () => machine.powerOn());
    after(ms, () => machine.start());
    return ms;
  };

const cutting = (scene: FaultScene, links: readonly (readonly [NodeId, NodeId])[]): (() => void) => {
  for (const [from, to] of links) scene.center.network.cut(from, to);
  return () => {
    for (const [from, to] of links) scene.center.network.mend(from, to);
  };
};

const peersOf = ({ center, machine }: FaultScene): readonly NodeId[] =>
  center.machines.filter((other) => other !== machine).map(({ id }) => id);

/** Of a name that a process dies at: any, or one of a document, a hint or an output that it replaces or puts there. */
const CRASH_ENDINGS = [
  '',
  '',
  '',
  'META',
  'MANIFEST',
  'EPOCHS',
  '.hint',
  '.log',
  '.journal',
  '.journal',
  '.tmp',
];

function crashAtWrite({ machine, random, after }: FaultScene): number {
  const policy = random.pick<SurvivalPolicy>(['keepAll', 'loseAll', 'random']);
  const ms = between(random, 100, 2500);
  const crash = (): void => {
    machine.kill(policy);
    after(ms, () => machine.start());
  };
  const ending = random.pick(CRASH_ENDINGS);
  machine.disk.crashAtChange(1 + random.below(ending === '' ? 12 : 3), crash, ending);
  // Where nothing is written the process dies all the same.
  after(ms, () => {
    if (machine.disk.isCrashArmed) machine.kill(policy);
    machine.start();
  });
  return ms * 2;
}

function shutDown({ machine, random, after }: FaultScene): number {
  const ms = between(random, 1500, 5000);
  machine.shutDown();
  after(ms, () => {
    // Whom it took too long is killed, as an operator would.
    if (machine.isStopping) machine.kill('keepAll');
    machine.start();
  });
  return ms;
}

function bitRot({ machine, random, center }: FaultScene): number {
  const { fileSystem } = machine.disk.faulty;
  void flipSomewhere(fileSystem, random, (path, position) => {
    machine.disk.faulty.flipBit(path, position, random.below(8));
    center.events.note(`n${machine.id}`, `rots: ${path} at ${position}`);
  }).catch((error: unknown) => {
    // The machine lost its power while the place was looked for, or the disk has another fault there.
    if (!(error instanceof SimulatedCrash || error instanceof CaskadeError)) throw error;
  });
  return 0;
}

/** A bit of a segment file, more likely one with records than in the zeros behind them. */
async function flipSomewhere(
  fileSystem: FileSystem,
  random: SeededRandom,
  flip: (path: string, position: number) => void,
): Promise<void> {
  const root = '/data/partitions';
  if (!(await fileSystem.exists(root))) return;
  const paths: string[] = [];
  for (const directory of await fileSystem.list(root)) {
    for (const name of await fileSystem.list(`${root}/${directory}`)) {
      if (/\.log$/.test(name)) paths.push(`${root}/${directory}/${name}`);
    }
  }
  if (paths.length === 0) return;
  const path = random.pick(paths);
  const handle = await fileSystem.open(path, 'read');
  const length = await handle.size();
  if (length > 0) flip(path, Math.floor(random.fraction() ** 2 * length));
}

/**
 * Never the word of a changed assignment: whoever was taken out has deleted its replica, the controller would count it
 * among those that lost something, and R17 has it wait for an operator then. Nor a change of what holds for the whole
 * cluster: nodes that expect the new one refuse to start (R2), until an operator has said it again.
 */
function coordinatorLosesWrites({ center, random, countMax }: FaultScene): number {
  const { coordinator, events } = center;
  const replicasAt = (path: string, writesAgo: number): string => {
    const node = coordinator.nodeAt(path, writesAgo);
    return node === null ? '' : JSON.stringify((JSON.parse(node.text) as { replicas?: unknown }).replicas);
  };
  let count = countMax ?? 1 + random.below(4);
  const losesAssignment = (path: string): boolean => replicasAt(path, 0) !== replicasAt(path, count);
  const losesFacts = (): boolean =>
    coordinator.nodeAt(CLUSTER_PATH, 0)?.text !== coordinator.nodeAt(CLUSTER_PATH, count)?.text;
  while (count > 0 && (losesFacts() || coordinator.childrenOf(PARTITIONS_PATH).some(losesAssignment)))
    count -= 1;
  events.note('coordinator', `loses ${coordinator.loseWrites(count)} writes`);
  return 0;
}

export const STRIKES: Readonly<Record<FaultKind, Strike>> = {
  crash: dying(['keepAll'], [50, 3000]),
  crashAtWrite,
  powerLoss: dying(['loseAll', 'random'], [100, 4000]),
  wipe: dying(['loseAll'], [100, 2000], true),
  shutdown: shutDown,
  bounce: dying(['keepAll', 'loseAll'], [1, 20]),
  stall: ({ machine, random }) => {
    const ms = between(random, 300, 2000);
    machine.stall(ms);
    return ms;
  },
  pause: ({ machine, random }) => {
    const ms = between(random, 2000, 8000);
    machine.stall(ms);
    return ms;
  },
  silent: lasting(300, 7000, ({ center, machine }) => {
    center.network.silence(machine.id);
    machine.link.isCut = true;
    return () => {
      center.network.unsilence(machine.id);
      machine.link.isCut = false;
    };
  }),
  isolate: lasting(300, 5000, (scene) => {
    const { id } = scene.machine;
    return cutting(
      scene,
      peersOf(scene).flatMap((peer) => [[id, peer] as const, [peer, id] as const]),
    );
  }),
  cutOneWay: lasting(300, 4000, (scene) => {
    const { id } = scene.machine;
    const some = peersOf(scene).filter(() => scene.random.chance(0.6));
    const outward = scene.random.chance(0.5);
    return cutting(
      scene,
      some.map((peer) => (outward ? ([id, peer] as const) : ([peer, id] as const))),
    );
  }),
  cutPair: lasting(300, 5000, (scene) => {
    const peer = scene.random.pick(peersOf(scene));
    const { id } = scene.machine;
    return cutting(scene, [[id, peer] as const, [peer, id] as const]);
  }),
  badNetwork: lasting(500, 4000, ({ center, machine, random }) => {
    const [lossShare, doubledShare, reorderedShare] = [
      random.fraction() * 0.3,
      random.fraction() * 0.2,
      random.fraction() * 0.5,
    ];
    center.network.setMood(machine.id, { lossShare, doubledShare, reorderedShare });
    return () => center.network.setMood(machine.id, null);
  }),
  slowNetwork: lasting(500, 4000, ({ center, machine, random }) => {
    const slownessMs = between(random, 5, 300);
    center.network.setMood(machine.id, { slownessMs });
    return () => center.network.setMood(machine.id, null);
  }),
  corruptBytes: lasting(500, 4000, ({ center, machine, random }) => {
    center.network.setMood(machine.id, { damagedShare: random.fraction() * 0.3 });
    return () => center.network.setMood(machine.id, null);
  }),
  slowDisk: lasting(300, 3000, ({ machine }) => {
    machine.disk.isSlow = true;
    return () => {
      machine.disk.isSlow = false;
    };
  }),
  syncError: ({ machine, random, after }) => {
    const nth = 1 + random.below(5);
    // Once, or every batch from now on.
    if (random.chance(0.5)) machine.disk.faulty.arm({ operation: 'sync', path: '/partitions/', nth });
    else machine.disk.faulty.arm({ operation: 'sync', path: '.log', nth, times: Number.POSITIVE_INFINITY });
    const ms = between(random, 1000, 4000);
    // The operator sees the fenced partition and starts the process anew, on another disk controller.
    after(ms, () => {
      machine.disk.heal();
      machine.kill('keepAll');
      machine.start();
    });
    return ms;
  },
  diskError,
  diskFull,
  bitRot,
  documentDamage,
  // What a start judges is the tail of the newest segment; the rest is for a scrub.
  segmentDamage: (scene) => (scene.random.chance(TAIL_SHARE) ? tailDamage(scene) : segmentDamage(scene)),
  hintDamage,
  clockRate: ({ center, machine, random }) => {
    machine.clock?.setRate(center.rateMin * (random.chance(0.5) ? 1 : 1 + CLOCK_RATE_SPREAD));
    return 0;
  },
  wallJump: lasting(500, 5000, ({ machine, random }) => {
    const offsetMs = between(random, 20, 5000) * (random.chance(0.5) ? 1 : -1);
    machine.wall.offsetMs += offsetMs;
    return () => {
      machine.wall.offsetMs -= offsetMs;
    };
  }),
  sessionExpiry: ({ center, machine }) => {
    if (machine.session !== null) center.coordinator.expire(machine.session);
    return 0;
  },
  coordinatorUnreachable: lasting(300, 6000, ({ machine }) => {
    machine.link.isCut = true;
    return () => {
      machine.link.isCut = false;
    };
  }),
  coordinatorRepliesLost: lasting(500, 3000, ({ machine }) => {
    machine.link.replyLossShare = 0.4;
    return () => {
      machine.link.replyLossShare = 0;
    };
  }),
  coordinatorStale: lasting(500, 5000, ({ machine, random }) => {
    machine.link.staleMs = between(random, 50, 2000);
    return () => {
      machine.link.staleMs = 0;
    };
  }),
  coordinatorDown: lasting(200, 4000, ({ center }) => {
    center.coordinator.isDown = true;
    return () => {
      center.coordinator.isDown = false;
    };
  }),
  coordinatorLosesWrites,
};

/** How often each strikes, against the others. */
export const FAULT_WEIGHTS: Readonly<Record<FaultKind, number>> = {
  crash: 4,
  crashAtWrite: 4,
  powerLoss: 4,
  wipe: 2,
  shutdown: 2,
  bounce: 2,
  stall: 4,
  pause: 2,
  silent: 3,
  isolate: 3,
  cutOneWay: 3,
  cutPair: 3,
  badNetwork: 3,
  slowNetwork: 2,
  corruptBytes: 2,
  slowDisk: 3,
  syncError: 3,
  diskError: 3,
  diskFull: 2,
  bitRot: 3,
  documentDamage: 4,
  segmentDamage: 5,
  hintDamage: 1,
  clockRate: 2,
  wallJump: 2,
  sessionExpiry: 3,
  coordinatorUnreachable: 3,
  coordinatorRepliesLost: 2,
  coordinatorStale: 2,
  coordinatorDown: 2,
  coordinatorLosesWrites: 3,
};
