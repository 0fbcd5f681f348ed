import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { NodeId } from '../model/numbers.ts';
import { finishWithin } from './finish-within.ts';
import type { NodeIdentity } from './hello.ts';
import { type PeerAddress, PeerLink, type PeerLinkHost, type PeerLinkParts } from './peer-link.ts';
import { SeldomWarning } from './seldom-warning.ts';

export interface RpcDoors {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Our links to all other nodes that are alive. */
export class PeerLinks {
  readonly #parts: PeerLinkParts;
  readonly #host: PeerLinkHost;
  readonly #links = new Map<NodeId, PeerLink>();
  #isStopped = false;

  constructor(
    self: NodeIdentity,
    { clock, logger }: RpcDoors,
    streamsTo: PeerLinkParts['streamsTo'],
    host: PeerLinkHost,
  ) {
    this.#parts = { self, clock, logger, warning: new SeldomWarning(clock, logger), streamsTo };
    this.#host = host;
  }

  get(node: NodeId): PeerLink | undefined {
    return this.#links.get(node);
  }

  /** Those over which this node speaks now. */
  get open(): readonly PeerLink[] {
    return [...this.#links.values()].filter((link) => link.openedAtMs !== null);
  }

  get queuedBytes(): number {
    return [...this.#links.values()].reduce((sum, link) => sum + link.queuedBytes, 0);
  }

  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#isStopped) return;
    const others = new Map(peers.map((peer) => [peer.nodeId, peer]));
    others.delete(this.#parts.self.nodeId);
    for (const [node, link] of this.#links) {
      if (others.has(node)) continue;
      this.#links.delete(node);
      link.close();
    }
    for (const [node, peer] of others) {
      const link = this.#links.get(node);
      if (link !== undefined) link.update(peer);
      else this.#links.set(node, new PeerLink(peer, this.#parts, this.#host));
    }
  }

  reopen(): void {
    for (const link of this.#links.values()) link.reopen();
  }

  async stop(withinMs: number): Promise<void> {
    this.#isStopped = true;
    const links = [...this.#links.values()];
    this.#links.clear();
    await finishWithin(
      this.#parts.clock,
      withinMs,
      links.map((link) => link.finish()),
    );
    for (const link of links) link.close();
  }
}
