import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { asLeaderEpoch, asMonotonicMillis, asOffset } from '../../src/model/numbers.ts';
import { RULES } from '../../src/replication/rules/rules.ts';
import type { ModelEvent } from './events.ts';
import type { Budget } from './model.ts';
import { MODEL_RULES, type ModelRules, mutatedRules } from './model-rules.ts';

/** A world to look at: what may happen in it, and how often. */
export interface World {
  readonly budget: Budget;
  readonly prelude: readonly ModelEvent[];
  readonly answersAtOnce: boolean;
}

/** A rule that is replaced, and the world in which that is noticed. */
export interface Mutation {
  readonly name: string;
  /** The rule that is broken, and where it comes from. */
  readonly breaks: string;
  readonly rules: ModelRules;
  readonly world: World;
}

const NOTHING: Budget = {
  appends: 1,
  crashes: 0,
  lossyCrashes: 0,
  expiries: 0,
  proposals: 0,
  ticks: 0,
  stamps: 0,
  epochs: 0,
};

export function world(
  budget: Partial<Budget>,
  prelude: readonly ModelEvent[] = [],
  answersAtOnce = true,
): World {
  return { budget: { ...NOTHING, ...budget }, prelude, answersAtOnce };
}

/** Every one is found by the explorer: a rule that nobody misses would be no rule. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'joins-below-epoch-start',
    breaks: 'a follower joins the ISR with everything below the start of the epoch (KAFKA-7128)',
    rules: mutatedRules({
      replication: {
        mayJoinIsr: (view, progress, nowMs, rules) =>
          RULES.mayJoinIsr({ ...view, epochStartOffset: asOffset(0) }, progress, nowMs, rules),
      },
    }),
    // Node 2 has an acknowledged record, does not know that it is, and is about to lead; node 3 has nothing.
    world: world(
      { crashes: 1, proposals: 2, epochs: 1 },
      [
        'propose 1 1,2',
        'handle 1',
        'learn 1',
        'learn 2',
        'append 1',
        'serve 2',
        'take 2',
        'serve 2',
        'crash 1',
        'decide',
      ],
      false,
    ),
  },
  {
    name: 'truncates-to-high-watermark',
    breaks: 'a follower truncates by epochs, never to its own high watermark (KAFKA-1211, KIP-101)',
    rules: mutatedRules({ truncatesToHighWatermark: true }),
    world: world({ crashes: 2, epochs: 3 }),
  },
  {
    name: 'keeps-empty-epochs',
    breaks:
      'an epoch that wrote nothing leaves the epoch cache when a record of an older epoch comes (KAFKA-10706)',
    rules: mutatedRules({ keepsEmptyEpochs: true }),
    // Node 3 led epoch 2 and wrote nothing; node 2, who leads again after it, has a record of epoch 1 that node 3 lacks.
    world: world({ appends: 2, crashes: 2, expiries: 3, epochs: 5 }, [
      'append 1',
      'expire 2',
      'serve 3',
      'expire 1',
      'decide',
      'take 3',
      'learn 3',
      'append 1',
      'serve 2',
      'take 2',
      'expire 3',
      'register 2',
      'crash 1',
      'register 3',
      'decide',
      'learn 2',
      'learn 3',
    ]),
  },
  {
    name: 'shrink-counts-at-once',
    breaks: 'a member that is proposed away counts until the shrink is committed (PROTOCOL 2.4)',
    rules: mutatedRules({
      replication: {
        maximalIsr: ({ state, pending }) => pending?.members.map(({ node }) => node) ?? state.isr,
      },
    }),
    world: world({ crashes: 1, proposals: 1, epochs: 1 }),
  },
  {
    name: 'expansion-counts-late',
    breaks: 'a member that is proposed counts before the proposal is sent (PROTOCOL 2.4, KIP-497)',
    rules: mutatedRules({ replication: { maximalIsr: ({ state }) => state.isr } }),
    world: world({ proposals: 2 }),
  },
  {
    name: 'size-test-counts-pending',
    breaks: 'the size test looks at the committed ISR alone (R1)',
    rules: mutatedRules({
      replication: {
        acceptsAppends: (view) => {
          const { state, minInsync } = view;
          const { pending } = view as { readonly pending?: { readonly members: readonly unknown[] } | null };
          return Math.max(state.isr.length, pending?.members.length ?? 0) >= minInsync;
        },
      },
    }),
    world: world({ crashes: 1, proposals: 2, epochs: 1 }),
  },
  {
    name: 'acknowledges-below-min',
    breaks: 'below min.insync the high watermark stands (KAFKA-15583, R1)',
    rules: mutatedRules({ replication: { acceptsAppends: () => true } }),
    world: world({ crashes: 1, proposals: 2, epochs: 1 }),
  },
  {
    name: 'elr-survives-min',
    breaks: 'the write that brings the ISR to min.insync clears the ELR (R1, KIP-966)',
    rules: mutatedRules({
      controller: {
        nextIsrElr: (now, isr, _minInsync, dropped) => ({
          isr,
          elr: [...new Set([...now.elr, ...now.isr])].filter(
            (node) => !isr.includes(node) && !dropped.has(node),
          ),
        }),
      },
    }),
    world: world({ proposals: 1 }),
  },
  {
    name: 'lossy-member-elected',
    breaks: 'who lost what it acknowledged leaves ISR and ELR (R6, KIP-966)',
    rules: mutatedRules({
      controller: {
        classifyMember: (state, node, view) => {
          const kind = CONTROLLER_RULES.classifyMember(state, node, view);
          return kind === 'lossy' ? 'returned' : kind;
        },
      },
    }),
    world: world({ crashes: 3, lossyCrashes: 1, epochs: 3 }),
  },
  {
    name: 'same-epoch-again',
    breaks: 'every election begins a new leader epoch (PROTOCOL 2.8, KAFKA-7235)',
    rules: mutatedRules({ controller: { nextLeaderEpoch: (committed) => asLeaderEpoch(committed) } }),
    world: world({ appends: 2, crashes: 1, expiries: 1, epochs: 2 }),
  },
  {
    name: 'high-watermark-of-diverging-answer',
    breaks: 'a follower takes no high watermark from an answer that tells it to truncate (KAFKA-14704)',
    rules: mutatedRules({
      replication: {
        followerHighWatermark: ({ current, logEndOffset, outcome }) =>
          asOffset(Math.max(current, Math.min(logEndOffset, outcome.highWatermark ?? 0))),
      },
    }),
    world: world({ appends: 3, crashes: 1, epochs: 2 }),
  },
  {
    name: 'reads-before-epoch-start',
    breaks:
      'a leader answers reads when its high watermark has reached the start of its epoch (KIP-207, KAFKA-2334)',
    rules: mutatedRules({
      replication: { servesReads: (view, nowMs, rules) => rules.mayAct(view.mayActAtMs, nowMs) },
    }),
    world: world({ crashes: 1, epochs: 1 }),
  },
  {
    name: 'acts-under-promise',
    breaks: 'a new leader acts when every promise to another is over (L5)',
    rules: mutatedRules({ replication: { mayActAt: () => asMonotonicMillis(0) } }),
    world: world({ expiries: 1, stamps: 1, ticks: 1, epochs: 1 }),
  },
  {
    name: 'forgets-promise-at-restart',
    breaks: 'after a restart a node that ever promised waits for the longest promise (4.3-4, R20)',
    rules: mutatedRules({
      replication: { bootWaitUntil: () => asMonotonicMillis(Number.NEGATIVE_INFINITY) },
    }),
    world: world({ crashes: 1, expiries: 1, stamps: 1, epochs: 3 }),
  },
  {
    name: 'lease-outlives-promise',
    breaks: 'a lease ends before the promise it rests on (L3)',
    rules: mutatedRules({
      replication: { leaseExpiry: (sentAtMs, leaseMs) => asMonotonicMillis(sentAtMs + 2 * leaseMs) },
    }),
    world: world({ expiries: 1, stamps: 1, ticks: 1, epochs: 1 }),
  },
  {
    name: 'lease-of-isr-alone',
    breaks: 'the lease set holds the ELR too, wherever a lease is allowed below min.insync (4.3-6, R10)',
    rules: mutatedRules({
      replication: {
        leaseSet: (view, rules) => rules.maximalIsr(view),
        // By R10 nobody has a lease while there is an ELR; the lease set must not rest on that alone.
        leaseValid: (view, nowMs, wallMs, rules) =>
          RULES.leaseValid({ ...view, minInsync: 1 }, nowMs, wallMs, rules),
      },
    }),
    world: world({ crashes: 0, expiries: 1, proposals: 2, stamps: 1, epochs: 1 }),
  },
];

/** A mutation by its name; `none`: the rules as they are. */
export function rulesOf(name: string): ModelRules {
  if (name === 'none') return MODEL_RULES;
  const mutation = MUTATIONS.find((each) => each.name === name);
  if (mutation === undefined) throw new Error(`there is no mutation '${name}'`);
  return mutation.rules;
}
