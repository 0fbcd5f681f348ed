import type { CoordinatorSession, Operation } from '../coordination/coordinator.ts';
import {
  decodeCluster,
  decodeNode,
  decodePartition,
  encodeCluster,
  encodePartition,
  idOfChild,
  partitionOfChild,
  type UnknownFields,
} from '../coordination/documents.ts';
import {
  CLUSTER_PATH,
  CONTROLLER_EPOCH_PATH,
  NODES_PATH,
  nodePath,
  PARTITIONS_PATH,
  partitionPath,
} from '../coordination/paths.ts';
import type { Logger } from '../env/logger.ts';
import { asNodeId, asPartitionVersion, type PartitionId } from '../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../model/partition-state.ts';
import type { Reign } from './campaign.ts';
import type { ClusterShape, ReignWorld, WriteOutcome } from './controller-event.ts';

/** Reads in flight at a time. */
const READS_MAX = 64;

/** What a reader gets that may have to try again. `unreadable` is logged where it is found. */
export type Read<Value> = { readonly kind: 'read'; readonly value: Value } | { readonly kind: 'retry' };

const RETRY: Read<never> = { kind: 'retry' };

/**
 * What the controller reads and writes in the coordinator during one reign. Every write is one multi that checks
 * `/controller_epoch` (W8, KAFKA-6082); fields that this version does not know survive it.
 */
export class CoordinatorView {
  readonly #session: CoordinatorSession;
  readonly #reign: Reign;
  readonly #logger: Logger;
  readonly #unknown = new Map<PartitionId, UnknownFields>();
  #unknownFacts: UnknownFields = {};

  constructor(session: CoordinatorSession, reign: Reign, logger: Logger) {
    this.#session = session;
    this.#reign = reign;
    this.#logger = logger;
  }

  /** The world as it was no earlier than now (W7). Partitions before nodes, so that no life that a partition names is unknown. */
  async readWorld(): Promise<Read<ReignWorld>> {
    if (!(await this.#session.barrier()).ok) return RETRY;
    const facts = await this.#readFacts();
    const names = await this.#session.list(PARTITIONS_PATH);
    if (facts.kind !== 'read' || !names.ok) return RETRY;
    const ids = names.value.map(partitionOfChild).filter((id) => id !== undefined);
    const partitions = await inTurns(ids, (id) => this.#read(id));
    const nodes = await this.readNodes();
    if (nodes.kind !== 'read') return RETRY;
    const states: PartitionState[] = [];
    for (const read of partitions) {
      if (read.kind !== 'read') return RETRY;
      if (read.value !== null) states.push(read.value);
    }
    // Whoever creates the cluster is not done yet.
    const isComplete = facts.value.slots.every(([, , partition]) =>
      states.some(({ id }) => id === partition),
    );
    if (!isComplete) return RETRY;
    return { kind: 'read', value: { facts: facts.value, nodes: nodes.value, partitions: states } };
  }

  /** `/cluster` and the list of partitions as they were no earlier than now, with the states of those that are not known. */
  async readShape(known: ReadonlySet<PartitionId>): Promise<Read<ClusterShape>> {
    if (!(await this.#session.barrier()).ok) return RETRY;
    const facts = await this.#readFacts();
    const names = await this.#session.list(PARTITIONS_PATH);
    if (facts.kind !== 'read' || !names.ok) return RETRY;
    const partitions = names.value.map(partitionOfChild).filter((id) => id !== undefined);
    const unknown = partitions.filter((id) => !known.has(id));
    const added: PartitionState[] = [];
    for (const read of await inTurns(unknown, (id) => this.#read(id))) {
      if (read.kind !== 'read') return RETRY;
      if (read.value !== null) added.push(read.value);
    }
    return { kind: 'read', value: { facts: facts.value, partitions, added } };
  }

  /**
   * Who is alive, no earlier than now: a life older than one that a partition names would look foreign. What goes while
   * it is read counts as gone.
   */
  async readNodes(): Promise<Read<readonly NodeRegistration[]>> {
    if (!(await this.#session.barrier()).ok) return RETRY;
    const names = await this.#session.list(NODES_PATH);
    if (!names.ok) return RETRY;
    const ids = names.value.map(idOfChild).filter((id) => id !== undefined);
    const reads = await inTurns(ids, async (id) => {
      const node = asNodeId(id);
      return { node, outcome: await this.#session.read(nodePath(node)) };
    });
    const nodes: NodeRegistration[] = [];
    for (const { node, outcome } of reads) {
      if (!outcome.ok && outcome.failure !== 'noNode') return RETRY;
      if (!outcome.ok) continue;
      const decoded = decodeNode(node, outcome.value.data);
      if (decoded.ok) nodes.push(decoded.value);
      else this.#logger.error({ node }, `registration cannot be read: ${decoded.reason}`);
    }
    return { kind: 'read', value: nodes };
  }

  /** No staler than now; null: it does not exist. */
  async readPartition(partition: PartitionId): Promise<Read<PartitionState | null>> {
    if (!(await this.#session.barrier()).ok) return RETRY;
    return this.#read(partition);
  }

  /** Sets the partition `times` times in one multi, from `next.version` on. */
  async write(next: PartitionState, times: number): Promise<WriteOutcome> {
    const path = partitionPath(next.id);
    const data = encodePartition(next, this.#unknown.get(next.id));
    const sets = Array.from({ length: times }, (_, index): Operation => {
      return { kind: 'set', path, data, version: next.version + index };
    });
    const outcome = await this.#checked(sets);
    if (outcome.kind !== 'written') return outcome;
    return { kind: 'written', version: asPartitionVersion(outcome.version) };
  }

  /** From `facts.version` on. */
  writeFacts(facts: ClusterFacts): Promise<WriteOutcome<number>> {
    const data = encodeCluster(facts, this.#unknownFacts);
    return this.#checked([{ kind: 'set', path: CLUSTER_PATH, data, version: facts.version }]);
  }

  /** One multi with the check that we still reign (W8). */
  async #checked(sets: readonly Operation[]): Promise<WriteOutcome<number>> {
    const { epochVersion: version } = this.#reign;
    const check: Operation = { kind: 'check', path: CONTROLLER_EPOCH_PATH, version };
    const outcome = await this.#session.multi([check, ...sets]);
    if (outcome.ok) return { kind: 'written', version: outcome.value.at(-1) ?? -1 };
    if (outcome.failure === 'unknown' || outcome.failure === 'sessionLost') return { kind: 'unknown' };
    return { kind: (await this.#isEpochOurs()) ? 'conflict' : 'moved' };
  }

  async #readFacts(): Promise<Read<ClusterFacts>> {
    const cluster = await this.#session.read(CLUSTER_PATH);
    if (!cluster.ok) return RETRY;
    const facts = decodeCluster(cluster.value.data, cluster.value.version);
    if (!facts.ok) return this.#unreadable(facts.reason);
    this.#unknownFacts = facts.unknown;
    return { kind: 'read', value: facts.value };
  }

  /** A failed multi does not say which part failed. */
  async #isEpochOurs(): Promise<boolean> {
    const epoch = await this.#session.read(CONTROLLER_EPOCH_PATH);
    // Not known: then the partition is read again, and the next write will tell.
    return epoch.ok ? epoch.value.version === this.#reign.epochVersion : epoch.failure !== 'noNode';
  }

  async #read(partition: PartitionId): Promise<Read<PartitionState | null>> {
    const outcome = await this.#session.read(partitionPath(partition));
    if (!outcome.ok) return outcome.failure === 'noNode' ? { kind: 'read', value: null } : RETRY;
    const decoded = decodePartition(partition, outcome.value.data, outcome.value.version);
    if (!decoded.ok) return this.#unreadable(decoded.reason);
    this.#unknown.set(partition, decoded.unknown);
    return { kind: 'read', value: decoded.value };
  }

  #unreadable(reason: string): Read<never> {
    this.#logger.error({}, `document of the coordinator cannot be read, tried again later: ${reason}`);
    return RETRY;
  }
}

async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += READS_MAX)
    results.push(...(await Promise.all(items.slice(from, from + READS_MAX).map(work))));
  return results;
}
