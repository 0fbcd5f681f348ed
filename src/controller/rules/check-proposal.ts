import type { IsrProposal, ProposalResult, ProposedMember } from '../../model/control-messages.ts';
import type { ControllerEpoch, Incarnation, NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { LeafRules } from './leaf-rules.ts';
import type { MemberView } from './partition-world.ts';

export interface ProposalWorld {
  /** Null: this node does not reign. */
  readonly controllerEpoch: ControllerEpoch | null;
  readonly minInsync: number;
  /** Undefined: there is no such partition. */
  readonly state: PartitionState | undefined;
  /** Who has said what it holds in this reign (R17). */
  readonly heard: Pick<ReadonlySet<NodeId>, 'has'>;
  member(node: NodeId): MemberView;
}

export type ProposalVerdict =
  | { readonly kind: 'reply'; readonly result: ProposalResult; readonly state: PartitionState | null }
  /** The result is told when `next` is written. */
  | {
      readonly kind: 'write';
      readonly next: PartitionState;
      readonly result: Extract<ProposalResult, 'ok' | 'ineligible'>;
    };

const reply = (result: ProposalResult, state: PartitionState | null = null): ProposalVerdict => ({
  kind: 'reply',
  result,
  state,
});

/**
 * What becomes of a leader's wish for another ISR. The order of the checks is the rule (PROTOCOL 2.3; KAFKA-14144:
 * desired state before version).
 */
export function checkProposal(
  rules: LeafRules,
  proposal: IsrProposal,
  world: ProposalWorld,
): ProposalVerdict {
  const { state, controllerEpoch } = world;
  if (controllerEpoch === null) return reply('notController');
  if (state === undefined || state.uuid !== proposal.uuid) return reply('unknownPartition');
  const sender = compareLife(proposal.leaderIncarnation, world.member(proposal.leader).incarnation);
  if (sender !== 'same') return reply(sender === 'newer' ? 'notController' : 'fencedEpoch');
  if (proposal.leaderEpoch > state.leaderEpoch || proposal.version > state.version)
    return reply('notController');
  if (proposal.leaderEpoch < state.leaderEpoch || !isLeaderOf(state, proposal))
    return reply('fencedEpoch', state);
  if (!rules.hasLeaderSpoken(state, state, world)) return reply('notController');
  if (isAlreadySo(proposal.isr, state)) return reply('ok', state);
  if (proposal.version < state.version) return reply('invalidVersion', state);
  if (!isEligible(proposal, state, world)) {
    // The same under a newer version: no double of the proposal can be accepted later, so the leader may forget it.
    return { kind: 'write', next: { ...state, controllerEpoch }, result: 'ineligible' };
  }
  const next = proposedState(rules, proposal.isr, state, controllerEpoch, world.minInsync);
  return { kind: 'write', next, result: 'ok' };
}

/** The node that leads, in the life that was elected: a life after it must not go on in the same epoch (4.3-17). */
const isLeaderOf = (state: PartitionState, proposal: IsrProposal): boolean =>
  proposal.leader === state.leader && proposal.leaderIncarnation === state.incarnations[proposal.leader];

/** KIP-380: a message of an earlier life is void; one of a later life than we know means that we are behind. */
function compareLife(claimed: Incarnation, known: Incarnation | null): 'same' | 'newer' | 'older' {
  if (known === claimed) return 'same';
  return known !== null && claimed > known ? 'newer' : 'older';
}

function isAlreadySo(proposed: readonly ProposedMember[], state: PartitionState): boolean {
  return (
    proposed.length === state.isr.length &&
    proposed.every((member) => state.isr.includes(member.node) && isUnchanged(member, state))
  );
}

const isUnchanged = (member: ProposedMember, state: PartitionState): boolean =>
  state.incarnations[member.node] === member.incarnation &&
  state.directoryIds[member.node] === member.directoryId;

/**
 * I7 and KIP-841, KIP-903, KAFKA-7837: whoever joins is assigned, alive under that very incarnation, does not shut
 * down, and nothing is wrong with its directory.
 */
function isEligible(proposal: IsrProposal, state: PartitionState, world: ProposalWorld): boolean {
  const nodes = new Set(proposal.isr.map(({ node }) => node));
  if (!nodes.has(proposal.leader) || nodes.size !== proposal.isr.length) return false;
  return proposal.isr.every((member) => {
    if (!state.replicas.includes(member.node)) return false;
    if (state.isr.includes(member.node) && isUnchanged(member, state)) return true;
    const view = world.member(member.node);
    if (view.incarnation !== member.incarnation || view.isShuttingDown) return false;
    // What the state names may be in trouble, and what is proposed be built anew since.
    return view.troubledDirectoryId === undefined
      ? !view.isTroubled
      : view.troubledDirectoryId !== member.directoryId;
  });
}

function proposedState(
  rules: LeafRules,
  proposed: readonly ProposedMember[],
  state: PartitionState,
  controllerEpoch: ControllerEpoch,
  minInsync: number,
): PartitionState {
  const joined = state.replicas.filter((node) => proposed.some((member) => member.node === node));
  const { isr, elr } = rules.nextIsrElr(state, joined, minInsync, new Set());
  const incarnations: Record<number, Incarnation> = {};
  const directoryIds: Record<number, string> = {};
  for (const node of [...elr, ...isr]) {
    const member = proposed.find((other) => other.node === node);
    const incarnation = member?.incarnation ?? state.incarnations[node];
    const directoryId = member?.directoryId ?? state.directoryIds[node];
    if (incarnation !== undefined) incarnations[node] = incarnation;
    if (directoryId !== undefined) directoryIds[node] = directoryId;
  }
  return { ...state, isr, elr, incarnations, directoryIds, controllerEpoch, minInsync };
}
