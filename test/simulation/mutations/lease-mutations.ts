import { EntryView, ReadOutcome } from '../../../src/cluster/index.ts';
import { asDatabaseId, asMonotonicMillis } from '../../../src/model/numbers.ts';
import { Partition } from '../../../src/replication/leader/partition.ts';
import { ReplicaManager } from '../../../src/replication/node/replica-manager.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { ServiceCall } from '../clients/service-call.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

const NEVER_MS = asMonotonicMillis(Number.NEGATIVE_INFINITY);

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
