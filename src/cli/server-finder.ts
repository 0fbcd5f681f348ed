import { type Address, DEFAULT_ADDRESS, formatAddress } from './address.ts';
import type { CliIo } from './cli-io.ts';
import { RespClient } from './resp-client.ts';
import type { ZooKeeperPlace } from './zookeeper-finder.ts';

/** Which server a client talks to. */
export type ServerChoice =
  | { readonly kind: 'address'; readonly address: Address }
  /** Whichever runs on this machine: the node alone of `make standalone`, or a node of `make cluster`. */
  | { readonly kind: 'here' }
  | { readonly kind: 'zooKeeper'; readonly place: ZooKeeperPlace };

/** Of conf/cluster3, and the further nodes of `make cluster`. */
const CLUSTER_PORTS = Array.from({ length: 10 }, (_, index) => 7001 + index);
const RPC_PORTS = CLUSTER_PORTS.map((port) => port + 100);
const ANSWER_MS_MAX = 1_000;

const RPC: readonly Address[] = RPC_PORTS.map((port) => ({ host: DEFAULT_ADDRESS.host, port }));
const STANDALONE: readonly Address[] = [DEFAULT_ADDRESS];
const CLUSTER: readonly Address[] = CLUSTER_PORTS.map((port) => ({ host: DEFAULT_ADDRESS.host, port }));

/** Finds the server of a `ServerChoice`, and finds it again when it is gone. */
export class ServerFinder {
  readonly #choice: ServerChoice;
  readonly #io: CliIo;
  /** Once one of them answered, that one alone: a client never changes from the node alone to the cluster by itself. */
  #places: readonly (readonly Address[])[];

  /** `places`: where to look on this machine, in this order. */
  constructor(choice: ServerChoice, io: CliIo, places = [STANDALONE, CLUSTER]) {
    this.#choice = choice;
    this.#io = io;
    this.#places = places;
  }

  /**
   * Where to connect. Nothing was found: where it would be as a rule, so that the connection fails with a reason.
   * Throws CaskadeError `coordinatorUnavailable` where ZooKeeper does not answer or knows no node.
   */
  async find(): Promise<Address> {
    if (this.#choice.kind === 'address') return this.#choice.address;
    if (this.#choice.kind === 'zooKeeper') {
      // Loaded where it is needed: most calls of the client run one command and end.
      const { findByZooKeeper } = await import('./zookeeper-finder.ts');
      const candidates = await findByZooKeeper(this.#choice.place);
      return this.#tell((await firstToAnswer(candidates)) ?? candidates[0]!);
    }
    for (const place of this.#places) {
      const address = await firstToAnswer(place);
      if (address === null) continue;
      this.#places = [place];
      return this.#tell(address);
    }
    return this.#places[0]?.[0] ?? DEFAULT_ADDRESS;
  }

  /** Where gRPC is spoken, as far as can be told without asking there. Throws as `find` does. */
  async findRpc(): Promise<readonly Address[]> {
    if (this.#choice.kind === 'address') return [this.#choice.address];
    if (this.#choice.kind === 'here') return RPC;
    const { findByZooKeeper } = await import('./zookeeper-finder.ts');
    return findByZooKeeper(this.#choice.place, undefined, 'rpc');
  }

  /** On a terminal; the usual one goes without saying. */
  #tell(address: Address): Address {
    if (this.#io.stderr.isTTY === true && address !== DEFAULT_ADDRESS)
      this.#io.stderr.write(`caskade: talking to the cluster by ${formatAddress(address)}\n`);
    return address;
  }
}

async function firstToAnswer(candidates: readonly Address[]): Promise<Address | null> {
  for (const address of candidates) if (await answersPing(address)) return address;
  return null;
}

/** Any reply counts: one that refuses us is there, too. */
async function answersPing(address: Address): Promise<boolean> {
  let client: RespClient | undefined;
  const timer = setTimeout(() => client?.close(), ANSWER_MS_MAX);
  try {
    client = await RespClient.connect(address, { timeoutMs: ANSWER_MS_MAX });
    await client.request(['PING']);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    client?.close();
  }
}
