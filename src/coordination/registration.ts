import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { CaskadeError } from '../model/errors.ts';
import type { Incarnation, NodeId } from '../model/numbers.ts';
import type { NodeRegistration } from '../model/partition-state.ts';
import type { CoordinatorFactory, CoordinatorSession } from './coordinator.ts';

export interface RegistrationSettings {
  readonly nodeId: NodeId;
  readonly addresses: Readonly<Record<string, string>>;
  readonly rack: string;
  /** Between two attempts of anything that failed. */
  readonly retryMs: number;
  /** So long a registration that is not ours may stand in the way (the session of a lost disk's life must end first) before it is a foreign process. */
  readonly foreignMsMax: number;
}

export interface RegistrationDoors {
  readonly factory: CoordinatorFactory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the node around the registration does. */
export interface RegistrationHost {
  /** Was this a life of the same data directory? (W9: then its registration may be removed.) */
  isEarlierLife(incarnation: Incarnation): boolean;
  /** The session is over. Ends everything that stood on it (controller first) and resolves to the next incarnation, durable. */
  sessionLost(): Promise<Incarnation>;
  /** A session for this life begins to connect: campaign and controller are built on it. */
  sessionOpened(session: CoordinatorSession, incarnation: Incarnation): void;
  /** This life stands in the coordinator. May be told more than once. */
  registered(incarnation: Incarnation): void;
  /** Who is alive, sorted by node. Level-triggered: may repeat itself. */
  nodesChanged(nodes: readonly NodeRegistration[]): void;
  /** A foreign process holds our node id (`foreignDirectory`): the node must stop. */
  refused(error: CaskadeError): void;
}

/**
 * Keeps this node registered for ever (KAFKA-4229, KAFKA-5473): one session a life, a new life after each lost session.
 */
export class Registration {
  constructor(settings: RegistrationSettings, doors: RegistrationDoors, host: RegistrationHost) {
    void [settings, doors, host];
  }

  /** Opens the first session, for this life. */
  start(incarnation: Incarnation): void {
    void incarnation;
  }

  /** Takes the registration away and ends the session. */
  async stop(): Promise<void> {}
}
