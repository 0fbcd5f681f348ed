import type { CommitListener } from '../cluster/index.ts';
import type { DatabaseId, EpochMillis } from '../model/numbers.ts';
import type { ForwardedOrder } from './forwarding/forwarded-order.ts';

/** One client connection as commands see it. */
export interface Session extends CommitListener {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: EpochMillis;
  name: string;
  libraryName: string;
  libraryVersion: string;
  database: DatabaseId;
  /** READONLY: content with what a follower knows. Absent: no. */
  readsAtFollowers?: boolean;
  /** Close after the reply of the running command has left. */
  closeAfterReply: boolean;
  /**
   * By partition id: the newest offset this session appended there, -1 if none. A read of the partition waits until
   * it is resolved (R11).
   */
  readonly appended: number[];
  /** What others run for this session. Absent: nothing was ever forwarded. */
  forwarded?: ForwardedOrder;
}
