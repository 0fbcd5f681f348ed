import { ReadOutcome } from '../../../src/cluster/index.ts';
import { Partition } from '../../../src/replication/leader/partition.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { ServiceCall } from '../clients/service-call.ts';
import { LiveServiceNode } from '../runner/live-service-node.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

/** What commands see and answer. */
export const COMMAND_MUTATIONS: readonly Mutation[] = [
  mutation('a watched key is compared with what is committed', 'R12', {
    install: () =>
      replaced(
        ServiceCall.prototype,
        'isUnchanged',
        () =>
          function isUnchanged(this: ServiceCall, partition, key, version) {
            return this.committedVersion(partition, key) === version;
          },
      ),
  }),
  mutation('EXEC compares nothing', 'R12', {
    install: () => replaced(ServiceCall.prototype, 'isUnchanged', () => () => true),
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
  mutation('a follower expires keys by its own clock', 'R4', { install: expiringFollowers }),
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

function expiringFollowers(): () => void {
  let wallMs: number | null = null;
  const restores = [
    replaced(
      LiveServiceNode.prototype,
      'followerRead',
      (original) =>
        function followerRead(this: LiveServiceNode, partition, action, stalenessMsMax) {
          wallMs = this.clock.wallMs();
          try {
            return original.call(this, partition, action, stalenessMsMax);
          } finally {
            wallMs = null;
          }
        },
    ),
    replaced(
      PartitionStore.prototype,
      'readCommitted',
      (original) =>
        function readCommitted(this: PartitionStore, database, key, entry, withValue) {
          const isLoaded = original.call(this, database, key, entry, withValue);
          if (wallMs !== null && entry.expiresAtMs > 0 && entry.expiresAtMs <= wallMs) entry.found = false;
          return isLoaded;
        },
    ),
  ];
  return () => {
    for (const restore of restores) restore();
  };
}
