import type { CoordinatorSession } from '../coordination/coordinator.ts';
import {
  type Decoded,
  decodeCluster,
  decodeNode,
  decodePartition,
  idOfChild,
  partitionOfChild,
} from '../coordination/documents.ts';
import { CLUSTER_PATH, NODES_PATH, nodePath, PARTITIONS_PATH, partitionPath } from '../coordination/paths.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { asNodeId, type ControllerEpoch } from '../model/numbers.ts';
import type { NodeRegistration, PartitionState } from '../model/partition-state.ts';
import type { CoordinatorRead } from '../replication/node/ports.ts';

export interface CoordinatorReaderOptions {
  readonly session: CoordinatorSession;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Between two attempts of a read that failed. */
  readonly retryMs: number;
  /** The highest controller epoch that this node knows of now. */
  readonly epochKnown: () => ControllerEpoch;
  readonly onRead: (read: CoordinatorRead) => void;
}

/** It is not there any more. */
const GONE = 'gone';
type Gone = typeof GONE;

/**
 * Reads for a node what the coordinator says: the facts, who is alive, and the state of every partition (its own, and
 * whom to send clients to for the others). On start, on every reconnect and when somebody suspects that pushes were
 * missed; until it succeeds (PROTOCOL 0: ZooKeeper is the truth, pushes are hints).
 */
export class CoordinatorReader {
  readonly #options: CoordinatorReaderOptions;
  #isReading = false;
  /** Asked for again while reading: what is being read may be too old. */
  #isAsked = false;
  #isStopped = false;

  constructor(options: CoordinatorReaderOptions) {
    this.#options = options;
    options.session.onState((state) => {
      if (state === 'connected') this.readSoon();
    });
    if (options.session.state === 'connected') this.readSoon();
  }

  readSoon(): void {
    this.#isAsked = true;
    if (this.#isReading || this.#isStopped) return;
    this.#isReading = true;
    void this.#readUntilDone();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #readUntilDone(): Promise<void> {
    const { clock, retryMs, session, onRead } = this.#options;
    while (this.#isAsked && !this.#isStopped && session.state !== 'lost') {
      this.#isAsked = false;
      const read = session.state === 'connected' ? await this.#readAll() : null;
      if (this.#isStopped) break;
      if (read !== null) {
        onRead(read);
      } else {
        this.#isAsked = true;
        await clock.sleep(retryMs);
      }
    }
    this.#isReading = false;
  }

  /** Null: something could not be read now. */
  async #readAll(): Promise<CoordinatorRead | null> {
    const { session, epochKnown } = this.#options;
    const controllerEpoch = epochKnown();
    if (!(await session.barrier()).ok) return null;
    const facts = await this.#read(CLUSTER_PATH, decodeCluster);
    const nodes = await this.#readChildren(NODES_PATH, (name) => this.#readNode(name));
    const partitions = await this.#readChildren(PARTITIONS_PATH, (name) => this.#readPartition(name));
    if (facts === null || facts === GONE || nodes === null || partitions === null) return null;
    return { controllerEpoch, facts, nodes, partitions };
  }

  async #readChildren<Value>(
    path: string,
    read: (name: string) => Promise<Value | Gone | null>,
  ): Promise<readonly Value[] | null> {
    const names = await this.#options.session.list(path);
    if (!names.ok) return null;
    const values = await Promise.all(names.value.map(read));
    const found: Value[] = [];
    for (const value of values) {
      if (value === null) return null;
      if (value !== GONE) found.push(value as Value);
    }
    return found;
  }

  #readNode(name: string): Promise<NodeRegistration | Gone | null> {
    const id = idOfChild(name);
    if (id === undefined) return Promise.resolve(GONE);
    const node = asNodeId(id);
    return this.#read(nodePath(node), (data) => decodeNode(node, data));
  }

  #readPartition(name: string): Promise<PartitionState | Gone | null> {
    const id = partitionOfChild(name);
    if (id === undefined) return Promise.resolve(GONE);
    return this.#read(partitionPath(id), (data, version) => decodePartition(id, data, version));
  }

  /** Null: not now. What cannot be decoded is as good as not there, and said. */
  async #read<Value>(
    path: string,
    decode: (data: unknown, version: number) => Decoded<Value>,
  ): Promise<Value | Gone | null> {
    const node = await this.#options.session.read(path);
    if (!node.ok) return node.failure === 'noNode' ? GONE : null;
    const decoded = decode(node.value.data, node.value.version);
    if (decoded.ok) return decoded.value;
    this.#options.logger.error({ component: 'node', path, reason: decoded.reason }, 'cannot be read');
    return GONE;
  }
}
