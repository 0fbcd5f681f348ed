import type { ForwardedOrder } from '../commands/forwarding/forwarded-order.ts';
import type { Session } from '../commands/session.ts';
import type { CaskadeError } from '../model/errors.ts';
import { asDatabaseId, asOffset, type EpochMillis, type Offset } from '../model/numbers.ts';
import type { Partition } from './in-doubt.ts';

/** Who is told how the appends of a session ended. */
export interface SessionOwner {
  onCommitted(): void;
  onInDoubt(partition: Partition, firstOffset: Offset, error: CaskadeError): void;
}

/** One client connection as commands see it. */
export class ClientSession implements Session {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: EpochMillis;
  name = '';
  libraryName = '';
  libraryVersion = '';
  database = asDatabaseId(0);
  closeAfterReply = false;
  readsAtFollowers = false;
  readonly appended: number[] = [];
  forwarded?: ForwardedOrder;
  readonly #owner: SessionOwner;

  constructor(
    id: number,
    address: string,
    localAddress: string,
    createdAtMs: EpochMillis,
    owner: SessionOwner,
  ) {
    this.id = id;
    this.address = address;
    this.localAddress = localAddress;
    this.createdAtMs = createdAtMs;
    this.#owner = owner;
  }

  committed(_partition: Partition): void {
    this.#owner.onCommitted();
  }

  /**
   * In doubt is resolved too: reads of the partition wait for this session's append no longer (R11), but for what it
   * appended before that still.
   */
  inDoubt(partition: Partition, firstOffset: Offset, error: CaskadeError): void {
    const appended = this.appended[partition.id];
    if (appended !== undefined && appended >= firstOffset)
      this.appended[partition.id] = asOffset(firstOffset - 1);
    this.#owner.onInDoubt(partition, firstOffset, error);
  }
}
