import type {
  ForwardReply,
  ForwardRequest,
  LeaderPartition,
  MapSource,
  Router,
} from '../../cluster/index.ts';
import type { CaskadeError } from '../../model/errors.ts';
import { asLeaderEpoch, asOffset, type PartitionId } from '../../model/numbers.ts';

/** Where everything is led, and what is led here (`ClusterRouter`). */
export interface InboxRouter extends Router, MapSource {
  leading(partition: PartitionId): LeaderPartition | null;
}

/** The partition, if this node leads it in the request's epoch; null: it does not, or not any more. */
export function ledFor(
  router: InboxRouter,
  { partition, leaderEpoch }: ForwardRequest,
): LeaderPartition | null {
  const led = router.leading(partition);
  return led !== null && led.leaderEpoch === leaderEpoch && !led.isOver ? led : null;
}

type Said = Partial<Pick<ForwardReply, 'isAbsent' | 'offset' | 'reply' | 'expectedSequence'>> & {
  readonly error?: CaskadeError;
};

/** An answer to a request, with what this node knows of the partition's leader. */
export function replyTo(
  router: InboxRouter,
  { id, partition, round, leaderEpoch }: ForwardRequest,
  outcome: ForwardReply['outcome'],
  said: Said,
): ForwardReply {
  const route = outcome === 'refused' ? router.map.partition(partition) : null;
  const { isAbsent = false, offset = asOffset(-1), reply = null, error, expectedSequence = 0 } = said;
  return {
    id,
    partition,
    round,
    outcome,
    isAbsent,
    leader: outcome === 'done' ? router.self : (route?.leader ?? null),
    // Of what has run, or may have, it is the epoch of its record.
    leaderEpoch: outcome === 'refused' ? (route?.leaderEpoch ?? asLeaderEpoch(0)) : leaderEpoch,
    offset,
    reply,
    error: error === undefined ? null : { code: error.code, message: error.message },
    expectedSequence,
  };
}
