import { CoalescedWork } from '../coordination/coalesced-work.ts';
import type { CoordinatorSession, Operation, Outcome, ReadNode } from '../coordination/coordinator.ts';
import {
  type ControllerDocument,
  decodeController,
  decodeControllerEpoch,
  encodeController,
  encodeControllerEpoch,
} from '../coordination/documents.ts';
import { CONTROLLER_EPOCH_PATH, CONTROLLER_PATH } from '../coordination/paths.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { asControllerEpoch, type ControllerEpoch, type Incarnation, type NodeId } from '../model/numbers.ts';

/** One reign of this node: epoch, and the version of `/controller_epoch` that every write checks (W8). */
export interface Reign {
  readonly controllerEpoch: ControllerEpoch;
  readonly epochVersion: number;
}

/** Who reigns, as far as this node has seen. Nodes send there what is for the controller. */
export type ReigningController = ControllerDocument;

export interface CampaignOptions {
  readonly session: CoordinatorSession;
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Between two attempts of anything that failed. */
  readonly retryMs: number;
  /** A refused connection says for so long that the process is gone (R7), in milliseconds. */
  readonly refusedMsMax: number;
  /**
   * The highest controller epoch that this node remembers, durably: its own are above it, whatever the coordinator
   * forgot (R17).
   */
  readonly epochKnown?: () => ControllerEpoch;
  readonly host: CampaignHost;
}

/** What the node around the campaign does; `Controller.begin` and `Controller.end` belong to the first two. */
export interface CampaignHost {
  reignBegan(reign: Reign): void;
  /** Called at once when the session is suspended or lost, or another reigns. Everything of that reign is void. */
  reignEnded(reason: string): void;
  controllerChanged(controller: ReigningController | null): void;
}

/** The znode of `/controller` as it stands. */
interface Holder {
  readonly document: ControllerDocument | null;
  readonly version: number;
  readonly isMine: boolean;
}

/** An unbroken run of refused connections. */
interface Refusals {
  readonly incarnation: Incarnation;
  /** Of the last one. */
  readonly atMs: number;
  /** Of the newest controller that was known when it began. */
  readonly epochBefore: ControllerEpoch;
}

/** A process that is gone is told of more often. */
const REFUSALS_APART_MS = 1_000;

/**
 * Who reigns is decided by one multi: create ephemeral `/controller` and raise `/controller_epoch` (PROTOCOL 2.2). The
 * epoch is taken at one's own election only (KAFKA-1096); each reign has its own, also the second in a row of the same
 * node. One campaign for each session.
 */
export class Campaign {
  readonly #options: CampaignOptions;
  readonly #logger: Logger;
  #reign: Reign | null = null;
  #holder: string | null = null;
  /** Our next epoch is above this: a coordinator that lost writes may know less than a node (R17). */
  #epochFloor = 0;
  /**
   * Whose process refused a connection, in which life and when (R7). A later life, or one that reigns long after, is
   * not meant.
   */
  readonly #refused = new Map<NodeId, Refusals>();
  #isStopped = false;
  readonly #rounds: CoalescedWork;
  #retry: Timer | null = null;
  #stopObserving: () => void = () => {};

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ component: 'campaign' });
    this.#rounds = new CoalescedWork(
      () => this.#campaign(),
      (error) => {
        this.#logger.error({ err: error }, 'the campaign failed; it is tried again');
        this.#runLater();
      },
    );
  }

  get reign(): Reign | null {
    return this.#reign;
  }

  start(): void {
    const { session } = this.#options;
    session.onState((state) => {
      // W12: suspended may be over soon, and may not; until then nothing is decided.
      if (state === 'suspended' || state === 'lost') this.#endReign(`the session is ${state}`);
      if (state === 'connected') this.#run();
    });
    this.#stopObserving = session.observe(CONTROLLER_PATH, 'node', () => this.#run());
    this.#run();
  }

  /** Withdraws for good; gives `/controller` back if it is ours. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopObserving();
    this.#retry?.cancel();
    if (this.#reign === null) return;
    this.#endReign('the node stops');
    const { session } = this.#options;
    const read = await session.read(CONTROLLER_PATH);
    if (read.ok && read.value.isMine) await session.remove(CONTROLLER_PATH, read.value.version);
  }

  /**
   * The process of this node, in the life in which it was last known, refuses connections: if that life reigns, its
   * place is taken without waiting for its session (R7).
   */
  peerRefused(node: NodeId, incarnation: Incarnation): void {
    const atMs = this.#options.clock.monotonicMs();
    const before = this.#refused.get(node);
    const goesOn = before?.incarnation === incarnation && atMs - before.atMs < REFUSALS_APART_MS;
    const epochBefore = goesOn ? before.epochBefore : asControllerEpoch(this.#epochFloor);
    this.#refused.set(node, { incarnation, atMs, epochBefore });
    this.#run();
  }

  /** The controller resigned by itself. The next epoch of this node is above `epochSeen`. */
  gaveUp(reason: string, epochSeen: ControllerEpoch | null): void {
    this.#epochFloor = Math.max(this.#epochFloor, epochSeen ?? 0);
    this.#endReign(reason);
    this.#runLater();
  }

  #endReign(reason: string): void {
    if (this.#reign === null) return;
    const { controllerEpoch } = this.#reign;
    this.#reign = null;
    this.#logger.info({ controllerEpoch, reason }, `the reign of controller epoch ${controllerEpoch} ended`);
    this.#options.host.reignEnded(reason);
  }

  #run(): void {
    this.#rounds.request();
  }

  async #campaign(): Promise<void> {
    if (this.#isStopped || this.#options.session.state !== 'connected') return;
    if (!(await this.#round())) this.#runLater();
  }

  #runLater(): void {
    this.#retry?.cancel();
    if (this.#isStopped || this.#options.session.state === 'lost') return;
    this.#retry = this.#options.clock.setTimer(this.#options.retryMs, () => this.#run());
  }

  /** True: nothing is left to do until something changes. */
  async #round(): Promise<boolean> {
    const read = await this.#options.session.read(CONTROLLER_PATH);
    if (!read.ok && read.failure !== 'noNode') return false;
    const holder = read.ok ? this.#holderOf(read.value) : null;
    this.#tellHolder(holder?.document ?? null);
    if (holder === null) {
      this.#endReign('/controller is gone');
      return this.#claim(null);
    }
    if (holder.isMine) return this.#reign === null ? this.#claim(holder) : true;
    this.#endReign('another controller reigns');
    if (holder.document === null || !this.#isProcessGone(holder.document)) return true;
    const text = 'the process of the controller is gone: its place is taken (R7)';
    this.#logger.warn({ node: holder.document.nodeId }, text);
    return this.#claim(holder);
  }

  /** R7: whoever refuses connections; and an earlier life of this node, whose data directory is ours now. */
  #isProcessGone(controller: ControllerDocument): boolean {
    const { nodeId, incarnation, clock, refusedMsMax } = this.#options;
    if (controller.nodeId === nodeId) return controller.incarnation < incarnation;
    const refused = this.#refused.get(controller.nodeId);
    if (refused?.incarnation !== controller.incarnation) return false;
    // It refused us before it began to reign: so it lives, and what refuses is the way there.
    if (controller.controllerEpoch > refused.epochBefore) return false;
    return clock.monotonicMs() - refused.atMs < refusedMsMax;
  }

  #holderOf(node: ReadNode): Holder {
    const decoded = decodeController(node.data);
    if (!decoded.ok) this.#logger.error({}, `document of the coordinator cannot be read: ${decoded.reason}`);
    return {
      document: decoded.ok ? decoded.value : null,
      version: node.version,
      isMine: node.isMine,
    };
  }

  #tellHolder(document: ControllerDocument | null): void {
    const text = document === null ? null : JSON.stringify(document);
    if (text === this.#holder) return;
    this.#holder = text;
    this.#epochFloor = Math.max(this.#epochFloor, document?.controllerEpoch ?? 0);
    this.#options.host.controllerChanged(document);
  }

  /**
   * Takes the place of `holder`: nobody (null), a dead process (R7), or an earlier reign of this session. True:
   * settled, one way or the other.
   */
  async #claim(holder: Holder | null): Promise<boolean> {
    const { session, nodeId, incarnation } = this.#options;
    const epoch = await session.read(CONTROLLER_EPOCH_PATH);
    if (!epoch.ok) return false;
    const { data, version } = epoch.value;
    const known = decodeControllerEpoch(data);
    if (!known.ok) {
      this.#logger.error({}, `document of the coordinator cannot be read: ${known.reason}`);
      return false;
    }
    if (version === 0) {
      // W8: a check of version 0 is one that an old server takes for any. Raised once, whoever does it.
      await session.set(CONTROLLER_EPOCH_PATH, data, version);
      return false;
    }
    const remembered = this.#options.epochKnown?.() ?? 0;
    const controllerEpoch = asControllerEpoch(Math.max(known.value, this.#epochFloor, remembered) + 1);
    const document = { nodeId, incarnation, controllerEpoch };
    const outcome = await session.multi([
      ...takePlace(holder, document),
      {
        kind: 'set',
        path: CONTROLLER_EPOCH_PATH,
        data: encodeControllerEpoch(controllerEpoch, known.unknown),
        version,
      },
    ]);
    const epochVersion = outcome.ok
      ? outcome.value.at(-1)
      : await this.#wonAfterAll(outcome, controllerEpoch);
    if (epochVersion === undefined) return false;
    return this.#ascend({ controllerEpoch, epochVersion }, document);
  }

  /** A lost reply: am I the controller, and is the epoch the one I tried (PROTOCOL 2.2)? Then its version. */
  async #wonAfterAll(outcome: Outcome<unknown>, tried: ControllerEpoch): Promise<number | undefined> {
    if (outcome.ok || outcome.failure === 'sessionLost') return undefined;
    const { session } = this.#options;
    const holder = await session.read(CONTROLLER_PATH);
    const epoch = await session.read(CONTROLLER_EPOCH_PATH);
    if (!holder.ok || !epoch.ok || !holder.value.isMine) return undefined;
    const document = decodeController(holder.value.data);
    const known = decodeControllerEpoch(epoch.value.data);
    const isOurs =
      document.ok && document.value.controllerEpoch === tried && known.ok && known.value === tried;
    return isOurs ? epoch.value.version : undefined;
  }

  async #ascend(reign: Reign, document: ControllerDocument): Promise<boolean> {
    // KAFKA-16667: what is read from here on is no older than the victory.
    const barrier = await this.#options.session.barrier();
    if (!barrier.ok || this.#isStopped || this.#options.session.state !== 'connected') return false;
    this.#refused.clear();
    this.#reign = reign;
    const { controllerEpoch } = reign;
    this.#logger.info({ controllerEpoch }, `this node reigns in controller epoch ${controllerEpoch}`);
    this.#tellHolder(document);
    this.#options.host.reignBegan(reign);
    return true;
  }
}

/** The part of the multi that makes `/controller` ours: it fails if somebody else was quicker. */
function takePlace(holder: Holder | null, document: ControllerDocument): readonly Operation[] {
  const path = CONTROLLER_PATH;
  const data = encodeController(document);
  if (holder?.isMine) return [{ kind: 'set', path, data, version: holder.version }];
  const create = { kind: 'create', path, data, ephemeral: true } as const;
  return holder === null ? [create] : [{ kind: 'delete', path, version: holder.version }, create];
}
