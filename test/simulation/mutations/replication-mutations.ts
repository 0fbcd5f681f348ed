import { EntryView, ReadOutcome } from '../../../src/cluster/index.ts';
import { asDatabaseId, asMonotonicMillis, asOffset } from '../../../src/model/numbers.ts';
import { Partition } from '../../../src/replication/leader/partition.ts';
import { ReplicaManager } from '../../../src/replication/node/replica-manager.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { ServiceCall } from '../clients/service-call.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

const NEVER_MS = asMonotonicMillis(Number.NEGATIVE_INFINITY);

/** In-sync replicas, high watermark, reconciliation. */
export const REPLICATION_MUTATIONS: readonly Mutation[] = [
  mutation('LESO condition dropped', 'KAFKA-7128', {
    replication: {
      mayJoinIsr: (view, progress, nowMs, rules) =>
        RULES.mayJoinIsr({ ...view, epochStartOffset: asOffset(0) }, progress, nowMs, rules),
    },
  }),
  mutation('joins the ISR below the high watermark', '2.4', {
    replication: {
      mayJoinIsr: (view, progress, nowMs, rules) =>
        RULES.mayJoinIsr(
          { ...view, epochStartOffset: asOffset(0), highWatermark: asOffset(0) },
          progress,
          nowMs,
          rules,
        ),
    },
  }),
  mutation('pending expansion counts for the size test', 'R1', {
    replication: {
      acceptsAppends: (view) => {
        const pending = 'pending' in view ? (view as Parameters<typeof RULES.maximalIsr>[0]) : null;
        const isr = pending === null ? view.state.isr : RULES.maximalIsr(pending);
        return isr.length >= view.minInsync;
      },
    },
  }),
  mutation('high watermark moves below min.insync', 'R1, KAFKA-15583', {
    replication: { acceptsAppends: () => true },
  }),
  mutation('shrink applied at once', '2.4', {
    replication: {
      maximalIsr: ({ state, pending }) => pending?.members.map(({ node }) => node) ?? state.isr,
    },
  }),
  mutation('expansion counts only after its commit', '2.4', {
    replication: { maximalIsr: ({ state }) => state.isr },
  }),
  mutation('a follower counts whatever its life and directory', 'R5, KIP-903', {
    replication: { countsForHighWatermark: (_view, progress) => progress.fetchOffset >= 0 },
  }),
  mutation('a version counts before it was echoed', 'R17', {
    replication: {
      countsForHighWatermark: (view, progress) =>
        RULES.countsForHighWatermark(view, { ...progress, ackedVersion: view.state.version }),
    },
  }),
  mutation('ack before the follower has it on disk', 'R8', {
    replication: {
      noteFetch: (progress, word, logEndOffset, nowMs) =>
        RULES.noteFetch(
          progress,
          word.fetchOffset >= 0 ? { ...word, durableOffset: word.fetchOffset } : word,
          logEndOffset,
          nowMs,
        ),
    },
  }),
  mutation('ack before the leader has it on disk', 'I6', {
    replication: {
      highWatermark: (view, nowMs, rules) =>
        RULES.highWatermark({ ...view, durableOffset: view.logEndOffset }, nowMs, rules),
    },
  }),
  mutation("follower takes the leader's high watermark beyond its own log", 'KAFKA-14704', {
    replication: {
      followerHighWatermark: ({ current, logEndOffset, outcome }) =>
        asOffset(Math.max(current, outcome.result === 'data' ? logEndOffset : current)),
    },
  }),
  mutation('truncate to the high watermark', 'KIP-101', {
    replication: {
      truncationPoint: ({ highWatermark }) => ({ kind: 'truncate', offset: highWatermark }),
    },
  }),
  mutation('diverging logs are not told apart', '2.6', {
    replication: {
      checkFetch: (view, fetch, log, known) => {
        const refusal = RULES.checkFetch(view, fetch, log, known);
        return refusal?.outcome.result === 'diverging' ? null : refusal;
      },
    },
  }),
  mutation('removedFloor skipped', 'C5, R16', {
    replication: {
      checkFetch: (view, fetch, log, known) =>
        RULES.checkFetch(view, fetch, { ...log, removedFloor: -1 }, known),
    },
  }),
  mutation('an older epoch is followed', 'L6', {
    replication: { mayFollowEpoch: () => true },
  }),
  mutation('sealed records are called refused at step-down', 'R22', {
    replication: {
      stepDownOutcome: ({ highWatermark }) => ({ inDoubtFrom: highWatermark, refusedFrom: highWatermark }),
    },
  }),
  mutation('a shrink waits for silence only', 'KAFKA-7152', {
    replication: { isSilent: () => false },
  }),
];

/** Leases, promises, reads. */
export const LEASE_MUTATIONS: readonly Mutation[] = [
  mutation('lease counted from receipt', 'L3, 4.3-1', {
    install: () =>
      replaced(
        ReplicaManager.prototype,
        'echoed',
        (original) =>
          function echoed(this: ReplicaManager, grant, stamp) {
            const { clock } = this.doors;
            original.call(this, grant, {
              ...stamp,
              sentAtMs: clock.monotonicMs(),
              sentWallMs: clock.wallMs(),
            });
          },
      ),
  }),
  mutation('lease without the margin for clock rates', 'L3, 4.3-9', {
    replication: {
      leaseExpiry: (sentAtMs, leaseMs, promisedMs) =>
        asMonotonicMillis(sentAtMs + Math.min(leaseMs, promisedMs) * 1.1),
    },
  }),
  mutation('ELR not in the lease set', 'L4, 4.3-6', {
    replication: { leaseSet: (view, rules) => rules.maximalIsr(view) },
  }),
  mutation('lease of the ISR without pending members', 'L4, 4.3-8', {
    replication: { leaseSet: ({ state }) => [...state.isr, ...state.elr] },
  }),
  mutation('promise forgotten at restart', 'L5, R20', {
    replication: { bootWaitUntil: () => NEVER_MS },
  }),
  mutation('promises bind nobody', 'L5', {
    replication: { mayActAt: () => NEVER_MS, bootWaitUntil: () => NEVER_MS },
  }),
  mutation('only the newest promise counts', 'L5, R20', {
    replication: {
      mayActAt: (promises, self, bootWaitUntilMs) =>
        RULES.mayActAt([...promises].slice(-1), self, bootWaitUntilMs),
    },
  }),
  mutation('reads before the inherited tail is committed', 'L4, KAFKA-2334', {
    replication: { servesReads: (view, nowMs, rules) => rules.mayAct(view.mayActAtMs, nowMs) },
  }),
  mutation('read-index by one member', '4.2-2', {
    replication: {
      readIndexConfirmed: (view, sequence, nowMs, rules) =>
        rules.servesReads(view, nowMs, rules) &&
        [...view.followers.values()].some(({ echoedSequence }) => echoedSequence >= sequence),
    },
  }),
  mutation('version check answers for another version', 'R9', {
    replication: {
      versionCheckConfirms: (view, _version, nowMs, rules) => rules.servesReads(view, nowMs, rules),
    },
  }),
  mutation('reads need no lease', 'L7', {
    replication: { leaseValid: (view, nowMs, _wallMs, rules) => rules.servesReads(view, nowMs, rules) },
  }),
  mutation('read from the overlay', 'C2, 4.3-11', {
    install: () =>
      replaced(
        PartitionStore.prototype,
        'readCommitted',
        () =>
          function readCommitted(this: PartitionStore, database, key, entry, withValue) {
            return this.readAppended(database, key, entry, withValue);
          },
      ),
  }),
  mutation('a watched key is compared with what is committed', 'R12', {
    install: () =>
      replaced(
        ServiceCall.prototype,
        'newestVersion',
        () =>
          function newestVersion(this: ServiceCall, partition, key) {
            const entry = new EntryView();
            partition.readCommitted(asDatabaseId(0), this.viewOf(partition, key), entry, false);
            return entry.offset;
          },
      ),
  }),
  mutation('a due key is absent before its tombstone is committed', 'R4', {
    install: () =>
      replaced(
        Partition.prototype,
        'readCommitted',
        (original) =>
          function readCommitted(this: Partition, database, key, entry, withValue) {
            entry.expiresAtMs = 0;
            const outcome = original.call(this, database, key, entry, withValue);
            if (outcome !== ReadOutcome.suspended || !entry.found || entry.expiresAtMs === 0) return outcome;
            entry.found = false;
            return ReadOutcome.ready;
          },
      ),
  }),
  mutation('a leader of too small an ISR answers by its lease', 'R10', {
    replication: {
      servesReads: (view, nowMs, rules) => rules.mayAct(view.mayActAtMs, nowMs),
      leaseValid: (view, nowMs, wallMs, rules) =>
        RULES.leaseValid({ ...view, minInsync: 1, hasHadMinInsync: true }, nowMs, wallMs, rules),
    },
  }),
  mutation('a negative answer is not confirmed', 'R3', {
    install: () =>
      replaced(
        ServiceCall.prototype,
        'confirmRead',
        (original) =>
          function confirmRead(this: ServiceCall, partition) {
            return this.isPlainRead ? original.call(this, partition) : ReadOutcome.ready;
          },
      ),
  }),
];
