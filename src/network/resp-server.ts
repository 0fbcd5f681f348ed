import { createServer, type Server, type Socket } from 'node:net';
import type { CommandContext } from '../commands/context.ts';
import type { Executor } from '../commands/executor.ts';
import type { ServerPorts } from '../commands/ports.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { LIMITS } from '../model/limits.ts';
import type { MonotonicMillis } from '../model/numbers.ts';
import { OutputPool } from '../resp/output-pool.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import type { ConnectionRegistry } from './connection-registry.ts';
import { listenError } from './listen-error.ts';
import type { ConnectionLimits, NetworkLogger } from './ports.ts';
import { SharedInput } from './shared-input.ts';
import { TurnQueue } from './turn-queue.ts';

export interface RespServerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** A client that sends nothing for so long is closed; 0 = never. */
  readonly idleTimeoutMs: number;
  /** Other than LIMITS: for tests. */
  readonly limits?: Partial<ConnectionLimits>;
}

export interface RespServerParts {
  readonly executor: Executor;
  readonly router: CommandContext['router'];
  readonly ports: ServerPorts;
  readonly registry: ConnectionRegistry;
  readonly clock: Clock;
  readonly logger: NetworkLogger;
}

/** How a stop went: connections that were cut while an accepted command of theirs was unanswered. */
export interface StopReport {
  readonly cutCount: number;
}

/** Listens for RESP clients on one address. */
export class RespServer {
  readonly #options: RespServerOptions;
  readonly #registry: ConnectionRegistry;
  readonly #clock: Clock;
  readonly #host: SharedHost;
  readonly #server: Server;
  readonly #connections: Set<Connection>;
  #sweeper: Timer | null = null;
  #stopped: Promise<StopReport> | null = null;
  #whenEmpty: (() => void) | null = null;

  constructor(options: RespServerOptions, parts: RespServerParts) {
    this.#options = options;
    this.#registry = parts.registry;
    this.#clock = parts.clock;
    this.#connections = new Set();
    this.#host = new SharedHost(parts, { ...LIMITS, ...options.limits }, (connection) =>
      this.#closed(connection),
    );
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      pauseOnConnect: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /**
   * Resolves with the port once connections are accepted. Errors: `portTaken`; `usage` for an address that is not one
   * of this machine, or may not be used.
   */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#server.listen({ host, port, backlog: BACKLOG }, resolve);
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (error) =>
      this.#host.logger.error({ component: 'network', err: error }, 'could not accept a connection'),
    );
    this.#sweep();
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** Accepts no more; answers what was accepted, held replies too; cuts what is left after `deadlineMs`. */
  stop(deadlineMs: number): Promise<StopReport> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<StopReport> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const connection of [...this.#connections]) connection.endInput();
    if (this.#connections.size === 0) this.#whenEmpty?.();
    let cutCount = 0;
    const deadline = this.#clock.setTimer(deadlineMs, () => {
      for (const connection of [...this.#connections]) {
        if (connection.isBusy) cutCount += 1;
        connection.destroy();
      }
    });
    await empty;
    await closed;
    deadline.cancel();
    this.#sweeper?.cancel();
    return { cutCount };
  }

  #accept(socket: Socket): void {
    const registry = this.#registry;
    if (registry.isFull || this.#stopped !== null) {
      registry.connectionsRejected += 1;
      socket.on('error', () => socket.destroy());
      socket.end('-ERR max number of clients reached\r\n', () => socket.destroy());
      return;
    }
    registry.connectionsReceived += 1;
    const connection = new Connection(socket, this.#host);
    this.#connections.add(connection);
    registry.add(connection.session);
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#registry.remove(connection.session);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  /** One timer for all connections. */
  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    const { idleTimeoutMs } = this.#options;
    this.#host.coarseMs = nowMs;
    for (const connection of this.#connections) connection.sweep(nowMs, idleTimeoutMs);
    const { lingerMsMax, outputStalledMsMax } = this.#host.limits;
    const shortest = Math.min(idleTimeoutMs > 0 ? idleTimeoutMs : Infinity, lingerMsMax, outputStalledMsMax);
    const delayMs = Math.max(SWEEP_MS_MIN, Math.min(SWEEP_MS_MAX, shortest / 4));
    this.#sweeper = this.#clock.setTimer(delayMs, () => this.#sweep());
  }
}

class SharedHost implements ConnectionHost {
  readonly executor;
  readonly router;
  readonly ports;
  readonly registry;
  readonly clock;
  readonly logger;
  readonly limits: ConnectionLimits;
  readonly pool = new OutputPool();
  readonly input = new SharedInput();
  readonly turns: TurnQueue;
  readonly closed: (connection: Connection) => void;
  coarseMs: MonotonicMillis;

  constructor(parts: RespServerParts, limits: ConnectionLimits, closed: (connection: Connection) => void) {
    this.executor = parts.executor;
    this.router = parts.router;
    this.ports = parts.ports;
    this.registry = parts.registry;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.limits = limits;
    this.turns = new TurnQueue(parts.clock);
    this.closed = closed;
    this.coarseMs = parts.clock.monotonicMs();
  }
}

const BACKLOG = 511;
const KEEP_ALIVE_MS = 300_000;
const SWEEP_MS_MIN = 10;
const SWEEP_MS_MAX = 1000;
