import type { ControllerEpoch, LeaderEpoch, PartitionVersion } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';

/** The newest that a node has taken over for a partition, durably (I1). */
export interface SeenState {
  readonly controllerEpochMax: ControllerEpoch;
  readonly uuid: string | null;
  readonly leaderEpochMax: LeaderEpoch;
  readonly versionMax: PartitionVersion;
}

/**
 * `newer`: take it over. `known`: the one that is held already: acknowledge again. `older`: of the past.
 * `otherPartition`: same id, another uuid.
 */
export type StateAcceptance = 'newer' | 'known' | 'older' | 'otherPartition';

/**
 * Whether a version that the leader tells may be acknowledged under: not one of an earlier reign than the newest that
 * this node has answered to. That controller has heard, and counts on it, what this node knew; a version that the
 * coordinator has forgotten would be news to it (R17). The controller itself tells the others.
 */
export function mayLearnVersion(
  controllerEpoch: ControllerEpoch,
  controllerEpochMax: ControllerEpoch,
): boolean {
  return controllerEpoch >= controllerEpochMax;
}

/**
 * Whether a pushed state is taken over: never from an older controller, never of an older epoch or version (2.2,
 * KAFKA-1096, KAFKA-6082). Leader epochs are compared first: after a coordinator lost writes versions may repeat, and
 * an epoch in which nothing was written: then it is `known`, and what is in force is compared by its leader (R17).
 */
export function acceptsState(
  seen: SeenState,
  controllerEpoch: ControllerEpoch,
  state: Pick<PartitionState, 'uuid' | 'leaderEpoch' | 'version'>,
): StateAcceptance {
  if (controllerEpoch < seen.controllerEpochMax) return 'older';
  if (seen.uuid === null) return 'newer';
  if (state.uuid !== seen.uuid) return 'otherPartition';
  if (state.leaderEpoch !== seen.leaderEpochMax) {
    return state.leaderEpoch > seen.leaderEpochMax ? 'newer' : 'older';
  }
  if (state.version === seen.versionMax) return 'known';
  return state.version > seen.versionMax ? 'newer' : 'older';
}
