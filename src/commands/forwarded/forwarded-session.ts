import type { CommitListener, ForwardRequest, LeaderPartition } from '../../cluster/index.ts';
import type { CaskadeError } from '../../model/errors.ts';
import { asDatabaseId, asOffset, type EpochMillis, type Offset } from '../../model/numbers.ts';
import type { Session } from '../session.ts';

/** The client of a forwarded command, as commands see it. One object serves command after command. */
export class ForwardedSession implements Session {
  id = 0;
  address = '';
  readonly localAddress = '';
  readonly createdAtMs: EpochMillis;
  name = '';
  libraryName = '';
  libraryVersion = '';
  database = asDatabaseId(0);
  closeAfterReply = false;
  readonly appended: number[] = [];
  readonly #listener: CommitListener | null;

  /** `listener` null: nothing is appended in this session. */
  constructor(createdAtMs: EpochMillis, listener: CommitListener | null) {
    this.createdAtMs = createdAtMs;
    this.#listener = listener;
  }

  /** From now on it stands for the client of `request`. */
  serve({ client, database }: ForwardRequest): void {
    this.id = client.id;
    this.address = client.address;
    this.name = client.name;
    this.database = database;
    this.appended.length = 0;
  }

  committed(partition: LeaderPartition): void {
    this.#listener?.committed(partition);
  }

  inDoubt(partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    if ((this.appended[partition.id] ?? -1) >= firstOffset)
      this.appended[partition.id] = asOffset(firstOffset - 1);
    this.#listener?.inDoubt(partition, firstOffset, error);
  }
}
