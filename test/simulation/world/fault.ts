import type { NodeId } from '../../../src/model/numbers.ts';

/** Every kind of fault the world knows. A suite must have fired each at each role. */
export const FAULT_KINDS = [
  'crash',
  'crashAtWrite',
  'powerLoss',
  'wipe',
  'shutdown',
  'bounce',
  'stall',
  'pause',
  'silent',
  'isolate',
  'cutOneWay',
  'cutPair',
  'badNetwork',
  'slowNetwork',
  'corruptBytes',
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
  'sessionExpiry',
  'coordinatorUnreachable',
  'coordinatorRepliesLost',
  'coordinatorStale',
  'coordinatorDown',
  'coordinatorLosesWrites',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What the target was at that moment. A node may be controller and leader: it counts for both. */
export const FAULT_ROLES = ['leader', 'follower', 'controller'] as const;
/** `alone`: the only node there is. */
export type FaultRole = (typeof FAULT_ROLES)[number] | 'alone';

export interface FaultRecord {
  readonly kind: FaultKind;
  readonly target: NodeId;
  readonly roles: readonly FaultRole[];
  readonly atMs: number;
  /** When its effect ends by itself; what a node suffers later is its consequence, not the fault. */
  readonly untilMs: number;
}

/** How often faults happen by chance. */
export interface FaultPlan {
  /** Mean time between two faults. */
  readonly everyMs: number;
  /** Over the default weights. 0: never. */
  readonly weights?: Partial<Readonly<Record<FaultKind, number>>>;
}
