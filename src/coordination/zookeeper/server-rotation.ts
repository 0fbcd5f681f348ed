import type { Random } from '../../env/random.ts';
import { CaskadeError } from '../../model/errors.ts';
import type { LibraryServer } from './library-internals.ts';

const PORT_MAX = 65_535;

/** Whom to try next, and after what pause. */
export interface NextServer {
  readonly server: LibraryServer;
  readonly delayMs: number;
}

/** Goes round the servers of the ensemble from a random one on; pauses a random while after each round without success. */
export class ServerRotation {
  readonly #servers: readonly LibraryServer[];
  readonly #random: Random;
  readonly #pauseMsMax: number;
  #next = 0;
  #attempts = 0;

  constructor(servers: readonly LibraryServer[], random: Random, pauseMsMax: number) {
    this.#servers = shuffled(servers, random);
    this.#random = random;
    this.#pauseMsMax = pauseMsMax;
  }

  next(): NextServer {
    const isRoundOver = this.#attempts >= this.#servers.length;
    this.#attempts = isRoundOver ? 1 : this.#attempts + 1;
    const server = this.#servers[this.#next % this.#servers.length]!;
    this.#next += 1;
    return { server, delayMs: isRoundOver ? this.#random.below(this.#pauseMsMax + 1) : 0 };
  }

  /** One of them answered: the pause is due only after a whole round from here. */
  succeeded(): void {
    this.#attempts = 0;
  }
}

/** `HOST:PORT`, IPv6 in brackets. Throws `configurationInvalid`. */
export function parseServers(addresses: readonly string[]): readonly LibraryServer[] {
  if (addresses.length === 0)
    throw new CaskadeError('configurationInvalid', 'zookeeper.servers: name at least one server');
  return addresses.map((address) => {
    const [, literal, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address) ?? [];
    const host = literal ?? name;
    const port = Number(digits);
    if (host !== undefined && port > 0 && port <= PORT_MAX) return { host, port };
    throw new CaskadeError(
      'configurationInvalid',
      `zookeeper.servers: "${address}" is no address; allowed: HOST:PORT or [IPv6]:PORT`,
    );
  });
}

function shuffled(servers: readonly LibraryServer[], random: Random): readonly LibraryServer[] {
  const rest = [...servers];
  const order: LibraryServer[] = [];
  while (rest.length > 0) order.push(...rest.splice(random.below(rest.length), 1));
  return order;
}
