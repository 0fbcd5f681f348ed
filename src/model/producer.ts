import type { Incarnation, NodeId, ProducerSequence } from './numbers.ts';

/**
 * Who numbers its write commands, so that a retry is not executed twice (R14). A `client` chose its id itself (1 to 64
 * bytes of UTF-8) and counts over all partitions, so one partition sees its sequences with gaps. A `node` forwards for
 * others, in one life, and counts for each partition without gaps.
 */
export type Producer =
  | { readonly kind: 'client'; readonly id: string }
  | { readonly kind: 'node'; readonly node: NodeId; readonly incarnation: Incarnation };

/** One numbered write command and what came of it. */
export interface ProducerNote {
  readonly producer: Producer;
  readonly sequence: ProducerSequence;
  /**
   * What its sender was, or will be, answered, in a form that is the sender's. Null: too long, only that it was done is
   * known.
   */
  readonly outcome: Uint8Array | null;
}
