import { CONTROLLER_MUTATIONS, MERGE_MUTATIONS } from './controller-mutations.ts';
import { LEASE_MUTATIONS } from './lease-mutations.ts';
import type { Mutation } from './mutation.ts';
import { PRODUCER_MUTATIONS } from './producer-mutations.ts';
import { REPLICATION_MUTATIONS } from './replication-mutations.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...REPLICATION_MUTATIONS,
  ...LEASE_MUTATIONS,
  ...CONTROLLER_MUTATIONS,
  ...MERGE_MUTATIONS,
  ...PRODUCER_MUTATIONS,
];

export function mutationNamed(name: string): Mutation {
  const found = MUTATIONS.find((mutation) => mutation.name === name);
  if (found !== undefined) return found;
  throw new Error(
    `no mutation '${name}'; there are: ${MUTATIONS.map((mutation) => mutation.name).join(', ')}`,
  );
}
