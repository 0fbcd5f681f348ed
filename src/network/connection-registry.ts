import type { ClientRegistry } from '../commands/ports.ts';
import type { Session } from '../commands/session.ts';

/** The connections of all listeners of this process, counted for INFO and listed for CLIENT LIST. */
export class ConnectionRegistry implements ClientRegistry {
  readonly clientsMax: number;
  connectionsReceived = 0;
  connectionsRejected = 0;
  netInputBytes = 0;
  netOutputBytes = 0;
  readonly #sessions = new Map<number, Session>();
  #lastId = 0;

  constructor(clientsMax: number) {
    this.clientsMax = clientsMax;
  }

  get connectedClients(): number {
    return this.#sessions.size;
  }

  get isFull(): boolean {
    return this.#sessions.size >= this.clientsMax;
  }

  /** In the order of their ids. */
  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  remove(session: Session): void {
    this.#sessions.delete(session.id);
  }
}
