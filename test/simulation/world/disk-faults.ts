import { join } from 'node:path';
import type { FaultyOperation } from '../../../src/env/fault-plan.ts';
import type { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { FaultScene } from './faults.ts';

const PARTITIONS = '/data/partitions';
const DOWN_MS_MAX = 1_500;
/** What may fail, and of which files. */
const OPERATIONS: readonly FaultyOperation[] = [
  'create',
  'open',
  'read',
  'write',
  'sync',
  'truncate',
  'rename',
  'unlink',
  'syncDirectory',
];
const FAILING_PATHS = ['', '/partitions/', '/journal/', '.log', '.hint', 'META', 'MANIFEST', 'EPOCHS'];
/** Bytes left when the disk is nearly full: room for some files, and not for others. */
const ROOM_BYTES_MAX = 24 * 1024;

type Damage = (disk: FaultyFileSystem, path: string, length: number, random: SeededRandom) => string;

const DAMAGES: readonly Damage[] = [
  (disk, path) => {
    disk.lose(path);
    return 'is lost';
  },
  (disk, path, length, random) => {
    const left = random.below(length + 1);
    disk.cutShort(path, left);
    return `is cut to ${left} bytes`;
  },
  (disk, path, length, random) => {
    if (length === 0) return 'is empty';
    const position = Math.floor(random.fraction() ** 2 * length);
    disk.flipBit(path, position, random.below(8));
    return `rots at ${position}`;
  },
];

export const DOCUMENTS = /^(META|MANIFEST|EPOCHS)$/;
export const SEGMENTS = /\.log$/;

/** While the node is down: its next start must notice, and who then still counts as whole is whole. */
export const documentDamage = (scene: FaultScene): number => damaging(scene, DOCUMENTS);

/** The next start must notice, or a scrub. */
export const segmentDamage = (scene: FaultScene): number => damaging(scene, SEGMENTS);

/** A hint is only a hint: nobody may miss it. */
export const hintDamage = (scene: FaultScene): number => damaging(scene, /\.hint$/);

/** `witness` is there when it happens: somebody who has a backup. */
export function damaging(
  { center, machine, random, after }: FaultScene,
  name: RegExp,
  witness: (path: string, damage: () => string) => string = (_path, damage) => damage(),
): number {
  machine.kill('keepAll');
  const ms = random.fraction() ** 2 * DOWN_MS_MAX;
  const disk = machine.disk.faulty;
  if (disk.isCrashed) disk.restart();
  void pathsIn(disk, name).then((paths) => {
    if (paths.length === 0) return;
    const path = random.pick(paths);
    // Not through the file system: it may be told to fail.
    const length = disk.contentOf(path)?.length ?? 0;
    const how = witness(path, () => random.pick(DAMAGES)(disk, path, length, random));
    center.events.note(`n${machine.id}`, `${path} ${how}`);
  });
  after(ms, () => machine.start());
  return ms;
}

export async function pathsIn({ fileSystem }: FaultyFileSystem, name: RegExp): Promise<readonly string[]> {
  if (!(await fileSystem.exists(PARTITIONS))) return [];
  const paths: string[] = [];
  for (const directory of await fileSystem.list(PARTITIONS)) {
    const names = await fileSystem.list(join(PARTITIONS, directory));
    paths.push(...names.filter((each) => name.test(each)).map((each) => join(PARTITIONS, directory, each)));
  }
  return paths;
}

/** Some operation on some kind of file fails once or a few times. The operator sees it in the log and starts the process anew. */
export function diskError({ machine, random, after }: FaultScene): number {
  machine.disk.faulty.arm({
    operation: random.pick(OPERATIONS),
    path: random.pick(FAILING_PATHS),
    nth: 1 + random.below(4),
    times: 1 + random.below(3),
  });
  const ms = 500 + random.fraction() ** 2 * 3_000;
  after(ms, () => {
    machine.disk.heal();
    // A write that failed may have begun.
    machine.disk.mayHaveTorn = true;
    machine.kill('keepAll');
    machine.start();
  });
  return ms;
}

/** No room at all, or so little that it ends in the middle of a roll, a merge, a hint or a rebuild. */
export function diskFull({ machine, random, after }: FaultScene): number {
  const { faulty } = machine.disk;
  faulty.limitBytes(random.chance(0.5) ? 1 : faulty.bytesUsed + random.below(ROOM_BYTES_MAX));
  const ms = 300 + random.fraction() ** 2 * 2_700;
  after(ms, () => machine.disk.heal());
  after(ms + 100, () => {
    machine.disk.mayHaveTorn = true;
    machine.kill('keepAll');
    machine.start();
  });
  return ms + 100;
}
