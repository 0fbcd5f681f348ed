import type { ControllerRules } from '../../../src/controller/rules/rules.ts';
import { LEADER_INVARIANTS } from '../../../src/replication/leader/leader-invariants.ts';
import type { ReplicationRules } from '../../../src/replication/rules/rules.ts';

/** One rule broken on purpose. A checker must see it; a crash of the mutant itself does not count. */
export interface Mutation {
  readonly name: string;
  /** The ruling, rule or case that it breaks: R1-R24, L1-L12, C1-C14, KAFKA-n. */
  readonly ruling: string;
  readonly rules: {
    readonly replication: Partial<ReplicationRules>;
    readonly controller: Partial<ControllerRules>;
  };
  /** For what is no function of a rules object: puts something in the place of a door, and returns what takes it back. */
  readonly install?: () => () => void;
}

type Brokenness = Pick<Mutation, 'install'> & Partial<Mutation['rules']>;

export function mutation(name: string, ruling: string, broken: Brokenness): Mutation {
  const { replication = {}, controller = {}, install } = broken;
  const rules = { replication, controller };
  return install === undefined ? { name, ruling, rules } : { name, ruling, rules, install };
}

/** Puts `replacement` in the place of a method or of a function in an object, until the returned function is called. */
export function replaced<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  replacement: (original: Target[Name]) => Target[Name],
): () => void {
  const original = target[name];
  target[name] = replacement(original);
  return () => {
    target[name] = original;
  };
}

/**
 * Puts what is no rule of the mutation in force, until the returned function is called; and takes away the leader's own
 * checks, which would stop it at once: what the broken rule does is to be seen from outside.
 */
export function putInForce({ install }: Mutation): () => void {
  const restores = [
    replaced(LEADER_INVARIANTS, 'checkCommit', () => () => undefined),
    replaced(LEADER_INVARIANTS, 'checkProposal', () => () => undefined),
    install?.(),
  ];
  return () => {
    for (const restore of restores.reverse()) restore?.();
  };
}
