import { asMonotonicMillis, type NodeId } from '../../src/model/numbers.ts';
import type { LeaderView } from '../../src/replication/rules/types.ts';
import type { ModelLaw } from './events.ts';
import { viewOf } from './leader-events.ts';
import { type Entry, type Model, NODES, nodeOf } from './model.ts';

/** What must hold in every state (PROTOCOL 2.9, and L4, L5): the name of the first thing that does not, or null. */
export function brokenInvariant(model: Model, law: ModelLaw): string | null {
  if (model.alarm !== null) return model.alarm;
  return (
    logMatching(model) ??
    leaderCompleteness(model) ??
    candidateCompleteness(model) ??
    exposure(model) ??
    quorumSuperset(model, law) ??
    readConsistency(model, law) ??
    leaseExclusion(model, law)
  );
}

function holds(log: readonly Entry[], prefix: readonly Entry[]): boolean {
  return prefix.every((entry, at) => log[at]?.id === entry.id);
}

/** Two logs with a record of the same epoch at the same offset are the same up to there. */
function logMatching({ nodes }: Model): string | null {
  for (const [index, { log }] of nodes.entries())
    for (const [other, { log: otherLog }] of nodes.entries())
      if (other > index && !match(log, otherLog))
        return `Log Matching: nodes ${index + 1} and ${other + 1} have other records of the same epoch at the same offset`;
  return null;
}

function match(left: readonly Entry[], right: readonly Entry[]): boolean {
  for (let at = Math.min(left.length, right.length) - 1; at >= 0; at -= 1)
    if (left[at]?.epoch === right[at]?.epoch) return holds(left, right.slice(0, at + 1));
  return true;
}

/** The leader of the newest election has everything that was ever acknowledged, by whomever. */
function leaderCompleteness(model: Model): string | null {
  const { leaderEpoch } = model.state;
  for (const node of NODES) {
    const { role, log } = nodeOf(model, node);
    if (role.kind !== 'leader' || role.epoch !== leaderEpoch || holds(log, model.acknowledged)) continue;
    return `Leader Completeness: node ${node} leads epoch ${leaderEpoch} without an acknowledged record`;
  }
  return null;
}

/** So has everybody who may be elected: ISR and ELR, dead or alive, but those who lost something and say so. */
function candidateCompleteness(model: Model): string | null {
  const { isr, elr } = model.state;
  for (const node of [...isr, ...elr]) {
    const { log, isLossy } = nodeOf(model, node);
    if (!isLossy && !holds(log, model.acknowledged))
      return `Leader Candidate Completeness: node ${node} may be elected without an acknowledged record`;
  }
  return null;
}

/** Nobody takes for committed what was not acknowledged (KAFKA-14704, I3). */
function exposure(model: Model): string | null {
  for (const node of NODES) {
    const { highWatermark, log } = nodeOf(model, node);
    if (highWatermark > log.length) return `I3: the high watermark of node ${node} is above its log end`;
    if (highWatermark > model.acknowledged.length || !holds(model.acknowledged, log.slice(0, highWatermark)))
      return `Exposure: node ${node} takes for committed what was not acknowledged`;
  }
  return null;
}

/** The leader counts on everybody who could be elected by the ISR of the controller. */
function quorumSuperset(model: Model, { rules, minInsync }: ModelLaw): string | null {
  for (const node of NODES) {
    const view = viewOf(model, node, minInsync);
    if (view === null || view.leaderEpoch !== model.state.leaderEpoch) continue;
    const maximal = rules.replication.maximalIsr(view);
    const missing = model.state.isr.find((each) => !maximal.includes(each));
    if (missing !== undefined)
      return `Replication Quorum Superset: leader ${node} does not wait for node ${missing} of the ISR`;
  }
  return null;
}

/** Whoever may answer a read now, by its lease or because the version still stands (R9), knows everything that was acknowledged. */
function readConsistency(model: Model, law: ModelLaw): string | null {
  const { replication } = law.rules;
  const nowMs = asMonotonicMillis(model.nowMs);
  for (const node of NODES) {
    const view = viewOf(model, node, law.minInsync);
    if (view === null || view.highWatermark >= model.acknowledged.length) continue;
    if (replication.leaseValid(view, nowMs, model.nowMs, replication))
      return `Read consistency (L4): node ${node} reads by its lease and misses an acknowledged record`;
    if (replication.versionCheckConfirms(view, model.state.version, nowMs, replication))
      return `Read consistency (R9): node ${node} reads by the version and misses an acknowledged record`;
  }
  return null;
}

/** While a lease holds nobody of a later epoch acts (L5). */
function leaseExclusion(model: Model, law: ModelLaw): string | null {
  const { replication } = law.rules;
  const nowMs = asMonotonicMillis(model.nowMs);
  const views = NODES.map((node) => viewOf(model, node, law.minInsync)).filter((view) => view !== null);
  const leased = views.filter((view) => replication.leaseValid(view, nowMs, model.nowMs, replication));
  const isLater = (view: LeaderView, than: LeaderView): boolean => view.leaderEpoch > than.leaderEpoch;
  for (const holder of leased)
    for (const view of views)
      if (isLater(view, holder) && replication.mayAct(view.mayActAtMs, nowMs))
        return excluded(holder.self, view.self);
  return null;
}

const excluded = (holder: NodeId, other: NodeId): string =>
  `L5: node ${other} acts in a later epoch while the lease of node ${holder} holds`;
