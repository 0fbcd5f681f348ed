import type { Reply } from '../../../../src/resp/reply.ts';
import { type Action, type History, isRead } from '../../../simulation/checkers/history.ts';
import { PipelinedClient } from '../../pipelined-client.ts';
import type { SeededRandom } from '../../seeded-random.ts';
import type { Ledger } from './ledger.ts';
import { isUniqueKey, type LoadMaterial } from './load-material.ts';
import type { LoadRecord } from './load-record.ts';
import { attempted, commandOf, type Ending } from './reply-outcome.ts';

export interface LoadClientOptions {
  readonly client: number;
  readonly partition: number;
  /** `plain` talks to the node it likes best while that answers; `cluster` to whoever leads, as MOVED tells. */
  readonly listener: 'plain' | 'cluster';
  /** Of every node, the port of that listener. The first is liked best. */
  readonly ports: readonly number[];
  /** From the begin of one action to the begin of the next, unless it takes longer. */
  readonly intervalMs: number;
  /** After so long without an answer the client takes another connection: what it asked is in doubt. */
  readonly timeoutMs: number;
}

export interface LoadClientDoors {
  readonly material: LoadMaterial;
  readonly history: History;
  readonly ledger: Ledger;
  readonly record: LoadRecord;
  readonly random: SeededRandom;
}

const RETRY_MS = 25;
const CONNECT_MS_MAX = 1_000;

/** One client: one connection, one action at a time, on the keys of one partition. Nothing is asked twice. */
export class LoadClient {
  readonly #options: LoadClientOptions;
  readonly #doors: LoadClientDoors;
  #connection: PipelinedClient | null = null;
  #portIndex = 0;
  /** Of the connection. */
  #port = 0;
  /** Where MOVED sent it. */
  #leaderPort: number | null = null;
  #isStopped = false;
  #isInFlight = false;
  #wake: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(options: LoadClientOptions, doors: LoadClientDoors) {
    this.#options = options;
    this.#doors = doors;
  }

  /** Asked and not answered. */
  get isInFlight(): boolean {
    return this.#isInFlight;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when the action in flight has ended as it will. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#running;
    this.#connection?.close();
  }

  async #run(): Promise<void> {
    const { intervalMs } = this.#options;
    await this.#rest(this.#doors.random.fraction() * intervalMs);
    let dueMs = performance.now();
    while (!this.#isStopped) {
      const ending = await this.#act();
      if (ending === 'redirected') continue;
      dueMs = Math.max(dueMs + intervalMs, performance.now());
      const isWell = ending === 'done' || ending === 'inDoubt';
      if (!isWell) dueMs = Math.max(dueMs, performance.now() + RETRY_MS);
      await this.#rest(dueMs - performance.now());
    }
  }

  /** Null: nobody could be asked. */
  async #act(): Promise<Ending | null> {
    const connection = await this.#connected();
    if (connection === null) return null;
    const { client, partition } = this.#options;
    const { material, history, ledger, record } = this.#doors;
    const action = material.next();
    const isWrite = !isRead(action);
    const operation = history.invoke(client, partition, action);
    const invokedAtMs = performance.now();
    const reply = await this.#ask(connection, action);
    const endedAtMs = performance.now();
    const { ending, outcome } = attempted(action, reply);
    history.complete(operation, outcome);
    const reason = outcome.kind === 'done' ? '' : outcome.reason;
    const port = this.#port;
    record.add({ isWrite, partition, client, port, invokedAtMs, endedAtMs, ending, reason });
    if (ending === 'done' && action.kind === 'set' && isUniqueKey(action.key))
      ledger.acknowledge(partition, action.key, action.value);
    if (ending === 'redirected') this.#follow(reason);
    else if (ending === 'refused' || ending === 'cut') this.#turnAway(ending);
    return ending;
  }

  async #ask(connection: PipelinedClient, action: Action): Promise<Reply | null> {
    this.#isInFlight = true;
    const timer = setTimeout(() => connection.close(), this.#options.timeoutMs);
    try {
      return await connection.run(...commandOf(action));
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
      this.#isInFlight = false;
    }
  }

  /** A plain client stays where it is unless its node is gone: other nodes know no more. */
  #turnAway(ending: Ending): void {
    this.#leaderPort = null;
    if (ending === 'cut') this.#drop();
    if (ending === 'cut' || this.#options.listener === 'cluster') this.#next();
  }

  #follow(moved: string): void {
    this.#drop();
    this.#leaderPort = movedPort(moved);
  }

  #next(): void {
    this.#drop();
    this.#portIndex = (this.#portIndex + 1) % this.#options.ports.length;
  }

  #drop(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  async #connected(): Promise<PipelinedClient | null> {
    if (this.#connection?.isOpen === true) return this.#connection;
    this.#port = this.#leaderPort ?? (this.#options.ports[this.#portIndex] as number);
    this.#connection = await connectWithin(this.#port, CONNECT_MS_MAX);
    if (this.#connection === null) {
      this.#leaderPort = null;
      this.#next();
    }
    return this.#connection;
  }

  #rest(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Where `MOVED slot host:port` sends; null: it is no such word. */
export function movedPort(text: string): number | null {
  const found = /^MOVED \d+ \S*:(\d+)$/.exec(text);
  return found === null ? null : Number(found[1]);
}

/** Null: nobody listens there, or nobody answers. */
export async function connectWithin(port: number, milliseconds: number): Promise<PipelinedClient | null> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
  });
  const connecting = PipelinedClient.connect(port).catch(() => null);
  const first = await Promise.race([connecting, tooLate]);
  clearTimeout(timer);
  if (first === null) void connecting.then((late) => late?.close());
  return first;
}
