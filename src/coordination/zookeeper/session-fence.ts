import type { Clock } from '../../env/clock.ts';
import type { ClientFactory, ClientOptions, SessionIdentity, ZooKeeperClient } from './zookeeper-client.ts';

export interface FenceOptions {
  readonly createClient: ClientFactory;
  readonly clock: Clock;
  /** How to connect; the session is that of `end`. */
  readonly client: Omit<ClientOptions, 'identity'>;
  /** After this long whoever waits goes on, and the session ends by itself. */
  readonly msMax: number;
}

export type FenceResult = 'ended' | 'expired' | 'unreached';

/** So many servers may hang at their connect within the time there is. */
const ATTEMPTS_MIN = 4;

/**
 * Ends a session that another client has left behind (W10, H15), by taking it over: its ephemeral nodes go at once, and
 * whoever still uses it learns that it has expired. Never rejects.
 */
export function endSession(identity: SessionIdentity, options: FenceOptions): Promise<FenceResult> {
  const { clock, msMax } = options;
  return new Promise((resolve) => {
    const finish = (result: FenceResult): void => {
      deadline.cancel();
      wedge.cancel();
      clock.atTurnEnd(() => client.discard());
      resolve(result);
    };
    const client: ZooKeeperClient = options.createClient(
      { ...options.client, identity },
      {
        connected: () => clock.atTurnEnd(() => client.sendClose()),
        disconnected: () => {},
        expired: () => finish('expired'),
        closed: () => finish('ended'),
      },
    );
    const deadline = clock.setTimer(msMax, () => finish('unreached'));
    const unwedge = (): void => {
      if (!client.isConnected) client.drop('no answer to the connect');
      wedge = clock.setTimer(msMax / ATTEMPTS_MIN, unwedge);
    };
    let wedge = clock.setTimer(msMax / ATTEMPTS_MIN, unwedge);
    client.connect();
  });
}
