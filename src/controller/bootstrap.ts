import type { CoordinatorSession } from '../coordination/coordinator.ts';
import type { Random } from '../env/random.ts';
import type { NodeId } from '../model/numbers.ts';
import type { ClusterFacts } from '../model/partition-state.ts';
import type { ControllerRules } from './rules/rules.ts';

/** What a new cluster is made of. */
export interface ClusterPlan extends Omit<ClusterFacts, 'clusterId' | 'version' | 'slots'> {
  readonly partitions: number;
  /** Those known by configuration, or alive now. At least `replicationFactor`. */
  readonly nodes: readonly { readonly nodeId: NodeId; readonly rack: string }[];
}

/** What holds; or why it cannot be known now (try again). */
export type BootstrapResult =
  | { readonly ok: true; readonly facts: ClusterFacts }
  | { readonly ok: false; readonly reason: string };

/** Creates what is missing of a cluster's skeleton. Idempotent; two at once end with one cluster. */
export async function bootstrap(
  rules: ControllerRules,
  session: CoordinatorSession,
  plan: ClusterPlan,
  random: Random,
): Promise<BootstrapResult> {
  await null;
  void [rules, session, plan, random];
  return { ok: false, reason: 'not connected' };
}
