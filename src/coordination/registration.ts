import type { Clock, Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { CaskadeError } from '../model/errors.ts';
import { asIncarnation, type Incarnation, type MonotonicMillis, type NodeId } from '../model/numbers.ts';
import type { NodeRegistration } from '../model/partition-state.ts';
import { CoalescedWork } from './coalesced-work.ts';
import type { CoordinatorFactory, CoordinatorSession, Operation, ReadNode } from './coordinator.ts';
import { decodeLastLives, decodeNode, directoryOfNode, encodeLastLives, encodeNode } from './documents.ts';
import { readLiveNodes } from './live-nodes.ts';
import { NODES_PATH, nodePath } from './paths.ts';

export interface RegistrationSettings {
  readonly nodeId: NodeId;
  readonly addresses: Readonly<Record<string, string>>;
  readonly rack: string;
  /** A random word for this process: two processes never live the same life. */
  readonly process: string;
  /** A random word for the data directory. */
  readonly directory: string;
  /** Between two attempts of anything that failed. */
  readonly retryMs: number;
  /**
   * So long a registration that is not ours may stand in the way (the session of a lost disk's life must end first)
   * before it is a foreign process.
   */
  readonly foreignMsMax: number;
}

export interface RegistrationDoors {
  readonly factory: CoordinatorFactory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the node around the registration does. */
export interface RegistrationHost {
  /** False: it is not certain yet that this node belongs into the cluster. `Registration.lookAgain` when that changes. */
  mayRegister?(): boolean;
  /**
   * The session is over. Ends everything that stood on it (controller first) and resolves to the next incarnation,
   * durable, above `above` and above all that the node knows of. Rejects with `foreignDirectory` where the directory is
   * not the one that lived until `above`.
   */
  sessionLost(above: Incarnation): Promise<Incarnation>;
  /** A session for this life begins to connect: campaign and controller are built on it. */
  sessionOpened(session: CoordinatorSession, incarnation: Incarnation): void;
  /** This life stands in the coordinator. May be told more than once. */
  registered(incarnation: Incarnation): void;
  /** Who is alive, sorted by node. Level-triggered: may repeat itself. */
  nodesChanged(nodes: readonly NodeRegistration[]): void;
  /** A foreign process holds our node id (`foreignDirectory`): the node must stop. */
  refused(error: CaskadeError): void;
}

/** Nodes that register at the same time get in each other's way so often at most. */
const ATTEMPTS_MAX = 8;

/** One life: its session and what it is doing. */
interface Life {
  readonly session: CoordinatorSession;
  readonly incarnation: Incarnation;
  /** Since when a registration that is not ours stands in the way. */
  foreignSince: MonotonicMillis | null;
  readonly stopObserving: (() => void)[];
}

/**
 * Keeps this node registered for ever (KAFKA-4229, KAFKA-5473): one session for each life, a new life after each lost
 * session (W5). The new session is opened only when everything that stood on the old one has ended (PROTOCOL 2.2).
 */
export class Registration {
  readonly #settings: RegistrationSettings;
  readonly #doors: RegistrationDoors;
  readonly #host: RegistrationHost;
  readonly #logger: Logger;
  #life: Life | null = null;
  #isStopped = false;
  /** The present life is the last. */
  #isLast = false;
  readonly #registering: CoalescedWork;
  readonly #readingNodes: CoalescedWork;
  #retry: Timer | null = null;

  constructor(settings: RegistrationSettings, doors: RegistrationDoors, host: RegistrationHost) {
    this.#settings = settings;
    this.#doors = doors;
    this.#host = host;
    this.#logger = doors.logger.child({ component: 'registration', node: settings.nodeId });
    const onError = (error: unknown): void => {
      this.#logger.error({ err: error }, 'registering or reading the live nodes failed; it is tried again');
      this.#lookLater();
    };
    this.#registering = new CoalescedWork(() => this.#register(), onError);
    this.#readingNodes = new CoalescedWork(() => this.#readNodes(), onError);
  }

  /** The session of the present life; null: none is open. */
  get session(): CoordinatorSession | null {
    return this.#life?.session ?? null;
  }

  /** Opens the first session, for this life. */
  start(incarnation: Incarnation): void {
    if (!this.#isStopped) this.#open(incarnation);
  }

  /** What stood in the way of registering may be gone. */
  lookAgain(): void {
    this.#look();
  }

  /**
   * The present life goes on until `stop`, and none follows it, whatever becomes of its session: what it would stand on
   * is being closed.
   */
  openNoFurther(): void {
    this.#isLast = true;
  }

  /** Takes the registration away and ends the session. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const life = this.#life;
    this.#endLife();
    await life?.session.close();
  }

  #open(incarnation: Incarnation): void {
    const session = this.#doors.factory.open();
    const life: Life = { session, incarnation, foreignSince: null, stopObserving: [] };
    this.#life = life;
    session.onState((state) => {
      if (life !== this.#life) return;
      if (state === 'connected') this.#look();
      if (state === 'lost') this.#onLost(incarnation);
    });
    this.#host.sessionOpened(session, incarnation);
    const path = nodePath(this.#settings.nodeId);
    life.stopObserving.push(
      session.observe(path, 'node', () => this.#look()),
      session.observe(NODES_PATH, 'children', () => this.#look()),
    );
    if (session.state === 'connected') this.#look();
    if (session.state === 'lost') this.#onLost(incarnation);
  }

  #endLife(): void {
    this.#retry?.cancel();
    for (const stop of this.#life?.stopObserving ?? []) stop();
    this.#life = null;
  }

  #onLost(above: Incarnation): void {
    if (this.#life === null) return;
    this.#logger.warn({ incarnation: this.#life.incarnation }, 'the session is lost: this life is over');
    this.#endLife();
    if (this.#isLast) return;
    this.#beginNextLife(above).catch((error: unknown) => {
      if (error instanceof CaskadeError && error.code === 'foreignDirectory') {
        this.#host.refused(error);
        return;
      }
      const text = 'no new life could begin: it was not made durable';
      this.#logger.error({ err: error }, text);
      this.#host.refused(new CaskadeError('diskUnwritable', text, { cause: error }));
    });
  }

  async #beginNextLife(above: Incarnation): Promise<void> {
    const incarnation = await this.#host.sessionLost(above);
    if (!this.#isStopped && !this.#isLast) this.#open(incarnation);
  }

  /** Something may have changed: whether we stand there, and who else does. */
  #look(): void {
    this.#registering.request();
    this.#readingNodes.request();
  }

  #lookLater(): void {
    this.#retry?.cancel();
    if (this.#isStopped || this.#life === null) return;
    this.#retry = this.#doors.clock.setTimer(this.#settings.retryMs, () => this.#look());
  }

  async #register(): Promise<void> {
    const life = this.#life;
    if (life === null || this.#isStopped) return;
    const isDone = life.session.state === 'connected' && (await this.#tryRegister(life));
    if (life !== this.#life) this.#registering.request();
    else if (isDone) this.#host.registered(life.incarnation);
    else this.#lookLater();
  }

  /** W9. True: this life stands there. */
  async #tryRegister(life: Life): Promise<boolean> {
    if (this.#host.mayRegister?.() === false) return false;
    const { nodeId, addresses, rack, directory } = this.#settings;
    const { session, incarnation } = life;
    const path = nodePath(nodeId);
    const read = await session.read(path);
    if (!read.ok && read.failure !== 'noNode') return false;
    if (read.ok && !(await this.#clear(life, read.value))) return read.value.isMine;
    const data = encodeNode({ nodeId, incarnation, addresses, rack }, directory);
    const isCreated = await this.#create(life, { kind: 'create', path, data, ephemeral: true });
    if (isCreated) this.#logger.info({ incarnation }, `node ${nodeId} is registered in life ${incarnation}`);
    // Anything else, a lost reply too (KAFKA-7165): the next look reads who stands there.
    return isCreated;
  }

  /**
   * Together with the registration, `/nodes` keeps the highest life of each node. The first life of a new disk takes
   * its number from a wall clock, which may be behind that of the disk before; everybody would take it for a life that
   * is over. So it begins another one, above the highest.
   */
  async #create(life: Life, create: Operation): Promise<boolean> {
    const { nodeId, process } = this.#settings;
    const { session, incarnation } = life;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const read = await session.read(NODES_PATH);
      const lives = read.ok ? decodeLastLives(read.value.data) : null;
      if (!read.ok || lives?.ok !== true) return false;
      const { incarnations, processes } = lives.value;
      const last = incarnations[nodeId];
      // Another process in our own life: a copy of our directory, or one that began in the same millisecond.
      const isShared = last === incarnation && (processes[nodeId] ?? process) !== process;
      if (last !== undefined && (last > incarnation || isShared)) {
        this.#onOvertaken(life, isShared ? asIncarnation(last + 1) : last);
        return false;
      }
      const data = encodeLastLives(
        {
          incarnations: { ...incarnations, [nodeId]: incarnation },
          processes: { ...processes, [nodeId]: process },
        },
        lives.unknown,
      );
      const created = await session.multi([
        { kind: 'set', path: NODES_PATH, data, version: read.value.version },
        create,
      ]);
      if (created.ok) return true;
      // Another node has registered meanwhile.
      if (created.failure !== 'badVersion') return false;
    }
    return false;
  }

  #onOvertaken(life: Life, last: Incarnation): void {
    if (life !== this.#life) return;
    this.#logger.warn(
      { incarnation: life.incarnation, last },
      'a life with a higher number was here before: another one begins above it',
    );
    life.session
      .close()
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'closing the session failed'));
    this.#onLost(last);
  }

  /** True: nothing stands in the way any more. */
  async #clear(life: Life, node: ReadNode): Promise<boolean> {
    if (node.isMine) {
      life.foreignSince = null;
      return false;
    }
    const { nodeId, directory } = this.#settings;
    const decoded = decodeNode(nodeId, node.data);
    const isOurs = directory !== '' && directoryOfNode(nodeId, node.data) === directory;
    if (!decoded.ok || !isOurs || decoded.value.incarnation >= life.incarnation) {
      this.#onForeign(life, decoded.ok ? decoded.value.incarnation : null);
      return false;
    }
    const removed = await life.session.remove(nodePath(this.#settings.nodeId), node.version);
    return removed.ok || removed.failure === 'noNode';
  }

  /** Loud at once; fatal when it does not go, as the session of a dead process would. */
  #onForeign(life: Life, incarnation: Incarnation | null): void {
    const { nodeId, foreignMsMax } = this.#settings;
    const now = this.#doors.clock.monotonicMs();
    if (life.foreignSince === null) {
      life.foreignSince = now;
      this.#logger.error(
        { incarnation },
        `node ${nodeId} is registered by a process that is not of this data directory`,
      );
    }
    if (now - life.foreignSince < foreignMsMax) return;
    const text = `another process runs as node ${nodeId} (life ${incarnation ?? 'unreadable'}): give each node its own id, then start again`;
    this.#endLife();
    life.session
      .close()
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'closing the session failed'));
    this.#host.refused(new CaskadeError('foreignDirectory', text));
  }

  async #readNodes(): Promise<void> {
    const life = this.#life;
    if (life === null || this.#isStopped) return;
    const nodes = life.session.state === 'connected' ? await readLiveNodes(life.session) : null;
    if (life !== this.#life) this.#readingNodes.request();
    else if (nodes === null) this.#lookLater();
    else this.#host.nodesChanged(nodes);
  }
}
