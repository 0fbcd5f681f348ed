/**
 * `caskade` with one rule broken: what is on the leader's own disk counts as committed, whoever else has it. Other nodes
 * are some way off, as in a real network, so that the difference is seen. A program of its own, run instead of the
 * server by the tests that must catch it.
 */
import { main } from '../../../src/main.ts';
import { asOffset } from '../../../src/model/numbers.ts';
import { LEADER_INVARIANTS } from '../../../src/replication/leader/leader-invariants.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { ClusterNode } from '../../../src/server/cluster-node.ts';

const ackBeforeReplication: typeof RULES.highWatermark = (view, nowMs, rules) => {
  const isHeld = rules.mayAct(view.mayActAtMs, nowMs) && rules.acceptsAppends(view);
  return isHeld ? asOffset(Math.max(view.highWatermark, view.durableOffset)) : view.highWatermark;
};

const { mayJoinIsr } = RULES;
/** Nobody some way off would ever come up with such a high watermark, and join. */
const joinBelowIt: typeof mayJoinIsr = (view, ...words) =>
  mayJoinIsr({ ...view, highWatermark: asOffset(0) }, ...words);

Object.assign(RULES, { highWatermark: ackBeforeReplication, mayJoinIsr: joinBelowIt });
// The leader's own checks would stop it before anything is lost.
Object.assign(LEADER_INVARIANTS, { checkCommit: () => undefined });

const DISTANCE_MS = 10;

const open = ClusterNode.open.bind(ClusterNode);
ClusterNode.open = (settings, rules, doors) => {
  const { transport } = doors;
  const later = {
    ...doors,
    transport: {
      sendPeer: (...words: Parameters<typeof transport.sendPeer>) =>
        void setTimeout(() => transport.sendPeer(...words), DISTANCE_MS),
      sendControl: (...words: Parameters<typeof transport.sendControl>) => transport.sendControl(...words),
    },
  };
  return open(settings, rules, later);
};

await main(process.argv.slice(2));
