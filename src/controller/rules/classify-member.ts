import type { NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { MemberView } from './partition-world.ts';

/**
 * `current`: alive in the life that counts. `returned`: alive in a newer life, proved whole, in the same directory
 * (R6): keeps its place. `unknown`: alive in a newer life, has not said what it holds. `lossy`: may have lost what it
 * acknowledged (R6). `foreign`: holds another replica than the one that counts, or none (R5). `dead`.
 */
export type MemberClass = 'current' | 'returned' | 'unknown' | 'lossy' | 'foreign' | 'dead';

/** What a member of ISR or ELR is now (R5, R6, KAFKA-7235, KAFKA-14139). */
export function classifyMember(state: PartitionState, node: NodeId, view: MemberView): MemberClass {
  if (view.incarnation === null) return 'dead';
  const recorded = state.incarnations[node];
  const directoryId = state.directoryIds[node];
  if (recorded === undefined || directoryId === undefined) return 'foreign';
  // A life older than the one that counts: a data directory brought back from an old copy.
  if (view.incarnation < recorded) return 'foreign';
  const isSameLife = view.incarnation === recorded;
  const { report } = view;
  if (report === null) return isSameLife ? 'current' : 'unknown';
  if (report === 'absent' || report.uuid !== state.uuid || report.directoryId !== directoryId)
    return 'foreign';
  if (report.verdict === 'lossy') return 'lossy';
  return isSameLife ? 'current' : 'returned';
}
