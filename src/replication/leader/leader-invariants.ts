import type { ProposedMember } from '../../model/control-messages.ts';
import { InvariantError } from '../../model/errors.ts';
import type { NodeId, Offset } from '../../model/numbers.ts';
import type { LeaderView } from '../rules/types.ts';

/**
 * I3: never back, never above the log end. I5: at least min.insync members, and each of them has it on disk by a fetch
 * of this epoch.
 */
function checkCommit(view: LeaderView, next: Offset): void {
  if (next <= view.highWatermark)
    fail(view, `the high watermark ${view.highWatermark} went back to ${next} (I3)`);
  if (next > view.logEndOffset)
    fail(view, `committed up to ${next}, above the log end ${view.logEndOffset} (I3)`);
  if (view.state.isr.length < view.minInsync) fail(view, 'something was committed below min.insync (I5)');
  for (const node of view.state.isr) {
    if (durableOffsetOf(view, node) < next)
      fail(view, `committed up to ${next}, which node ${node} does not have (I5)`);
  }
}

function durableOffsetOf(view: LeaderView, node: NodeId): number {
  if (node === view.self) return view.durableOffset;
  const progress = view.followers.get(node);
  return progress === undefined || progress.fetchOffset < 0 ? -1 : progress.durableOffset;
}

/**
 * I7: an ISR has its leader in it under its present life, and everybody in it is assigned; who joins is alive under the
 * life that is named.
 */
function checkProposal(view: LeaderView, members: readonly ProposedMember[]): void {
  const own = members.find((member) => member.node === view.self);
  if (own?.incarnation !== view.incarnation) fail(view, 'an ISR was proposed without its leader (I7)');
  for (const { node, incarnation } of members) {
    if (!view.state.replicas.includes(node)) fail(view, `node ${node} was proposed and is not assigned (I7)`);
    const isCurrent = view.state.isr.includes(node) || view.live.get(node) === incarnation;
    if (!isCurrent) fail(view, `node ${node} was proposed under a life that is not its present one (I7)`);
  }
}

function fail(view: LeaderView, text: string): never {
  throw new InvariantError(`partition ${view.state.id}, leader epoch ${view.leaderEpoch}: ${text}`);
}

/**
 * What must hold whatever the rules say: checked apart from them, always (PROTOCOL 2.10). A leader that breaks one
 * stops. In one object, as the rules are: what a broken rule does beyond it is to be seen from outside.
 */
export const LEADER_INVARIANTS = { checkCommit, checkProposal };
