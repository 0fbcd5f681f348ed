import { type BootstrapResult, bootstrap, type ClusterPlan, disagreements } from '../controller/bootstrap.ts';
import type { ControllerRules } from '../controller/rules/rules.ts';
import type { CoordinatorSession } from '../coordination/coordinator.ts';
import { CLUSTER_PATH } from '../coordination/paths.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import { CaskadeError } from '../model/errors.ts';
import type { NodeId } from '../model/numbers.ts';
import type { ClusterFacts } from '../model/partition-state.ts';

/** What a data directory remembers of its cluster (`NodeState`). */
export interface Membership {
  /** Empty: it belongs to none yet. */
  readonly clusterId: string;
  joinCluster(clusterId: string, nodeId: NodeId): Promise<void>;
}

export interface ClusterEntryOptions {
  readonly rules: ControllerRules;
  readonly plan: ClusterPlan;
  readonly nodeState: Membership;
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Between two attempts. */
  readonly retryMs: number;
  readonly fatal: (error: CaskadeError) => void;
  /** The node may register from now on (`mayRegister`). */
  readonly welcome?: () => void;
}

/**
 * How a node comes into a cluster: creates it where there is none yet, and sees that it is the one that its data
 * directory belongs to and that its configuration speaks of (R2). Before that is certain nothing is read, led or deleted.
 */
export class ClusterEntry {
  readonly #options: ClusterEntryOptions;
  #facts: ClusterFacts | null = null;
  #mayRegister = false;

  constructor(options: ClusterEntryOptions) {
    this.#options = options;
  }

  /** Of the cluster that this node is a member of, as they were when that became certain; null: it is not yet. */
  get facts(): ClusterFacts | null {
    return this.#facts;
  }

  /**
   * It is a member; or there is no cluster yet, and it is one of those that a new one is made of. Whoever registers
   * without belonging here writes a life of its own over that of the node that does.
   */
  get mayRegister(): boolean {
    return this.#mayRegister;
  }

  /** True: this node is a member. False: it is not wanted any more, or the node cannot go on, and `fatal` was told why. */
  async enter(session: CoordinatorSession, isWanted: () => boolean): Promise<boolean> {
    const { clock, logger, retryMs } = this.#options;
    let lastReason = '';
    await firstConnection(session);
    while (isWanted()) {
      const result = await this.#bootstrap(session);
      if (result === null || !isWanted()) return false;
      const verdict = result.ok ? await this.#join(result.facts) : result.reason;
      if (verdict === MEMBER) return isWanted();
      if (verdict === STRANGER) return false;
      if (verdict !== lastReason)
        logger.info({ component: 'node' }, `the cluster is not entered yet: ${verdict}`);
      lastReason = verdict;
      await clock.sleep(retryMs);
    }
    return false;
  }

  /** Null: the node cannot go on. */
  async #bootstrap(session: CoordinatorSession): Promise<BootstrapResult | null> {
    const { rules, plan, random, nodeState } = this.#options;
    if (session.state !== 'connected') return { ok: false, reason: 'not connected to the coordinator' };
    // A server of the ensemble may be behind.
    if (!(await session.barrier()).ok) return { ok: false, reason: 'not connected to the coordinator' };
    const cluster = await session.read(CLUSTER_PATH);
    const isAbsent = !cluster.ok && cluster.failure === 'noNode';
    if (!cluster.ok && !isAbsent)
      return { ok: false, reason: `${CLUSTER_PATH} not read: ${cluster.failure}` };
    // A coordinator that has forgotten the cluster would have its data given up for a new, empty one.
    if (isAbsent && nodeState.clusterId !== '')
      return this.#refuse('foreignDirectory', noClusterText(nodeState.clusterId));
    if (isAbsent) this.#welcome();
    return bootstrap(rules, session, plan, random);
  }

  /** R2: at the start of the process; what an operator changes later is no reason to stop. A text: why not yet. */
  async #join(facts: ClusterFacts): Promise<string> {
    if (this.#facts?.clusterId === facts.clusterId) return MEMBER;
    const { nodeState, plan, nodeId } = this.#options;
    if (nodeState.clusterId !== '' && nodeState.clusterId !== facts.clusterId) {
      this.#refuse('foreignDirectory', otherClusterText(nodeState.clusterId, facts.clusterId));
      return STRANGER;
    }
    const found = disagreements(facts, plan);
    if (found.length > 0) {
      const text = `this node expects another cluster than the one it meets: ${found.join('; ')}`;
      this.#refuse('configurationInvalid', text);
      return STRANGER;
    }
    try {
      await nodeState.joinCluster(facts.clusterId, nodeId);
    } catch (error) {
      return `which cluster this directory belongs to is not on disk: ${String(error)}`;
    }
    this.#facts = facts;
    this.#welcome();
    return MEMBER;
  }

  #welcome(): void {
    if (this.#mayRegister) return;
    this.#mayRegister = true;
    this.#options.welcome?.();
  }

  #refuse(code: 'foreignDirectory' | 'configurationInvalid', text: string): null {
    this.#options.fatal(new CaskadeError(code, text));
    return null;
  }
}

/** Resolves at once where it is connected, or will never be. */
function firstConnection(session: CoordinatorSession): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (session.state === 'connected' || session.state === 'lost') resolve();
    };
    session.onState(look);
    look();
  });
}

const MEMBER = 'member';
const STRANGER = 'stranger';

function noClusterText(clusterId: string): string {
  return `the data directory belongs to cluster ${clusterId}, but the coordinator knows of no cluster under zookeeper.chroot; check zookeeper.servers and zookeeper.chroot, or restore the coordinator's data`;
}

function otherClusterText(own: string, met: string): string {
  return `the data directory belongs to cluster ${own}, but cluster ${met} lies under zookeeper.chroot; check data.dir, zookeeper.servers and zookeeper.chroot`;
}
