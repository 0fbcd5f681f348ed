import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Findings } from '../checkers/findings.ts';
import type { World } from '../world/world.ts';
import { timingOf } from '../world/world-settings.ts';

/** What is added to the lag that is allowed: slow clocks, timers, a proposal and its write. */
const SLACK_MS = 1_000;

/**
 * Who falls silent while nothing is written leaves the ISR all the same: it would keep its leader from every lease
 * (PROTOCOL 2.4, KAFKA-7152). Tried at the end of a run, in a cluster that is well, at a node that does not reign.
 */
export async function checkSilence(world: World, findings: Findings): Promise<void> {
  const { controller, nodes } = world;
  const states = (): readonly PartitionState[] =>
    world.partitions.map((partition) => world.partitionState(partition)).filter((state) => state !== null);
  const { id, machine } = nodes.findLast((node) => node.id !== controller) ?? { id: null, machine: null };
  if (id === null) return;
  const followed = states().filter((state) => state.leader !== id && state.isr.includes(id));
  world.network.silence(id);
  machine.link.isCut = true;
  // In a new epoch, as a preferred leader's, the time begins anew.
  const isGone = ({ id: partition, leaderEpoch }: PartitionState): boolean => {
    const state = world.partitionState(partition);
    return state?.leaderEpoch !== leaderEpoch || !state.isr.includes(id);
  };
  const haveAllShrunk = await world.runUntil(
    () => followed.every(isGone),
    timingOf(world.options).lagMsMax + SLACK_MS,
  );
  findings.expect(
    haveAllShrunk,
    'silence',
    () => `node ${id} is silent and still in an ISR: ${world.describe()}`,
  );
  world.network.unsilence(id);
  machine.link.isCut = false;
}
