import { CONTROLLER_RULES, type ControllerRules } from '../../src/controller/rules/rules.ts';
import { type ReplicationRules, RULES } from '../../src/replication/rules/rules.ts';

/** The rules that a model runs by, and the few steps of the model itself that a mutation may replace. */
export interface ModelRules {
  readonly replication: ReplicationRules;
  readonly controller: ControllerRules;
  /** A follower that begins to follow asks by epochs before it cuts anything (KIP-101); never by its own high watermark. */
  readonly truncatesToHighWatermark: boolean;
  /** An epoch that was begun and wrote nothing is forgotten when a record of an older epoch comes to its place (KAFKA-10706). */
  readonly keepsEmptyEpochs: boolean;
}

/**
 * Lag is left to chance instead of time: any follower may be found lagging at any moment, and none ever is kept out for it. That allows everything that time would,
 * and more, and saves the model a clock wherever leases are not looked at.
 *
 * The coordinator of the model forgets nothing. So nobody who would have to be heard for it (R17) is waited for: all that can happen with that wait happens without it too, and more.
 */
export const MODEL_RULES: ModelRules = {
  replication: {
    ...RULES,
    isSilent: () => false,
    isCaughtUp: (view, progress) => progress.durableOffset >= view.logEndOffset,
  },
  controller: { ...CONTROLLER_RULES, isWitnessed: () => true, hasLeaderSpoken: () => true },
  truncatesToHighWatermark: false,
  keepsEmptyEpochs: false,
};

/** The same with some rules replaced: a mutation. */
export function mutatedRules(change: {
  readonly replication?: Partial<ReplicationRules>;
  readonly controller?: Partial<ControllerRules>;
  readonly truncatesToHighWatermark?: boolean;
  readonly keepsEmptyEpochs?: boolean;
}): ModelRules {
  return {
    replication: { ...MODEL_RULES.replication, ...change.replication },
    controller: { ...MODEL_RULES.controller, ...change.controller },
    truncatesToHighWatermark: change.truncatesToHighWatermark ?? false,
    keepsEmptyEpochs: change.keepsEmptyEpochs ?? false,
  };
}
