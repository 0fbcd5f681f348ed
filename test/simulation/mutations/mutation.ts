import type { ControllerRules } from '../../../src/controller/rules/rules.ts';
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
