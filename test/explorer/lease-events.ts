import { asMonotonicMillis, type NodeId } from '../../src/model/numbers.ts';
import { type Leading, type Model, nodeOf, type Stamp, TICK_MS, withNode } from './model.ts';
import type { ModelRules } from './model-rules.ts';

/** The leader sends a stamp to everybody of its lease set; it takes the place of an older one to the same. */
export function stamp(model: Model, from: NodeId, leaseSet: readonly NodeId[]): Model {
  const { life } = nodeOf(model, from);
  const others = model.stamps.filter((each) => each.from !== from || !leaseSet.includes(each.to));
  const sent = leaseSet
    .filter((to) => to !== from)
    .map((to): Stamp => ({ from, to, life, sentAtMs: model.nowMs }));
  return {
    ...model,
    stamps: [...others, ...sent].sort((left, right) => left.from - right.from || left.to - right.to),
    budget: { ...model.budget, stamps: model.budget.stamps - 1 },
  };
}

/**
 * The stamp is received; a follower of this leader promises (L2), and its echo is heard at once: one that is heard later gives a lease that ends no
 * later. An echo to a leader that is gone, or leads in another epoch, gives nothing.
 */
export function echo(model: Model, { from, to, life, sentAtMs }: Stamp, rules: ModelRules): Model {
  const received = { ...model, stamps: model.stamps.filter((each) => each.from !== from || each.to !== to) };
  const self = nodeOf(model, to);
  const { role } = self;
  if (!self.up || role.kind !== 'follower' || role.leader !== from) return received;
  if (!rules.replication.mayFollowEpoch(role.epoch, self.leaderEpochMax)) return received;
  const { replication } = rules;
  const others = self.promises.filter((each) => each.leader !== from || each.incarnation !== life);
  const before = self.promises.find((each) => each.leader === from && each.incarnation === life);
  const nowMs = asMonotonicMillis(model.nowMs);
  const never = asMonotonicMillis(Number.NEGATIVE_INFINITY);
  const untilMs = replication.promiseUntil(before?.untilMs ?? never, nowMs, TICK_MS);
  const promised = withNode(received, to, {
    promises: [...others, { leader: from, incarnation: life, untilMs }],
    hasPromised: true,
  });
  const leader = nodeOf(model, from);
  const isHeard =
    leader.up && leader.life === life && leader.role.kind === 'leader' && leader.role.epoch === role.epoch;
  return isHeard ? heard(promised, { from, to, life, sentAtMs }, rules) : promised;
}

function heard(model: Model, { from, to, sentAtMs }: Stamp, rules: ModelRules): Model {
  const { replication } = rules;
  const role = nodeOf(model, from).role as Leading;
  const nowMs = asMonotonicMillis(model.nowMs);
  const progress =
    role.followers.get(to) ??
    replication.newProgress(to, nodeOf(model, to).life, model.state.directoryIds[to] ?? '', nowMs);
  const leaseUntilMs = replication.leaseExpiry(asMonotonicMillis(sentAtMs), TICK_MS, TICK_MS);
  const noted = replication.noteEcho(progress, { sequence: 0, leaseUntilMs, clockGapMs: 0 });
  return withNode(model, from, { role: { ...role, followers: new Map(role.followers).set(to, noted) } });
}
