import type { ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../env/clock.ts';
import type { Random } from '../env/random.ts';
import { CaskadeError, type ErrorCode } from '../model/errors.ts';
import type { EpochMillis } from '../model/numbers.ts';
import { NotLeaderError } from '../rpc/kv-errors.ts';
import type { KeyValueMethod } from '../rpc/kv-methods.ts';
import { slotOf } from '../rpc/slots.ts';
import { errorOfCall, mayBeSentAgain } from './call-errors.ts';
import { Channel } from './channel.ts';

export interface LeaderCall<Response> {
  readonly method: KeyValueMethod<Response>;
  readonly bytes: Buffer;
  readonly key: Uint8Array;
  readonly isWrite: boolean;
}

const ATTEMPTS_MAX = 32;
/** Redirections of one call that are followed at once: nodes that name each other are not asked in a circle. */
const HINTS_MAX = 3;
/** A server that says nothing does not use up the time of a call. */
const CONNECT_MS_MAX = 1_000;
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 500;

/** Whoever was asked does not serve the key now; another one may know more. */
const NOT_THERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'connectionFailed',
  'notLeader',
  'noLeader',
  'shuttingDown',
]);

/**
 * Brings calls to the node that leads their key: where it was last, where somebody says that it is, else to one address
 * after the other. What was refused is sent again, at most `ATTEMPTS_MAX` times and within the deadline; what is in
 * doubt never.
 */
export class LeaderCalls {
  readonly #addresses: readonly string[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #channels = new Map<string, Channel>();
  /** Of which no new call makes use; those that are under way there may yet be answered. */
  readonly #leaving = new Set<Channel>();
  /** By slot. */
  readonly #leaders = new Map<number, string>();
  /** Which of the addresses. */
  #turn = 0;
  #isClosed = false;

  constructor(
    addresses: readonly string[],
    { clock, random }: { readonly clock: Clock; readonly random: Random },
  ) {
    if (addresses.length === 0) throw new CaskadeError('usage', 'there is no address of a server');
    this.#addresses = addresses;
    this.#clock = clock;
    this.#random = random;
  }

  /** Resolves with the address that answered. */
  async connect(timeoutMs: number): Promise<string> {
    const untilMs = this.#clock.wallMs() + timeoutMs;
    let failure: unknown;
    for (let tried = 0; tried < this.#addresses.length; tried += 1) {
      const address = this.#seed();
      try {
        return await this.#at(address, untilMs, () => Promise.resolve(address));
      } catch (error) {
        failure = error;
        this.#turn += 1;
      }
    }
    throw failure;
  }

  async call<Response>(call: LeaderCall<Response>, timeoutMs: number): Promise<Response> {
    const untilMs = (this.#clock.wallMs() + timeoutMs) as EpochMillis;
    const slot = slotOf(call.key, 0, call.key.length);
    const pace = new Pace(this.#addresses.length, this.#random);
    for (let attempt = 1; ; attempt += 1) {
      const address = this.#leaders.get(slot) ?? this.#seed();
      try {
        const response = await this.#attempt(call, address, untilMs);
        this.#leaders.set(slot, address);
        return response;
      } catch (error) {
        if (!(error instanceof CaskadeError) || !mayBeSentAgain(error) || attempt >= ATTEMPTS_MAX)
          throw error;
        const delayMs = pace.delayMs(error, this.#learn(slot, error));
        if (this.#isClosed || this.#clock.wallMs() + delayMs >= untilMs) throw error;
        if (delayMs > 0) await this.#clock.sleep(delayMs);
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const channel of [...this.#channels.values(), ...this.#leaving]) channel.close();
    this.#channels.clear();
    this.#leaving.clear();
  }

  async #attempt<Response>(
    { method, bytes, isWrite }: LeaderCall<Response>,
    address: string,
    untilMs: EpochMillis,
  ): Promise<Response> {
    return await this.#at(address, untilMs, async (channel) => {
      try {
        return await channel.call(method, bytes, untilMs);
      } catch (error) {
        throw errorOfCall(error as ServiceError, address, isWrite);
      }
    });
  }

  /** Does something with the connection to `address`, which stays open for as long. */
  async #at<Result>(
    address: string,
    untilMs: number,
    work: (channel: Channel) => Promise<Result>,
  ): Promise<Result> {
    const channel = this.#channelTo(address);
    channel.userCount += 1;
    try {
      await this.#connect(channel, untilMs);
      return await work(channel);
    } finally {
      channel.userCount -= 1;
      if (channel.userCount === 0 && this.#leaving.delete(channel)) channel.close();
    }
  }

  #channelTo(address: string): Channel {
    if (this.#isClosed) throw new CaskadeError('connectionFailed', 'not sent: the client was closed');
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = new Channel(address);
      this.#channels.set(address, channel);
    }
    return channel;
  }

  async #connect(channel: Channel, untilMs: number): Promise<void> {
    try {
      await channel.connect(Math.min(untilMs, this.#clock.wallMs() + CONNECT_MS_MAX));
    } catch (error) {
      // The next one connects at once, and not when this one thinks that it is time to. What others have under way
      // there may yet be answered: a server that stops takes no connections, but ends its calls.
      if (this.#channels.get(channel.address) === channel) {
        this.#channels.delete(channel.address);
        this.#leaving.add(channel);
      }
      throw error;
    }
  }

  /** True: somebody has said who leads. */
  #learn(slot: number, error: CaskadeError): boolean {
    if (error instanceof NotLeaderError) {
      this.#leaders.set(slot, error.leader.address);
      return true;
    }
    if (!NOT_THERE.has(error.code)) return false;
    this.#leaders.delete(slot);
    // Also where it was learnt: who is cut off from the others goes on naming one that is gone.
    this.#turn += 1;
    return false;
  }

  /** Where to ask for what nothing is known of: the same as long as it answers. */
  #seed(): string {
    return this.#addresses[this.#turn % this.#addresses.length] as string;
  }
}

/** How soon one call is sent again. */
class Pace {
  readonly #seedCount: number;
  readonly #random: Random;
  #hints = 0;
  #misses = 0;
  #pauses = 0;

  constructor(seedCount: number, random: Random) {
    this.#seedCount = seedCount;
    this.#random = random;
  }

  /** At once where somebody has said who leads, or nobody answered and there are others to ask. */
  delayMs(error: CaskadeError, isHint: boolean): number {
    if (isHint) this.#hints += 1;
    if (isHint && this.#hints <= HINTS_MAX) return 0;
    if (error.code === 'connectionFailed') this.#misses += 1;
    if (error.code === 'connectionFailed' && this.#misses % this.#seedCount !== 0) return 0;
    this.#pauses += 1;
    // Between half and all of what doubles with every pause.
    const wholeMs = Math.min(BACKOFF_MS_MIN * 2 ** (this.#pauses - 1), BACKOFF_MS_MAX);
    return wholeMs / 2 + this.#random.below(wholeMs / 2 + 1);
  }
}
