import type { NodeId } from '../../../src/model/numbers.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { EventHost, Scheduler } from './scheduler.ts';

/** Streams between two nodes, each in its own order: a rebuild holds back no lease (PROTOCOL R8). */
export type Channel = 'tail' | 'bulk' | 'control';

/** What stands at an address at this moment. */
export interface Endpoint {
  /** Null: no process listens. */
  readonly host: EventHost | null;
  /** False: the machine is off. Nothing comes back, not even a refusal. */
  readonly isOn: boolean;
}

export interface NetworkMood {
  /** Shares of messages in [0, 1). */
  lossShare: number;
  doubledShare: number;
  reorderedShare: number;
  /** Added to every latency, times a chance. */
  slownessMs: number;
  /** Share of the messages with bytes of a log in which some of these are changed, or the last ones missing. */
  damagedShare: number;
}

/** Nothing is added to the mood of all. */
const CALM: NetworkMood = {
  lossShare: 0,
  doubledShare: 0,
  reorderedShare: 0,
  slownessMs: 0,
  damagedShare: 0,
};

interface Shipment {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly channel: Channel;
  readonly bytes: number;
}

const LATENCY_MS_MIN = { tail: 0.08, bulk: 0.2, control: 0.06 } as const;
const JITTER_MS = { tail: 0.3, bulk: 1, control: 0.2 } as const;
/** About 100 MB/s. */
const BYTES_PER_MS = 100_000;
/** A packet that comes out of order comes up to this late. */
const REORDER_MS_MAX = 40;

/**
 * The network between nodes: each ordered pair and channel is a stream of its own, in order until chance or a fault has
 * it otherwise. What is under way when a link is cut is lost with it.
 */
export class Network {
  readonly mood: NetworkMood;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #endpoint: (node: NodeId) => Endpoint;
  readonly #cuts = new Map<number, number>();
  readonly #silent = new Map<NodeId, number>();
  /** Of what a machine sends and receives, on top of the mood of all. */
  readonly #moods = new Map<NodeId, NetworkMood>();
  readonly #lastAtMs = new Map<string, number>();
  /** By stream: how much later everything arrives once more. */
  readonly #repeats = new Map<string, number>();
  sentCount = 0;

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    endpoint: (node: NodeId) => Endpoint,
    mood: Partial<NetworkMood>,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#endpoint = endpoint;
    this.mood = { ...CALM, ...mood };
  }

  /** `deliver` runs at the receiver, in the life that is there when it arrives; `refused` at the sender if nobody listens. */
  send(shipment: Shipment, sender: EventHost, deliver: () => void, refused: () => void): void {
    this.sentCount += 1;
    const { from, to, channel } = shipment;
    if (!this.#isOpen(from, to) || this.#random.chance(this.#worst('lossShare', from, to))) return;
    const copies = this.#random.chance(this.#worst('doubledShare', from, to)) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#scheduler.at(this.#arrivalMs(shipment), null, () =>
        this.#arrive(shipment, sender, deliver, refused),
      );
    }
    const laterMs = this.#repeats.size === 0 ? undefined : this.#repeats.get(`${from}>${to}${channel}`);
    if (laterMs !== undefined)
      this.#scheduler.after(laterMs, null, () => this.#arrive(shipment, sender, deliver, refused));
  }

  /** Cuts one direction. Cuts of several faults add up. */
  cut(from: NodeId, to: NodeId): void {
    add(this.#cuts, linkOf(from, to), 1);
  }

  mend(from: NodeId, to: NodeId): void {
    add(this.#cuts, linkOf(from, to), -1);
  }

  /** From now on everything of this stream arrives once more, so much later. Null: no more, but for what is under way. */
  repeat(from: NodeId, to: NodeId, channel: Channel, laterMs: number | null): void {
    const stream = `${from}>${to}${channel}`;
    if (laterMs === null) this.#repeats.delete(stream);
    else this.#repeats.set(stream, laterMs);
  }

  /** What arrives of the bytes of a log; the same ones, more often than not. */
  bytesAfter(bytes: Uint8Array, from: NodeId, to: NodeId): Uint8Array {
    const share = this.#worst('damagedShare', from, to);
    if (share === 0 || bytes.length === 0 || !this.#random.chance(share)) return bytes;
    const at = this.#random.below(bytes.length);
    // All of it is lost more often than chance would have it.
    if (this.#random.chance(0.3)) return bytes.slice(0, this.#random.chance(0.3) ? 0 : at);
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] ?? 0) ^ (1 << this.#random.below(8));
    return damaged;
  }

  /** The machine neither sends nor receives, and refuses nothing. */
  silence(node: NodeId): void {
    add(this.#silent, node, 1);
  }

  unsilence(node: NodeId): void {
    add(this.#silent, node, -1);
  }

  isSilent(node: NodeId): boolean {
    return (this.#silent.get(node) ?? 0) > 0;
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return (this.#cuts.get(linkOf(from, to)) ?? 0) > 0;
  }

  /** Null: like all others again. */
  setMood(node: NodeId, mood: Partial<NetworkMood> | null): void {
    if (mood === null) this.#moods.delete(node);
    else this.#moods.set(node, { ...CALM, ...mood });
  }

  /** What was the mood of all stays. */
  heal(): void {
    this.#cuts.clear();
    this.#silent.clear();
    this.#moods.clear();
    this.#repeats.clear();
  }

  /** A latency of the day, for what is no stream. */
  latencyMs(channel: Channel): number {
    // A sum of an even and a long-tailed part: most arrive together, some much later.
    const tail = this.#random.fraction() ** 8 * 10;
    return LATENCY_MS_MIN[channel] + (this.#random.fraction() + tail) * JITTER_MS[channel];
  }

  #arrivalMs(shipment: Shipment): number {
    const { from, to, channel, bytes } = shipment;
    const slownessMs = this.#random.fraction() * this.#worst('slownessMs', from, to);
    const atMs = this.#scheduler.nowMs + this.latencyMs(channel) + slownessMs + bytes / BYTES_PER_MS;
    if (this.#random.chance(this.#worst('reorderedShare', from, to)))
      return atMs + this.#random.fraction() * REORDER_MS_MAX;
    const stream = `${from}>${to}${channel}`;
    const inOrderMs = Math.max(atMs, this.#lastAtMs.get(stream) ?? 0);
    this.#lastAtMs.set(stream, inOrderMs);
    return inOrderMs;
  }

  #arrive(shipment: Shipment, sender: EventHost, deliver: () => void, refused: () => void): void {
    const { from, to } = shipment;
    if (!this.#isOpen(from, to)) return;
    const { host, isOn } = this.#endpoint(to);
    if (host !== null) this.#scheduler.after(0, host, deliver);
    else if (isOn && this.#isOpen(to, from))
      this.#scheduler.after(this.latencyMs('control'), sender, refused);
  }

  #worst(field: keyof NetworkMood, from: NodeId, to: NodeId): number {
    const worst = this.mood[field];
    if (this.#moods.size === 0) return worst;
    return Math.max(worst, this.#moods.get(from)?.[field] ?? 0, this.#moods.get(to)?.[field] ?? 0);
  }

  #isOpen(from: NodeId, to: NodeId): boolean {
    return !this.isCut(from, to) && !this.isSilent(from) && !this.isSilent(to);
  }
}

const linkOf = (from: NodeId, to: NodeId): number => from * 1000 + to;

function add<Key>(counts: Map<Key, number>, key: Key, change: number): void {
  counts.set(key, Math.max(0, (counts.get(key) ?? 0) + change));
}
