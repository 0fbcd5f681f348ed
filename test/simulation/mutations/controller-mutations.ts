import { CONTROLLER_RULES } from '../../../src/controller/rules/rules.ts';
import type { LeaderEpoch } from '../../../src/model/numbers.ts';
import { MERGE_RULES } from '../../../src/storage/merge-rules.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

type MutableMergeRules = { -readonly [Name in keyof typeof MERGE_RULES]: (typeof MERGE_RULES)[Name] };
const mergeRules = MERGE_RULES as MutableMergeRules;

/** Elections and membership. */
export const CONTROLLER_MUTATIONS: readonly Mutation[] = [
  mutation('same epoch resumed', '2.8, 4.3-17', {
    controller: { nextLeaderEpoch: (committed): LeaderEpoch => committed },
  }),
  mutation('a wiped disk keeps its place', 'R5', {
    controller: {
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'foreign' ? 'returned' : kind;
      },
    },
  }),
  mutation('a lossy member keeps its place', 'R6', {
    controller: {
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'lossy' ? 'returned' : kind;
      },
    },
  }),
  mutation('a quick bounce goes unseen', 'KIP-380', {
    controller: {
      classifyMember: (state, node, view) => {
        const kind = CONTROLLER_RULES.classifyMember(state, node, view);
        return kind === 'returned' || kind === 'unknown' ? 'current' : kind;
      },
    },
  }),
  mutation('the ELR outlives a full ISR', 'R1', {
    controller: {
      nextIsrElr: (now, nextIsr, _minInsync, dropped) => ({
        isr: nextIsr,
        elr: [...new Set([...now.elr, ...now.isr])].filter(
          (node) => !nextIsr.includes(node) && !dropped.has(node),
        ),
      }),
    },
  }),
  mutation('who is dropped as lossy stays eligible', 'KIP-966', {
    controller: {
      nextIsrElr: (now, nextIsr, minInsync) =>
        CONTROLLER_RULES.nextIsrElr(now, nextIsr, minInsync, new Set()),
    },
  }),
  mutation('a coordinator that lost writes is believed', 'R17', {
    controller: {
      decide: (rules, state, world) =>
        CONTROLLER_RULES.decide(rules, state, { ...world, isRegressed: false }),
    },
  }),
  mutation('proposals of any version are taken', '2.3', {
    controller: {
      checkProposal: (rules, proposal, world) => {
        const { state } = world;
        if (state === undefined) return CONTROLLER_RULES.checkProposal(rules, proposal, world);
        return CONTROLLER_RULES.checkProposal(rules, { ...proposal, version: state.version }, world);
      },
    },
  }),
  mutation('a proposal may name an old life', 'KIP-903', {
    controller: {
      checkProposal: (rules, proposal, world) =>
        CONTROLLER_RULES.checkProposal(rules, proposal, {
          ...world,
          member: (node) => {
            const named = proposal.isr.find((member) => member.node === node);
            const view = world.member(node);
            return named === undefined || node === proposal.leader
              ? view
              : { ...view, incarnation: named.incarnation };
          },
        }),
    },
  }),
];

/** What a merge may remove. */
export const MERGE_MUTATIONS: readonly Mutation[] = [
  mutation('tombstones removed by any merge', 'C4', {
    install: () => replaced(mergeRules, 'mayRemove', () => () => true),
  }),
  mutation('tombstones removed before all have them', 'R16', {
    install: () =>
      replaced(
        mergeRules,
        'mayRemove',
        () =>
          ({ isPrefix }) =>
            isPrefix,
      ),
  }),
  mutation('floor moves while a follower is rebuilt', 'C5', {
    install: () =>
      replaced(mergeRules, 'mayRemove', () => ({ isPrefix, offset, tombstoneRemoveOffset }) => {
        return isPrefix && offset < tombstoneRemoveOffset;
      }),
  }),
];
