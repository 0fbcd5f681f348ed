import type { ErrorCode } from '../../model/errors.ts';
import type {
  DatabaseId,
  Incarnation,
  LeaderEpoch,
  NodeId,
  Offset,
  PartitionId,
  ProducerSequence,
} from '../../model/numbers.ts';

/** Who sent the command to the forwarder: for the log and for what commands say of their client. */
export interface ForwardedClient {
  /** Of the connection at the forwarder. */
  readonly id: number;
  readonly address: string;
  readonly name: string;
}

/**
 * One command, or one part of a command over several partitions, on its way to the leader of one partition.
 *
 * What a leader must not run is known by its numbers: another epoch than its own, an older life of the forwarder, an
 * older round. So no copy that lay in a buffer is run after its forwarder has begun to send again.
 */
export interface ForwardRequest {
  /** Of the forwarder's process; one for all copies of a request. */
  readonly id: number;
  readonly forwarder: NodeId;
  /** Life of the forwarder under which it numbers. */
  readonly incarnation: Incarnation;
  readonly partition: PartitionId;
  /** In which the forwarder believes the receiver to lead; a leader of another one refuses. */
  readonly leaderEpoch: LeaderEpoch;
  /** Grows, by partition, each time the forwarder begins to send again what was not answered: of writes, or of reads. */
  readonly round: number;
  /** Of a write (R14); null: a read. */
  readonly sequence: ProducerSequence | null;
  /** What is left of the client's patience; what has not begun by then is refused. */
  readonly timeoutMs: number;
  readonly database: DatabaseId;
  /** In which the reply is written. */
  readonly respVersion: 2 | 3;
  readonly client: ForwardedClient;
  /**
   * The arguments as a RESP array of bulk strings. Empty: a number that was given up is to be filled; nothing is
   * executed, and what the command did before is answered.
   */
  readonly command: Uint8Array;
}

/**
 * `done`: committed, or a read that was confirmed. `refused`: no copy of this round ran or will run. `inDoubt`: it may
 * have run.
 */
export type ForwardOutcome = 'done' | 'refused' | 'inDoubt';

export interface ForwardReply {
  /** Of the request. */
  readonly id: number;
  readonly partition: PartitionId;
  /** Of the copy that is answered. */
  readonly round: number;
  readonly outcome: ForwardOutcome;
  /**
   * Of a refusal: by the leader of the request's epoch, who has looked into its log, and no copy sent to anybody in this
   * epoch or an earlier one has run (R14). False: nothing is known but that this copy did not run.
   */
  readonly isAbsent: boolean;
  /** Who leads, and in which epoch, as far as the receiver knows; epoch 0 and null: it knows nothing. */
  readonly leader: NodeId | null;
  readonly leaderEpoch: LeaderEpoch;
  /** Newest record of the command; -1: none is known. With the leader's epoch, the version that INDOUBT names. */
  readonly offset: Offset;
  /** `done`: the finished reply, as the client is to see it; null: it was done earlier, and its reply was not kept. */
  readonly reply: Uint8Array | null;
  /** Not of `done`. */
  readonly error: ForwardError | null;
  /** Of a refusal because a number was passed over: the one that the log waits for; 0: that is not why. */
  readonly expectedSequence: number;
}

export interface ForwardError {
  readonly code: ErrorCode;
  readonly message: string;
}
