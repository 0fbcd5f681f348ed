import type { Clock, Timer } from '../../env/clock.ts';
import type { ClientFactory, ClientOptions, SessionIdentity, ZooKeeperClient } from './zookeeper-client.ts';

export interface FenceOptions {
  readonly createClient: ClientFactory;
  readonly clock: Clock;
  /** How to connect; the session is the one to end. */
  readonly client: Omit<ClientOptions, 'identity'>;
  /** After this long whoever waits goes on, and the session ends by itself. */
  readonly msMax: number;
}

/** `ended`: a server has said that there is no such session any more. */
export type FenceResult = 'ended' | 'unreached';

/** So many servers may hang at their connect within the time there is. */
const ATTEMPTS_MIN = 4;

/**
 * Ends a session that another client has left behind (W10, H15), by taking it over and closing it: its ephemeral nodes go
 * at once, and whoever still uses it learns that it has expired. It takes it over again until a server says that it is no
 * more: a client that still lives may take it back before our close arrives. Never rejects.
 */
export function endSession(identity: SessionIdentity, options: FenceOptions): Promise<FenceResult> {
  return new Promise((resolve) => {
    const fence = new Fence(identity, options, resolve);
    fence.attempt();
  });
}

class Fence {
  readonly #identity: SessionIdentity;
  readonly #options: FenceOptions;
  readonly #resolve: (result: FenceResult) => void;
  readonly #deadline: Timer;
  #wedge: Timer;
  #client: ZooKeeperClient | null = null;
  #isOver = false;

  constructor(identity: SessionIdentity, options: FenceOptions, resolve: (result: FenceResult) => void) {
    this.#identity = identity;
    this.#options = options;
    this.#resolve = resolve;
    const { clock, msMax } = options;
    this.#deadline = clock.setTimer(msMax, () => this.#finish('unreached'));
    this.#wedge = clock.setTimer(msMax / ATTEMPTS_MIN, () => this.#unwedge());
  }

  attempt(): void {
    if (this.#isOver) return;
    this.#client?.discard();
    const { createClient, clock } = this.#options;
    const client: ZooKeeperClient = createClient(
      { ...this.#options.client, identity: this.#identity },
      {
        accepted: () => {},
        connected: () => clock.atTurnEnd(() => client.sendClose()),
        disconnected: () => {},
        expired: () => this.#finish('ended'),
        closed: () => clock.atTurnEnd(() => this.attempt()),
      },
    );
    this.#client = client;
    client.connect();
  }

  #unwedge(): void {
    const { clock, msMax } = this.#options;
    if (this.#client?.isConnected === false) this.#client.drop('no answer to the connect');
    this.#wedge = clock.setTimer(msMax / ATTEMPTS_MIN, () => this.#unwedge());
  }

  #finish(result: FenceResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    this.#wedge.cancel();
    // Never from inside an event of the library (W5).
    this.#options.clock.atTurnEnd(() => this.#client?.discard());
    this.#resolve(result);
  }
}
