import type { MonotonicMillis } from '../../../src/model/numbers.ts';
import { asMonotonicMillis } from '../../../src/model/numbers.ts';
import { LeaderCore } from '../../../src/replication/leader/leader-core.ts';
import { PartitionLeader } from '../../../src/replication/leader/partition-leader.ts';
import { ReadGate } from '../../../src/replication/leader/read-gate.ts';
import type { LeaderHost, LeaderRole } from '../../../src/replication/node/leader-role.ts';
import { PromiseBook } from '../../../src/replication/node/promise-book.ts';
import { ReplicaManager } from '../../../src/replication/node/replica-manager.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { LeaderView } from '../../../src/replication/rules/types.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

const NEVER_MS = asMonotonicMillis(Number.NEGATIVE_INFINITY);
/** So long a leader believes that it still has the lease that it had. */
const BELIEVED_MS = 100;

const all =
  (...restores: (() => void)[]): (() => void) =>
  () => {
    for (const restore of restores) restore();
  };

/** Leases and promises. */
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
        asMonotonicMillis(sentAtMs + Math.min(leaseMs, promisedMs)),
    },
  }),
  mutation('a host that slept believes its clock', '4.3-9', {
    replication: { clockJumped: () => false },
  }),
  mutation('a lease is not looked at for each read', '4.3-10', {
    replication: { leaseValid: believed(RULES.leaseValid) },
  }),
  // Above min.insync there is no ELR (R1), and below it no lease (R10): each rule alone is covered by the others.
  mutation('below min.insync the lease of the ISR answers', 'L4, 4.3-6, R10', {
    replication: {
      leaseSet: (view, rules) => rules.maximalIsr(view),
      leaseValid: (view, nowMs, wallMs, rules) =>
        RULES.leaseValid({ ...view, minInsync: 1, hasHadMinInsync: true }, nowMs, wallMs, rules),
      servesReads: (view, nowMs, rules) =>
        RULES.servesReads({ ...view, hasHadMinInsync: true }, nowMs, rules),
    },
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
  // Either half alone is harmless: who could act has outlived every promise of its own, and so every lease of those before it.
  mutation('a release clears all promises, whoever sends it', 'R20', { install: releaseOfAll }),
];

/** Linearizable reads. */
export const READ_MUTATIONS: readonly Mutation[] = [
  mutation('reads before the inherited tail is committed', 'L4, KAFKA-2334', {
    replication: { servesReads: (view, nowMs, rules) => rules.mayAct(view.mayActAtMs, nowMs) },
    install: () =>
      replaced(
        PartitionLeader.prototype,
        'start',
        (original) =>
          function start(this: PartitionLeader) {
            original.call(this);
            this.partition.serve();
          },
      ),
  }),
  mutation('read-index by a majority', '4.2-2', {
    replication: {
      readIndexConfirmed: (view, sequence, nowMs, rules) => {
        if (!rules.servesReads(view, nowMs, rules)) return false;
        const nodes = rules.leaseSet(view, rules);
        const heard = nodes.filter((node) => (view.followers.get(node)?.echoedSequence ?? -1) >= sequence);
        return (heard.length + 1) * 2 > nodes.length;
      },
    },
  }),
  mutation('version check answers for another version', 'R9', {
    replication: {
      versionCheckConfirms: (view, _version, nowMs, rules) => rules.servesReads(view, nowMs, rules),
    },
    install: () =>
      replaced(
        LeaderCore.prototype,
        'step',
        (original) =>
          function step(this: LeaderCore, event) {
            const isChanged = event.kind === 'versionChecked' && event.outcome === 'changed';
            return original.call(this, isChanged ? { ...event, outcome: 'confirmed' } : event);
          },
      ),
  }),
  mutation('a confirmation holds for later reads', '4.2-2, R9', {
    install: () =>
      replaced(ReadGate.prototype, 'confirm', (original) => {
        const first = new WeakMap<ReadGate, number>();
        return function confirm(this: ReadGate, arrival) {
          const earlier = first.get(this) ?? arrival;
          first.set(this, earlier);
          return original.call(this, earlier);
        };
      }),
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
];

/** What was found valid stays so for a while, as a flag that a timer clears. */
function believed(leaseValid: typeof RULES.leaseValid): typeof RULES.leaseValid {
  const found = new WeakMap<LeaderView, MonotonicMillis>();
  return (view, nowMs, wallMs, rules) => {
    const foundAtMs = found.get(view);
    if (foundAtMs !== undefined && nowMs - foundAtMs < BELIEVED_MS) return true;
    const isValid = leaseValid(view, nowMs, wallMs, rules);
    if (isValid) found.set(view, nowMs);
    return isValid;
  };
}

/** One promise for all leaders of a partition, and every leader that steps down releases it. */
function releaseOfAll(): () => void {
  const cleared = new WeakMap<PromiseBook, Set<string>>();
  const clearedIn = (book: PromiseBook): Set<string> => {
    const uuids = cleared.get(book) ?? new Set();
    cleared.set(book, uuids);
    return uuids;
  };
  return all(
    replaced(
      PromiseBook.prototype,
      'release',
      (original) =>
        function release(this: PromiseBook, uuid, by, leaderEpoch) {
          original.call(this, uuid, by, leaderEpoch);
          clearedIn(this).add(uuid);
          return true;
        },
    ),
    replaced(
      PromiseBook.prototype,
      'promise',
      (original) =>
        function promise(this: PromiseBook, uuid, to, leaderEpoch, receivedAtMs, leaseMs) {
          clearedIn(this).delete(uuid);
          original.call(this, uuid, to, leaderEpoch, receivedAtMs, leaseMs);
        },
    ),
    replaced(
      PromiseBook.prototype,
      'mayActFromMs',
      (original) =>
        function mayActFromMs(this: PromiseBook, uuid, self, nowMs) {
          return clearedIn(this).has(uuid) ? nowMs : original.call(this, uuid, self, nowMs);
        },
    ),
    replaced(
      ReplicaManager.prototype,
      'newLeader',
      (original) =>
        function newLeader(this: ReplicaManager, state, store, host) {
          return releasing(
            original.call(this, state, store, host),
            host,
            {
              kind: 'leaderReleased',
              from: this.settings.nodeId,
              fromIncarnation: this.incarnation,
              partition: state.id,
              uuid: state.uuid,
              leaderEpoch: state.leaderEpoch,
            },
            state.replicas,
          );
        },
    ),
  );
}

/** `role`, which sends `message` to everybody as soon as it steps down. */
function releasing(
  role: LeaderRole,
  host: LeaderHost,
  message: Parameters<LeaderHost['send']>[1],
  replicas: readonly Parameters<LeaderHost['send']>[0][],
): LeaderRole {
  const stop = role.stop.bind(role);
  role.stop = () => {
    for (const node of replicas) if (node !== message.from) host.send(node, message);
    return stop();
  };
  return role;
}
