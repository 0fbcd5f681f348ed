/**
 * `caskade` with one rule broken: what is on the leader's own disk counts as committed, whoever else has it. A program
 * of its own, run instead of the server by the tests that must catch it.
 */
import { main } from '../../../src/main.ts';
import { asOffset } from '../../../src/model/numbers.ts';
import { LEADER_INVARIANTS } from '../../../src/replication/leader/leader-invariants.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';

const ackBeforeReplication: typeof RULES.highWatermark = (view, nowMs, rules) => {
  const isHeld = rules.mayAct(view.mayActAtMs, nowMs) && rules.acceptsAppends(view);
  return isHeld ? asOffset(Math.max(view.highWatermark, view.durableOffset)) : view.highWatermark;
};

Object.assign(RULES, { highWatermark: ackBeforeReplication });
// The leader's own checks would stop it before anything is lost.
Object.assign(LEADER_INVARIANTS, { checkCommit: () => undefined });

await main(process.argv.slice(2));
