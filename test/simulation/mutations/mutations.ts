import { COMMAND_MUTATIONS } from './command-mutations.ts';
import { CONTROLLER_MUTATIONS } from './controller-mutations.ts';
import { LEASE_MUTATIONS, READ_MUTATIONS } from './lease-mutations.ts';
import type { Mutation } from './mutation.ts';
import { PRODUCER_MUTATIONS } from './producer-mutations.ts';
import { REPLICATION_MUTATIONS } from './replication-mutations.ts';
import { MERGE_MUTATIONS, RECOVERY_MUTATIONS } from './storage-mutations.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...REPLICATION_MUTATIONS,
  ...LEASE_MUTATIONS,
  ...READ_MUTATIONS,
  ...COMMAND_MUTATIONS,
  ...CONTROLLER_MUTATIONS,
  ...MERGE_MUTATIONS,
  ...RECOVERY_MUTATIONS,
  ...PRODUCER_MUTATIONS,
];

export function mutationNamed(name: string): Mutation {
  const found = MUTATIONS.find((mutation) => mutation.name === name);
  if (found !== undefined) return found;
  throw new Error(
    `no mutation '${name}'; there are: ${MUTATIONS.map((mutation) => mutation.name).join(', ')}`,
  );
}
