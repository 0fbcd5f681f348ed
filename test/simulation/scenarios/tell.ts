import { AssertionError, expect } from 'chai';
import { CONTROLLER_EPOCH_PATH, CONTROLLER_PATH } from '../../../src/coordination/paths.ts';
import type { NodeId } from '../../../src/model/numbers.ts';
import { CandidateWatch } from '../checkers/candidate-watch.ts';
import { ControllerWatch } from '../checkers/controller-watch.ts';
import { Findings } from '../checkers/findings.ts';
import { FloorWatch } from '../checkers/floor-watch.ts';
import { putInForce } from '../mutations/mutation.ts';
import { mutationNamed } from '../mutations/mutations.ts';
import { ClusterProbe } from '../runner/cluster-probe.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import { ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';

export type Story = (script: ClusterScript) => Promise<void>;

export interface Told {
  readonly seed: number;
  readonly mutation: string;
  /** Who sees it. */
  readonly checker: string;
  readonly leaseMsMax?: number;
  readonly nodeCount?: number;
}

/** The shortest history in which a rule is missed: told with the mutation in its place, and with the rule as it is. */
export function tell(
  { seed, mutation, checker, leaseMsMax = WORLD_TIMING.leaseMsMax, nodeCount = 3 }: Told,
  story: Story,
): void {
  const broken = mutationNamed(mutation);
  const options = { seed, nodeCount, timing: { ...WORLD_TIMING, leaseMsMax } };
  const play = (rules: typeof broken.rules): Promise<void> =>
    ClusterScript.play({ ...options, rules }, (script) => watched(script, story));

  it(`${broken.ruling}: ${mutation}: ${checker} sees it`, async () => {
    const restore = putInForce(broken);
    const outcome = await play(broken.rules)
      .then(() => null)
      .catch((error: unknown) => error)
      .finally(restore);
    expect(outcome instanceof AssertionError ? JSON.stringify(outcome) : String(outcome)).to.contain(checker);
  });

  it(`${broken.ruling}: without it nothing is seen`, () => play({ replication: {}, controller: {} }));
}

/** A story, with the checkers of random runs that a script does not have of itself. */
async function watched(script: ClusterScript, story: Story): Promise<void> {
  const { world } = script;
  const findings = new Findings(() => world.nowMs);
  const { look } = new ClusterProbe(world);
  const stateOf = () => world.partitionState(P0);
  const committedOf = (): number => script.reference.endOffset;
  const controllers = new ControllerWatch(findings);
  const candidates = new CandidateWatch(look, findings, { partitions: [P0], stateOf, committedOf });
  const mostOnDisk = (partition: number, node: number): number => candidates.mostOnDisk(partition, node);
  const floors = new FloorWatch(look, findings, { stateOf, mostOnDisk });
  const textAt = (path: string): string | null => world.coordinator.nodeAt(path)?.text ?? null;
  world.observe(() => {
    candidates.look();
    floors.look();
    const texts = { controller: textAt(CONTROLLER_PATH), epoch: textAt(CONTROLLER_EPOCH_PATH) };
    controllers.look(texts, [script.state], world.coordinator.lossCount);
  });
  await story(script);
  expect([...script.found, ...findings.list]).to.deep.equal([]);
}

/** A bit of the newest bytes that the node wrote into this directory. Of a node that is down. */
export async function rotTail(script: ClusterScript, id: NodeId, directory: string): Promise<void> {
  const { disk } = script.node(id).machine;
  disk.heal();
  if (disk.faulty.isCrashed) disk.faulty.restart();
  const names = (await disk.faulty.fileSystem.list(directory)).filter((name) => name.endsWith('.log'));
  const path = `${directory}/${names.sort().at(-1)}`;
  const last = disk.faulty.contentOf(path)?.findLastIndex((byte) => byte !== 0) ?? 0;
  disk.faulty.flipBit(path, last - 4, 1);
}
