import type { Fetch, FetchOutcome, FetchReply, LeaderReleased } from '../messages.ts';
import type { LeaderRoleOptions } from '../node/leader-role.ts';

/** Who speaks, and of what. */
type Speaker = Pick<LeaderRoleOptions, 'settings' | 'incarnation' | 'state'>;

/** L9. */
export function releasedMessage({ settings, incarnation, state }: Speaker): LeaderReleased {
  return {
    kind: 'leaderReleased',
    from: settings.nodeId,
    fromIncarnation: incarnation,
    partition: state.id,
    uuid: state.uuid,
    leaderEpoch: state.leaderEpoch,
  };
}

export function fetchReplyMessage(
  { settings, incarnation, state }: Speaker,
  fetch: Fetch,
  outcome: FetchOutcome,
): FetchReply {
  return {
    kind: 'fetchReply',
    from: settings.nodeId,
    fromIncarnation: incarnation,
    toIncarnation: fetch.fromIncarnation,
    partition: state.id,
    fetchId: fetch.fetchId,
    leaderEpoch: state.leaderEpoch,
    outcome,
  };
}
