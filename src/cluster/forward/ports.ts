import type { NodeId } from '../../model/numbers.ts';
import type { ForwardReply, ForwardRequest } from './messages.ts';

/**
 * Carries requests to other nodes: one ordered stream for each node, opened when it is first wanted and again after a
 * break. Between `opened` and `broken` nothing is lost, doubled or out of order.
 */
export interface ForwardLink {
  /**
   * Never throws, never waits. False: nothing was sent, no stream to that node is open now. How much may be under way is the caller's business; what `send` has taken is kept until it has left.
   */
  send(to: NodeId, request: ForwardRequest): boolean;
}

/** What the forwarder is told of its streams (`Forwarder`). */
export interface ForwardLinkEvents {
  opened(node: NodeId): void;
  /** What was sent and not answered on that stream may have arrived or not; no reply comes by it any more. */
  broken(node: NodeId): void;
  replied(from: NodeId, reply: ForwardReply): void;
}

/** The way back on one incoming stream. After its end what is sent is dropped. */
export interface ForwardStream {
  /** Not null while too much waits to be sent: reads, whose replies may be large, wait for it. Absent: never. */
  readonly congestion?: Promise<void> | null;
  send(reply: ForwardReply): void;
}

/** What runs other nodes' requests here (`ForwardInbox`). */
export interface ForwardService {
  /** In the order in which they came on their stream. */
  received(stream: ForwardStream, request: ForwardRequest): void;
  /** The stream has ended: what came by it and has not begun is dropped. */
  ended(stream: ForwardStream): void;
}
