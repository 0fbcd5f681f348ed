import type { Clock, Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { EpochMillis, Incarnation, NodeId } from '../model/numbers.ts';
import type { FramePart } from './frame.ts';
import { ChannelClass } from './generated/caskade/v1/common.ts';
import { helloPart, type NodeIdentity, passes, type StreamRefusal } from './hello.ts';
import { type OutgoingOptions, OutgoingStream } from './outgoing-stream.ts';
import { type Probe, type ProbeResult, probe } from './probe.ts';
import type { SeldomWarning } from './seldom-warning.ts';

/** Where a node is, and which life of it. */
export interface PeerAddress {
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  /** `host:port` of its rpc listener. */
  readonly address: string;
}

export interface PeerLinkParts {
  readonly self: NodeIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly warning: SeldomWarning;
  /** The streams to a node, and how each is made. */
  streamsTo(node: NodeId): Iterable<readonly [channel: ChannelClass, options: OutgoingOptions]>;
}

export interface PeerLinkHost {
  /** Its process refuses connections: told again and again while it does (R7, R9). */
  refused(node: NodeId): void;
  opened(node: NodeId, channel: ChannelClass): void;
  broken(node: NodeId, channel: ChannelClass): void;
}

/** A stream that is not accepted, though the process is there, is tried again after this, doubled up to the maximum. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 500;
/** Between two looks at an address that refuses, or says nothing. */
const PROBE_INTERVAL_MS = 100;

interface Lane {
  readonly channel: ChannelClass;
  readonly stream: OutgoingStream;
}

/**
 * Our streams to one other node. While one of them is down, its address is looked at by plain connections: what refuses
 * is told, what accepts gets the streams anew.
 */
export class PeerLink {
  readonly nodeId: NodeId;
  readonly #parts: PeerLinkParts;
  readonly #host: PeerLinkHost;
  readonly #lanes: readonly Lane[];
  #peer: PeerAddress;
  #timer: Timer | null = null;
  #probe: Probe | null = null;
  /** Streams that were opened, and of whose end nobody has been told. */
  readonly #open = new Set<ChannelClass>();
  /** By a wall clock; null: the first of the streams is down. */
  #openedAtMs: EpochMillis | null = null;
  /** Attempts in a row after which a stream was down again without having been accepted. */
  #failures = 0;
  #isClosed = false;

  constructor(peer: PeerAddress, parts: PeerLinkParts, host: PeerLinkHost) {
    this.nodeId = peer.nodeId;
    this.#peer = peer;
    this.#parts = parts;
    this.#host = host;
    this.#lanes = [...parts.streamsTo(peer.nodeId)].map(([channel, options]) => ({
      channel,
      stream: this.#newStream(channel, options),
    }));
    this.#look();
  }

  /** Everything is opened anew, at once, where the node lives a new life or elsewhere. */
  update(peer: PeerAddress): void {
    const { address, incarnation } = this.#peer;
    if (peer.address === address && peer.incarnation === incarnation) return;
    this.#peer = peer;
    this.reopen();
  }

  reopen(): void {
    this.#stopLooking();
    this.#closeAll();
    this.#failures = 0;
    this.#look();
  }

  /** False: it is lost. */
  send(channel: ChannelClass, part: FramePart): boolean {
    return this.#lane(channel)?.stream.send(part) ?? false;
  }

  isOpen(channel: ChannelClass): boolean {
    return this.#lane(channel)?.stream.isOpen ?? false;
  }

  /** Ends a stream that is open and opens another: `broken` is told after this turn, and nothing is sent before. */
  breakOff(channel: ChannelClass): void {
    this.#lane(channel)?.stream.close();
    this.#open.delete(channel);
    this.#parts.clock.atTurnEnd(() => {
      this.#host.broken(this.nodeId, channel);
      this.#lookAfter(0);
    });
  }

  /** Since when this node speaks to the other one; null: it does not. */
  get openedAtMs(): EpochMillis | null {
    return this.#lanes[0]?.stream.isOpen === true ? this.#openedAtMs : null;
  }

  get queuedBytes(): number {
    return this.#lanes.reduce((sum, { stream }) => sum + stream.queuedBytes, 0);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopLooking();
    this.#closeAll();
  }

  /** As `close`, after what waits has been taken by the other side. */
  async finish(): Promise<void> {
    this.#isClosed = true;
    this.#stopLooking();
    await Promise.all(this.#lanes.map(({ stream }) => stream.finish()));
  }

  #closeAll(): void {
    for (const { channel, stream } of this.#lanes) {
      stream.close();
      if (this.#open.delete(channel)) this.#host.broken(this.nodeId, channel);
    }
  }

  #lane(channel: ChannelClass): Lane | undefined {
    return this.#lanes.find((lane) => lane.channel === channel);
  }

  #newStream(channel: ChannelClass, options: OutgoingOptions): OutgoingStream {
    return new OutgoingStream(options, this.#parts.clock, {
      opened: () => {
        this.#open.add(channel);
        this.#failures = 0;
        if (channel === this.#lanes[0]?.channel) this.#openedAtMs = this.#parts.clock.wallMs();
        this.#host.opened(this.nodeId, channel);
      },
      ended: (reason) => {
        const hadBeenOpen = this.#open.delete(channel);
        if (hadBeenOpen) this.#host.broken(this.nodeId, channel);
        this.#ended(channel, hadBeenOpen, reason);
      },
    });
  }

  #ended(channel: ChannelClass, wasOpen: boolean, { code, details }: StreamRefusal): void {
    if (this.#isClosed) return;
    const fields = { component: 'rpc', node: this.nodeId, channel: ChannelClass[channel], code };
    const { logger, warning } = this.#parts;
    if (wasOpen) logger.debug(fields, `a stream has ended: ${details}`);
    else if (passes(code)) logger.debug(fields, `a stream is not accepted yet: ${details}`);
    else warning.warn(fields, `a stream is not accepted: ${details}`);
    if (!wasOpen) this.#failures += 1;
    this.#lookAfter(
      wasOpen ? 0 : Math.min(RETRY_MS_MIN * 2 ** Math.min(this.#failures - 1, 10), RETRY_MS_MAX),
    );
  }

  /** Not later than a look that was meant for later. */
  #lookAfter(delayMs: number): void {
    if (this.#isClosed || this.#probe !== null) return;
    if (delayMs === 0) {
      this.#stopLooking();
      this.#look();
      return;
    }
    this.#timer ??= this.#parts.clock.setTimer(delayMs, () => {
      this.#timer = null;
      this.#look();
    });
  }

  #look(): void {
    this.#probe = probe(this.#peer.address, this.#parts.clock, (result) => {
      this.#probe = null;
      this.#saw(result);
    });
  }

  #saw(result: ProbeResult): void {
    if (result === 'accepted') {
      this.#openAll();
      return;
    }
    this.#lookAfter(PROBE_INTERVAL_MS);
    if (result === 'refused') this.#host.refused(this.nodeId);
  }

  #openAll(): void {
    const { self } = this.#parts;
    const clusterId = self.clusterId();
    if (clusterId === null) {
      this.#lookAfter(PROBE_INTERVAL_MS);
      return;
    }
    for (const { channel, stream } of this.#lanes) {
      if (stream.isDown) stream.open(this.#peer.address, helloPart(self, clusterId, this.nodeId, channel));
    }
  }

  #stopLooking(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#probe?.cancel();
    this.#probe = null;
  }
}
