import { asMonotonicMillis, asNodeId, type NodeId } from '../../src/model/numbers.ts';
import { decide, expire, handleProposal, register } from './control-events.ts';
import { ask, crash, learn, restart, take } from './follower-events.ts';
import { advance, append, proposable, propose, serve, viewOf } from './leader-events.ts';
import { echo, stamp } from './lease-events.ts';
import { type Model, NODES, nodeOf, TICK_MS } from './model.ts';
import type { ModelRules } from './model-rules.ts';

/**
 * What happens, as text, the word first: `append 1`, `serve 2` (the fetch of 2 reaches its leader), `take 2` (the answer reaches 2), `fetch 2` (both at once), `ask 2`, `learn 3`, `propose 1 1,2`, `handle 1`, `decide`,
 * `crash 1`, `crash 1 lossy`, `restart 1`, `expire 1`, `register 1`, `stamp 1` (to everybody of its lease set), `echo 1 2`, `tick`.
 */
export type ModelEvent = string;

export interface Successor {
  readonly event: ModelEvent;
  readonly model: Model;
}

/** What the model runs by. */
export interface ModelLaw {
  readonly rules: ModelRules;
  readonly minInsync: number;
  /** An answer to a fetch is there as soon as the leader gives it: half the events, for looking further. */
  readonly answersAtOnce: boolean;
}

/** Everything that may happen next, in the order in which it is tried. */
export function successors(model: Model, law: ModelLaw): Successor[] {
  const next: Successor[] = [];
  const add = (event: ModelEvent): void => {
    const changed = happen(model, event, law);
    if (changed !== null) next.push({ event, model: changed });
  };
  for (const node of NODES) {
    add(`learn ${node}`);
    for (const word of law.answersAtOnce ? ['fetch'] : ['serve', 'take']) add(`${word} ${node}`);
    add(`ask ${node}`);
    add(`append ${node}`);
    add(`handle ${node}`);
    const view = viewOf(model, node, law.minInsync);
    if (view !== null && model.budget.proposals > 0)
      for (const isr of proposable(view, model, law.rules)) add(`propose ${node} ${isr.join()}`);
    add(`stamp ${node}`);
    add(`crash ${node}`);
    add(`crash ${node} lossy`);
    add(`restart ${node}`);
    add(`expire ${node}`);
    add(`register ${node}`);
  }
  for (const { from, to } of model.stamps) add(`echo ${from} ${to}`);
  add('decide');
  add('tick');
  return next;
}

/** The model after an event; null: it cannot happen now, or nothing would change. */
export function happen(model: Model, event: ModelEvent, law: ModelLaw): Model | null {
  const [word = '', first = '', second = ''] = event.split(' ');
  const node = asNodeId(Number(first));
  if (word === 'decide') return decide(model, law.rules, law.minInsync);
  if (word === 'tick') return tick(model, law);
  if (!NODES.includes(node)) throw new Error(`'${event}' is no event`);
  const run = NODE_EVENTS[word];
  if (run === undefined) throw new Error(`'${event}' is no event`);
  const after = run(model, node, second, law);
  return after === model ? null : after;
}

type NodeEvent = (model: Model, node: NodeId, rest: string, law: ModelLaw) => Model | null;

const NODE_EVENTS: Readonly<Record<string, NodeEvent>> = {
  learn: (model, node, _rest, { rules, minInsync }) =>
    nodeOf(model, node).up && model.live[node - 1] !== null ? learn(model, node, rules, minInsync) : null,
  serve: (model, node, _rest, { rules, minInsync }) => {
    const { wire } = nodeOf(model, node);
    const isServed = wire?.kind === 'request' && nodeOf(model, wire.to).role.kind === 'leader';
    return isServed ? serve(model, node, rules, minInsync) : null;
  },
  take: (model, node, _rest, { rules }) => {
    const { wire, up } = nodeOf(model, node);
    return up && wire !== null && wire.kind !== 'request' ? take(model, node, rules) : null;
  },
  fetch: (model, node, rest, law) => {
    const served = NODE_EVENTS.serve?.(model, node, rest, law) ?? null;
    return served === null ? null : (NODE_EVENTS.take?.(served, node, rest, law) ?? served);
  },
  ask: (model, node) => {
    const { up, wire, role } = nodeOf(model, node);
    return up && wire === null && role.kind === 'follower' ? ask(model, node) : null;
  },
  append: (model, node, _rest, { rules, minInsync }) => {
    const view = viewOf(model, node, minInsync);
    if (view === null || model.budget.appends === 0 || !rules.replication.acceptsAppends(view)) return null;
    return advance(append(model, node), node, rules, minInsync);
  },
  propose: (model, node, isr, { rules, minInsync }) => {
    const view = viewOf(model, node, minInsync);
    if (view === null || model.budget.proposals === 0) return null;
    const isAllowed = proposable(view, model, rules).some((each) => each.join() === isr);
    return isAllowed
      ? propose(
          model,
          node,
          isr.split(',').map((each) => asNodeId(Number(each))),
        )
      : null;
  },
  handle: (model, node, _rest, { rules, minInsync }) =>
    nodeOf(model, node).proposal === null ? null : handleProposal(model, node, rules, minInsync),
  crash: (model, node, rest) => {
    const loses = rest === 'lossy';
    const { up, log } = nodeOf(model, node);
    const { crashes, lossyCrashes } = model.budget;
    if (!up || crashes === 0 || (loses && (lossyCrashes === 0 || log.length === 0))) return null;
    return crash(model, node, loses);
  },
  restart: (model, node, _rest, { rules }) => (nodeOf(model, node).up ? null : restart(model, node, rules)),
  expire: (model, node) =>
    nodeOf(model, node).up && model.live[node - 1] !== null && model.budget.expiries > 0
      ? expire(model, node)
      : null,
  register: (model, node) =>
    nodeOf(model, node).up && model.live[node - 1] === null ? register(model, node) : null,
  stamp: (model, node, _rest, { rules, minInsync }) => {
    const view = viewOf(model, node, minInsync);
    if (view === null || model.budget.stamps === 0) return null;
    return stamp(model, node, rules.replication.leaseSet(view, rules.replication));
  },
  echo: (model, node, rest, { rules }) => {
    const sent = model.stamps.find((each) => each.from === node && each.to === Number(rest));
    return sent === undefined ? null : echo(model, sent, rules);
  },
};

/** Time goes on by the length of a lease: every promise given before is over. A leader that waited for that acts. */
function tick(model: Model, { rules, minInsync }: ModelLaw): Model | null {
  if (model.budget.ticks === 0) return null;
  const budget = { ...model.budget, ticks: model.budget.ticks - 1 };
  let later: Model = { ...model, budget, nowMs: asMonotonicMillis(model.nowMs + TICK_MS) };
  for (const node of NODES) later = advance(later, node, rules, minInsync);
  return later;
}
