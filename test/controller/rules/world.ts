import type { Decision, MemberView, PartitionWorld } from '../../../src/controller/rules/partition-world.ts';
import { CONTROLLER_RULES } from '../../../src/controller/rules/rules.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import type { PartitionState, ReplicaReport } from '../../../src/model/partition-state.ts';
import { lifeOf, node, replicaReport } from '../../support/partition-states.ts';

/** Alive in the life that counts. */
export function alive(id: number, change: Partial<MemberView> = {}): MemberView {
  return { incarnation: lifeOf(id), isShuttingDown: false, isTroubled: false, report: null, ...change };
}

/** Alive, and has reported. */
export const reported = (
  id: number,
  report: Partial<ReplicaReport> = {},
  change: Partial<MemberView> = {},
): MemberView => alive(id, { report: replicaReport(id, report), ...change });

/** Alive in the next life. */
export const bounced = (id: number, report: Partial<ReplicaReport> | 'absent' | null): MemberView =>
  alive(id, {
    incarnation: asIncarnation(lifeOf(id) + 1),
    report: report === null || report === 'absent' ? report : replicaReport(id, report),
  });

export interface WorldChoice extends Partial<Omit<PartitionWorld, 'members' | 'heard' | 'waited'>> {
  readonly waitedMs?: number;
  /** Of this reign; unless a test says otherwise everybody was. */
  readonly heard?: readonly number[];
}

export function worldOf(
  members: Readonly<Record<number, MemberView>>,
  choice: WorldChoice = {},
): PartitionWorld {
  const { waitedMs = 0, heard = [1, 2, 3, 4], ...rest } = choice;
  return {
    controllerEpoch: asControllerEpoch(3),
    minInsync: 2,
    members: new Map(Object.entries(members).map(([id, view]) => [node(Number(id)), view])),
    heard: new Set(heard.map(node)),
    leaderEpochMax: asLeaderEpoch(5),
    versionMax: asPartitionVersion(7),
    isRegressed: false,
    waited: () => waitedMs,
    electionMsMax: 300,
    newPartitionMsMax: 2_000,
    wishes: { reassign: null, unclean: null },
    isPreferredDue: false,
    handOver: { isReady: false, waitedMs: 1_000 },
    handOverMsMax: 1_000,
    ...rest,
  };
}

export const decide = (state: PartitionState, world: PartitionWorld): Decision =>
  CONTROLLER_RULES.decide(CONTROLLER_RULES, state, world);

/** The state that is written, or a loud failure. */
export function written(decision: Decision): Extract<Decision, { kind: 'write' }> {
  if (decision.kind !== 'write') throw new Error(`expected a write, got ${JSON.stringify(decision)}`);
  return decision;
}
