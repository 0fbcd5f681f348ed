import { CaskadeError } from '../../model/errors.ts';
import type { ControllerEpoch, PartitionId } from '../../model/numbers.ts';
import { asLeaderEpoch, asOffset, asPartitionVersion } from '../../model/numbers.ts';
import type { PartitionState, ReplicaReport } from '../../model/partition-state.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import { type ClusterMetadata, isNewer } from './cluster-metadata.ts';
import type { PartitionRecord } from './node-state.ts';
import { Replica } from './replica.ts';
import type { FoundReplica, FreshReplica } from './replica-directories.ts';
import type { ReplicaNode } from './replica-node.ts';

const UNKNOWN = {
  uuid: null,
  leaderEpochMax: asLeaderEpoch(0),
  versionMax: asPartitionVersion(-1),
};

/** A state that waits until a replica has been made or removed; a newer one takes its place. */
interface Waiting {
  state: PartitionState;
  controllerEpoch: ControllerEpoch;
  readonly taken: Promise<boolean>;
  readonly resolve: (isTaken: boolean) => void;
}

/** The replicas of a node: opened at start, made when they are assigned, removed when they are not any more. */
export class ReplicaSet {
  readonly #node: ReplicaNode & { readonly metadata: ClusterMetadata };
  readonly #replicas = new Map<PartitionId, Replica>();
  /** Partitions whose directory is being made or removed now. */
  readonly #busy = new Map<PartitionId, Waiting | null>();
  readonly #changes = new Set<Promise<boolean>>();
  /**
   * Of replicas that were removed: who is assigned again in the same life numbers its fetches on, or its leader would
   * take them for late ones.
   */
  readonly #nextFetchIds = new Map<PartitionId, number>();
  /** Made, but it is not known whether the node's state names them: that failed. */
  readonly #unplaced = new Map<PartitionId, FreshReplica & { readonly uuid: string }>();
  #all: readonly Replica[] = [];
  #isClosed = false;

  constructor(node: ReplicaNode & { readonly metadata: ClusterMetadata }) {
    this.#node = node;
  }

  get all(): readonly Replica[] {
    return this.#all;
  }

  get(partition: PartitionId): Replica | null {
    return this.#replicas.get(partition) ?? null;
  }

  /**
   * Of those that are or were held; an empty list: of all. What is gone is remembered for what was known of the
   * partition (R17).
   */
  reports(partitions: readonly PartitionId[]): readonly ReplicaReport[] {
    const asked = partitions.length === 0 ? this.#node.nodeState.partitionIds : partitions;
    return asked
      .map((id) => this.get(id)?.report() ?? this.#remembered(id))
      .filter((report) => report !== null);
  }

  #remembered(partition: PartitionId): ReplicaReport | null {
    const record = this.#node.nodeState.partition(partition);
    if (record === undefined) return null;
    const { uuid, leaderEpochMax, versionMax } = record;
    const nothing = { lastEpoch: asLeaderEpoch(0), logEndOffset: asOffset(0), verdict: 'gone' } as const;
    return { partition, uuid, directoryId: '', ...nothing, leaderEpochMax, versionMax };
  }

  /** Opens what the node's state names, one after the other. */
  async open(): Promise<void> {
    const { nodeState, directories, doors } = this.#node;
    for (const id of nodeState.partitionIds) {
      const record = nodeState.partition(id);
      if (record === undefined || record.directory === null) continue;
      const found = await directories.open(id, record.uuid, record.directory).catch(unreadable);
      if (found.kind === 'unusable') {
        doors.logger.error(
          { component: 'replica', partition: id, reason: found.reason },
          'a replica cannot be used and will be built anew from its leader',
        );
      }
      this.#add(id, record.uuid, found.kind === 'opened' ? found.store : null);
    }
  }

  /**
   * Takes over a state if rule `acceptsState` lets it. Resolves to true when it, or a newer one, is durable and in
   * force; never rejects. What is led under an older epoch answers nothing any more when this returns.
   */
  take(state: PartitionState, controllerEpoch: ControllerEpoch): Promise<boolean> {
    const { id } = state;
    if (this.#isClosed) return Promise.resolve(false);
    const isHeld = this.#node.nodeState.partition(id) !== undefined;
    if (!this.#mayTake(state, controllerEpoch)) return Promise.resolve(false);
    this.#node.metadata.noteState(state);
    if (this.#busy.has(id)) return this.#wait(state, controllerEpoch);
    const replica = this.#replicas.get(id);
    const isAssigned = state.replicas.includes(this.#node.settings.nodeId);
    if (isAssigned) return replica === undefined ? this.#create(state) : this.#takeIn(replica, state);
    if (replica !== undefined && isHeld && this.#isLater(state)) return this.#remove(replica, state);
    return Promise.resolve(true);
  }

  /** Another life has begun: what was accepted in the one before is in force again, with roles of this one. */
  takeAgain(): void {
    for (const replica of this.#all) if (replica.state !== null) void this.#takeIn(replica, replica.state);
  }

  /** True: everything was closed well. */
  async close(): Promise<boolean> {
    this.#isClosed = true;
    await Promise.all(this.#changes);
    await Promise.all([...this.#unplaced.values()].map(({ store }) => store.abandon().catch(() => {})));
    await Promise.all(this.#all.map((replica) => replica.close()));
    return this.#all.every((replica) => !replica.isBroken);
  }

  #mayTake(state: PartitionState, controllerEpoch: ControllerEpoch): boolean {
    const { nodeState, rules } = this.#node;
    const record = nodeState.partition(state.id);
    const seen = isForgotten(record, state) ? UNKNOWN : (record ?? UNKNOWN);
    const { controllerEpochMax } = nodeState;
    const acceptance = rules.acceptsState({ ...seen, controllerEpochMax }, controllerEpoch, state);
    if (acceptance === 'otherPartition') {
      this.#node.doors.logger.error(
        { component: 'replica', partition: state.id, uuid: state.uuid, held: record?.uuid },
        'a state speaks of another partition than the one that is held here',
      );
    }
    // One that is known durably may not be in force yet: after a start, or when a data reply told its version before (R17).
    return acceptance === 'newer' || acceptance === 'known';
  }

  /** KIP-570: a late order to remove must not hit a replica that was assigned again since. */
  #isLater(state: PartitionState): boolean {
    return state.leaderEpoch > (this.#node.nodeState.partition(state.id)?.leaderEpochMax ?? 0);
  }

  async #takeIn(replica: Replica, state: PartitionState): Promise<boolean> {
    try {
      return await replica.take(state);
    } catch (error) {
      this.#node.doors.logger.error(
        { component: 'replica', partition: state.id, err: error },
        'a state is not taken over',
      );
      return false;
    }
  }

  #create(state: PartitionState): Promise<boolean> {
    return this.#exclusively(state, async () => {
      const fresh = await this.#freshFor(state);
      // Until it is known to be placed: a write that failed may have named it all the same, so only this one may be placed next.
      this.#unplaced.set(state.id, { ...fresh, uuid: state.uuid });
      await this.#node.nodeState.placePartition(state.id, state.uuid, fresh.name);
      this.#unplaced.delete(state.id);
      if (this.#isClosed) await fresh.store.abandon();
      else this.#add(state.id, state.uuid, fresh.store);
    });
  }

  async #freshFor({ id, uuid }: PartitionState): Promise<FreshReplica> {
    const unplaced = this.#unplaced.get(id);
    if (unplaced?.uuid === uuid) return unplaced;
    await unplaced?.store.abandon();
    this.#unplaced.delete(id);
    return this.#node.directories.fresh(id, uuid);
  }

  #remove(replica: Replica, state: PartitionState): Promise<boolean> {
    this.#replicas.delete(replica.id);
    this.#all = [...this.#replicas.values()];
    return this.#exclusively(state, async () => {
      const { directories, nodeState, doors } = this.#node;
      await replica.close();
      // Not before: a rebuild may have been about to put another in its place.
      const name = nodeState.partition(replica.id)?.directory ?? null;
      this.#nextFetchIds.set(replica.id, replica.role.nextFetchId);
      doors.logger.info(
        { component: 'replica', partition: replica.id },
        'the replica is not assigned here any more',
      );
      // One rewrite: that it is gone, and the epoch in which it went.
      void nodeState.raisePartition(replica.id, state.leaderEpoch, state.version).catch(() => {});
      await nodeState.placePartition(replica.id, replica.uuid, null);
      if (name !== null) await directories.remove(name);
    });
  }

  #exclusively(state: PartitionState, change: () => Promise<void>): Promise<boolean> {
    const changed = this.#changeAlone(state, change).finally(() => this.#changes.delete(changed));
    this.#changes.add(changed);
    return changed;
  }

  /** Nothing else is done with this partition meanwhile; the newest state that came is taken over afterwards. */
  async #changeAlone(state: PartitionState, change: () => Promise<void>): Promise<boolean> {
    const { id } = state;
    this.#busy.set(id, null);
    let isDone = true;
    try {
      await change();
    } catch (error) {
      isDone = false;
      this.#node.doors.logger.error(
        { component: 'replica', partition: id, err: error },
        'a replica can be neither made nor removed',
      );
    }
    const waiting = this.#busy.get(id) ?? null;
    this.#busy.delete(id);
    if (waiting === null) return this.#settle(state, isDone);
    const isTaken = this.take(waiting.state, waiting.controllerEpoch);
    void isTaken.then(waiting.resolve);
    return isTaken;
  }

  #settle(state: PartitionState, isDone: boolean): Promise<boolean> {
    const replica = this.#replicas.get(state.id);
    return isDone && replica !== undefined ? this.#takeIn(replica, state) : Promise.resolve(isDone);
  }

  #wait(state: PartitionState, controllerEpoch: ControllerEpoch): Promise<boolean> {
    const known = this.#busy.get(state.id) ?? null;
    if (known !== null) {
      if (isNewer(state, known.state)) Object.assign(known, { state, controllerEpoch });
      return known.taken;
    }
    const { promise: taken, resolve } = withResolvers<boolean>();
    this.#busy.set(state.id, { state, controllerEpoch, taken, resolve });
    return taken;
  }

  #add(id: PartitionId, uuid: string, store: PartitionStore | null): void {
    const firstFetchId = this.#nextFetchIds.get(id) ?? 1;
    this.#replicas.set(id, new Replica(id, uuid, store, this.#node, firstFetchId));
    this.#all = [...this.#replicas.values()];
  }
}

/** A file that the disk does not give back is lost like one that does not check; anything else is the operator's. */
function unreadable(error: unknown): FoundReplica {
  if (!(error instanceof CaskadeError) || error.code !== 'diskIo') throw error;
  return { kind: 'unusable', reason: error.message, directoryId: null };
}

/** Nothing is held of the partition that had this number before. */
function isForgotten(record: PartitionRecord | undefined, state: PartitionState): boolean {
  return record !== undefined && record.directory === null && record.uuid !== state.uuid;
}

function withResolvers<Value>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
} {
  let resolve: (value: Value) => void = () => {};
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
