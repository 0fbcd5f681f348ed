import type { ClusterPlan } from '../controller/bootstrap.ts';
import { Campaign, type CampaignHost } from '../controller/campaign.ts';
import { type AdminResult, Controller, type ControllerSettings } from '../controller/controller.ts';
import type { ControllerRules } from '../controller/rules/rules.ts';
import type { CoordinatorFactory, CoordinatorSession } from '../coordination/coordinator.ts';
import { Registration, type RegistrationHost } from '../coordination/registration.ts';
import type { Clock } from '../env/clock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import type { AdminRequest, ControlMessage, ToController } from '../model/control-messages.ts';
import { CaskadeError } from '../model/errors.ts';
import {
  asControllerEpoch,
  asIncarnation,
  type ControllerEpoch,
  type Incarnation,
  type NodeId,
} from '../model/numbers.ts';
import type { ClusterFacts } from '../model/partition-state.ts';
import type { PeerMessage } from '../replication/messages.ts';
import type { CoordinatorRead, ReplicaManagerSettings } from '../replication/node/ports.ts';
import { ReplicaManager } from '../replication/node/replica-manager.ts';
import type { ReplicationRules } from '../replication/rules/rules.ts';
import { BatchedVersionCheck } from './batched-version-check.ts';
import { ClusterEntry } from './cluster-entry.ts';
import { ControlledShutdown } from './controlled-shutdown.ts';
import { CoordinatorReader } from './coordinator-reader.ts';

/** Carries messages to other nodes, or loses them without a word. */
export interface NodeTransport {
  sendPeer(to: NodeId, message: PeerMessage): void;
  sendControl(to: NodeId, message: ControlMessage): void;
}

export interface ClusterNodeDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly coordinator: CoordinatorFactory;
  readonly transport: NodeTransport;
  /** The node cannot go on: its process is to end with this error. */
  readonly fatal: (error: CaskadeError) => void;
  /** This life stands in the coordinator, and what is configured agrees with the cluster. May be told more than once. */
  readonly joined?: (facts: ClusterFacts, incarnation: Incarnation) => void;
  /** The life is over: nothing goes out under the next one before it has `joined`. */
  readonly left?: () => void;
}

export interface ClusterNodeSettings {
  readonly replicas: ReplicaManagerSettings;
  readonly controller: ControllerSettings;
  readonly rack: string;
  /** Between two attempts of anything that failed. */
  readonly retryMs: number;
  /** So long a registration of our node id that is not ours may stand in the way. */
  readonly foreignMsMax: number;
  /** So long a controlled shutdown may take; then the node stops without. */
  readonly shutdownMsMax: number;
  /** What the cluster is made of where it does not exist yet (R2: afterwards only compared). */
  readonly plan: ClusterPlan;
}

/** Every rule, so that a test can replace one. */
export interface ClusterRules {
  readonly replication: ReplicationRules;
  readonly controller: ControllerRules;
}

/** What stands on one session, and falls with it. */
interface SessionParts {
  readonly session: CoordinatorSession;
  readonly controller: Controller;
  readonly campaign: Campaign;
  readonly reader: CoordinatorReader;
  /** It is the right cluster. */
  hasEntered: boolean;
  /** It stands for controller. */
  isStanding: boolean;
}

/**
 * One node of a cluster, whatever carries its messages: its replicas, its registration, its candidacy for controller
 * and, while it reigns, the controller. A lost session ends all that stood on it and begins a new life in the same
 * process (W5).
 */
export class ClusterNode {
  readonly replicas: ReplicaManager;
  readonly #settings: ClusterNodeSettings;
  readonly #rules: ClusterRules;
  readonly #doors: ClusterNodeDoors;
  #registration: Registration | null = null;
  #parts: SessionParts | null = null;
  /** Who reigns, as far as this node has seen. */
  #controllerNode: NodeId | null = null;
  #controllerEpoch: ControllerEpoch = asControllerEpoch(0);
  #shutdown: ControlledShutdown | null = null;
  readonly #entry: ClusterEntry;
  /** The life that stands in the coordinator. */
  #registered: Incarnation | null = null;
  #isStopped = false;
  /** It cannot go on. */
  #hasFailed = false;
  /** Resolves when the last change of lives is through, well or not. */
  #nextLife: Promise<void> = Promise.resolve();

  private constructor(
    settings: ClusterNodeSettings,
    rules: ClusterRules,
    doors: ClusterNodeDoors,
    replicas: ReplicaManager,
  ) {
    this.#settings = settings;
    this.#rules = rules;
    this.#doors = doors;
    this.replicas = replicas;
    this.#entry = new ClusterEntry({
      rules: rules.controller,
      plan: settings.plan,
      nodeState: replicas.nodeState,
      nodeId: settings.replicas.nodeId,
      retryMs: settings.retryMs,
      ...doors,
      fatal: (error) => this.#fail(error),
      welcome: () => this.#registration?.lookAgain(),
    });
  }

  /** Recovers every replica in the data directory, which the caller has locked, under a new incarnation. */
  static async open(
    settings: ClusterNodeSettings,
    rules: ClusterRules,
    doors: ClusterNodeDoors,
  ): Promise<ClusterNode> {
    const links = new NodeLinks();
    const { fileSystem, clock, random, logger } = doors;
    const replicas = await ReplicaManager.open(settings.replicas, rules.replication, {
      fileSystem,
      clock,
      random,
      logger,
      // W9: before it is registered it may be another process with the id, and the life, of a node that is alive. Others
      // would take its word for that node's.
      peers: {
        send: (to, message) => {
          if (links.node?.isRegistered === true) doors.transport.sendPeer(to, message);
        },
      },
      controller: { send: (message) => links.node?.sendToController(message) },
      versionCheck: new BatchedVersionCheck(clock, () => links.node?.session ?? null),
      stateSource: { readAgain: () => links.node?.readAgain() },
    });
    const node = new ClusterNode(settings, rules, doors, replicas);
    links.node = node;
    return node;
  }

  /** Joins the cluster. `addresses`: where others and clients find this node. */
  start(addresses: Readonly<Record<string, string>>): void {
    const { coordinator: factory, clock, logger } = this.#doors;
    const { rack, retryMs, foreignMsMax } = this.#settings;
    const { directory } = this.replicas.nodeState;
    const process = this.#doors.random.uuid();
    const settings = { nodeId: this.nodeId, addresses, rack, retryMs, foreignMsMax, process, directory };
    this.#registration = new Registration(settings, { factory, clock, logger }, this.#registrationHost());
    this.#registration.start(this.replicas.incarnation);
  }

  /** Null: the first session has not been opened yet, or the last one is lost and the next not yet there. */
  get session(): CoordinatorSession | null {
    return this.#parts?.session ?? null;
  }

  /** The coordinator knows this process as the node that it says it is, in the life that it is in. */
  get isRegistered(): boolean {
    return this.#registered === this.replicas.incarnation;
  }

  get nodeId(): NodeId {
    return this.#settings.replicas.nodeId;
  }

  /** Null: it is not certain yet which cluster this is. */
  get clusterId(): string | null {
    return this.#entry.facts?.clusterId ?? null;
  }

  receivePeer(message: PeerMessage): void {
    if (this.#isMember) this.replicas.receive(message);
  }

  receiveControl(message: ControlMessage): void {
    if (!this.#isMember) return;
    switch (message.kind) {
      case 'statePush':
      case 'replicaQuery':
      case 'handOverRequest':
        this.#heardOfController(message.controller, message.controllerEpoch);
        this.replicas.receiveControl(message);
        return;
      case 'isrProposalReply':
        this.replicas.receiveControl(message);
        return;
      case 'shutdownReply':
        this.#shutdown?.answered(message);
        return;
      default:
        this.#parts?.controller.receive(message);
    }
  }

  /** The process of that node refuses connections: three parts each know what to do about it (R7, R9). */
  peerRefused(node: NodeId): void {
    if (this.#isStopped) return;
    this.replicas.peerRefused(node);
    const life = this.replicas.metadata.live.get(node);
    if (life === undefined) return;
    this.#parts?.controller.nodeRefused(node, life);
    this.#parts?.campaign.peerRefused(node, life);
  }

  /** To whoever reigns, as far as is known; lost if nobody does. */
  sendToController(message: ToController): void {
    if (this.#controllerNode !== null) this.#sendControl(this.#controllerNode, message);
  }

  readAgain(): void {
    this.#parts?.reader.readSoon();
  }

  /** An operator's wish, for the node that reigns. */
  async admin(request: AdminRequest): Promise<AdminResult> {
    const parts = this.#parts;
    return parts === null
      ? { ok: false, reason: 'not connected to the coordinator' }
      : parts.controller.admin(request);
  }

  /**
   * Controlled shutdown (2.7), first half: the controller moves away what this node leads and takes it out of the ISRs.
   * Without a controller that answers it ends all the same, after a time. Everything is still served.
   */
  async relieve(): Promise<void> {
    const { clock, logger } = this.#doors;
    const isFirst = this.#shutdown === null;
    this.#shutdown ??= new ControlledShutdown(this.#settings, clock, () => this.#requestShutdown());
    const remaining = await this.#shutdown.done;
    if (remaining !== 0 && isFirst)
      logger.warn({ component: 'node', remaining }, 'stopping without having handed over everything');
  }

  /** `relieve`, then closes its replicas, and at last leaves the cluster. */
  async stop(): Promise<void> {
    // Who is not registered has nothing to hand over, and must not speak for whom it was taken for.
    if (this.#entry.facts !== null && this.isRegistered && !this.#hasFailed) await this.relieve();
    this.#isStopped = true;
    this.#registration?.openNoFurther();
    await this.#endParts();
    this.replicas.waitNoLonger();
    // A life that is just beginning takes its replicas over before they are closed, not after.
    await this.#nextLife;
    await this.replicas.close();
    await this.#registration?.stop();
  }

  /** Nothing that other nodes say is listened to before it is certain that this is their cluster. */
  get #isMember(): boolean {
    return this.#entry.facts !== null && !this.#isStopped;
  }

  #requestShutdown(): void {
    const { incarnation } = this.replicas;
    this.sendToController({ kind: 'shutdownRequest', node: this.nodeId, incarnation });
  }

  // The session and what stands on it

  #registrationHost(): RegistrationHost {
    return {
      mayRegister: () => this.#entry.mayRegister,
      sessionLost: (above) => this.#sessionLost(above),
      sessionOpened: (session, incarnation) => this.#sessionOpened(session, incarnation),
      registered: (incarnation) => {
        this.#registered = incarnation;
        this.readAgain();
        this.#stand();
      },
      nodesChanged: () => {},
      refused: (error) => this.#fail(error),
    };
  }

  /** The controller resigns first: the next session is not opened before (2.2). Every leadership ends in the same turn (L8). */
  async #sessionLost(above: Incarnation): Promise<Incarnation> {
    this.#refuseOlderCopy(above);
    this.#doors.left?.();
    const next = asIncarnation(Math.max(above, this.replicas.incarnation) + 1);
    const ended = this.#endParts();
    const begun = this.replicas.reincarnate(next);
    // Whoever lost the session hears of a failure.
    this.#nextLife = begun.catch(() => {});
    await begun;
    await ended;
    return next;
  }

  /**
   * R6: each life is on the disk before it is told of, so a directory that has lived has lived all of them. Where a later
   * one is known, this is not the disk that acknowledged what that life did.
   */
  #refuseOlderCopy(above: Incarnation): void {
    const { incarnation, nodeState } = this.replicas;
    if (above <= incarnation || nodeState.lastIncarnation === null) return;
    const text = `life ${above} of node ${this.nodeId} was here before, and this data directory is in life ${incarnation}: it is an older copy, or another directory has been node ${this.nodeId} since; start the one that was used last, or node ${this.nodeId} with an empty directory, which the other nodes fill`;
    throw new CaskadeError('foreignDirectory', text);
  }

  #sessionOpened(session: CoordinatorSession, incarnation: Incarnation): void {
    const { clock, logger } = this.#doors;
    const { retryMs, controller: settings } = this.#settings;
    const { nodeId } = this;
    const controller = new Controller(this.#rules.controller, {
      nodeId,
      session,
      clock,
      logger,
      settings,
      send: (node, message) => this.#sendControl(node, message),
      gaveUp: (reason, epochSeen) => campaign.gaveUp(reason, epochSeen),
    });
    const host = this.#campaignHost(controller);
    const epochKnown = (): ControllerEpoch => this.replicas.nodeState.controllerEpochMax;
    const { refusedMsMax } = settings;
    const shared = { session, nodeId, clock, logger, retryMs, refusedMsMax };
    const campaign = new Campaign({ ...shared, incarnation, epochKnown, host });
    const onRead = (read: CoordinatorRead): void => this.#stateRead(read);
    const reader = new CoordinatorReader({ session, clock, logger, retryMs, epochKnown, onRead });
    const parts: SessionParts = {
      session,
      controller,
      campaign,
      reader,
      hasEntered: false,
      isStanding: false,
    };
    this.#parts = parts;
    void this.#enterCluster(parts);
  }

  #campaignHost(controller: Controller): CampaignHost {
    return {
      reignBegan: (reign) => controller.begin(reign),
      reignEnded: () => controller.end(),
      controllerChanged: (reigning) => {
        if (reigning === null) return;
        this.#controllerNode = reigning.nodeId;
        this.#controllerEpoch = reigning.controllerEpoch;
      },
    };
  }

  /** Creates the cluster if it is not there yet, and then stands for controller. */
  async #enterCluster(parts: SessionParts): Promise<void> {
    const isWanted = (): boolean => this.#parts === parts && parts.session.state !== 'lost';
    if (!(await this.#entry.enter(parts.session, isWanted))) return;
    parts.hasEntered = true;
    parts.reader.readSoon();
    this.#stand();
  }

  /**
   * A member, and registered as one: it stands for controller, and others hear of it. Not before: somebody else may live
   * under this id.
   */
  #stand(): void {
    const { facts } = this.#entry;
    const parts = this.#parts;
    if (facts === null || parts?.hasEntered !== true || !this.isRegistered) return;
    if (!parts.isStanding) {
      parts.isStanding = true;
      parts.campaign.start();
    }
    this.#doors.joined?.(facts, this.replicas.incarnation);
  }

  /** What is read may be of another cluster: somebody has emptied the chroot, and others have begun anew there. */
  #stateRead(read: CoordinatorRead): void {
    if (!this.#isMember) return;
    const { clusterId } = read.facts;
    if (clusterId === this.clusterId) {
      this.replicas.stateRead(read);
      return;
    }
    const text = `cluster ${clusterId} lies under zookeeper.chroot, where cluster ${this.clusterId} was, to which this node belongs; restore the coordinator's data`;
    this.#fail(new CaskadeError('foreignDirectory', text));
  }

  #fail(error: CaskadeError): void {
    this.#hasFailed = true;
    this.#doors.fatal(error);
  }

  async #endParts(): Promise<void> {
    const parts = this.#parts;
    if (parts === null) return;
    this.#parts = null;
    parts.controller.end();
    parts.reader.stop();
    await parts.campaign.stop();
  }

  // Messages to the controller and of the controller

  /** A push says sooner than the coordinator who reigns: answers go where the question came from. */
  #heardOfController(node: NodeId, epoch: ControllerEpoch): void {
    if (epoch <= this.#controllerEpoch) return;
    this.#controllerNode = node;
    this.#controllerEpoch = epoch;
  }

  /** To itself as to others: never within the call. */
  #sendControl(to: NodeId, message: ControlMessage): void {
    if (to !== this.nodeId) {
      if (this.isRegistered) this.#doors.transport.sendControl(to, message);
    } else this.#doors.clock.atTurnEnd(() => this.receiveControl(message));
  }
}

/** What `open` makes before the node exists, and the node uses after. */
class NodeLinks {
  node: ClusterNode | null = null;
}
