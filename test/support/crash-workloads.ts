import type { CrashSubject, CrashWorkload } from './crash-points.ts';
import { ModelledStore } from './modelled-store.ts';
import { unlessCrashed } from './node-machine.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const LONG = 'x'.repeat(900);

async function start(subject: CrashSubject): Promise<void> {
  subject.store = await ModelledStore.recover(subject.machine, subject.model);
}

function storeOf(subject: CrashSubject): ModelledStore {
  if (subject.store === null) throw new Error('the workload has not started the store');
  return subject.store;
}

/** Each step is a batch of its own: appended, flushed, answered. Stops at the crash. */
async function steps(
  subject: CrashSubject,
  actions: readonly ((store: ModelledStore) => void)[],
): Promise<void> {
  for (const action of actions) {
    if (subject.machine.disk.isCrashed) return;
    action(storeOf(subject));
    await storeOf(subject).answered();
  }
}

/** Overwrites, deletes, expiries and a flush over several segments, so that a merge has something of every kind. */
function history(rounds: number): ((store: ModelledStore) => void)[] {
  return Array.from({ length: rounds }, (_, round) => (store: ModelledStore) => {
    const key = KEYS[round % KEYS.length] as string;
    store.put(key, `${round}:${LONG}`, round % 5 === 0 ? 4_000_000_000_000 : 0);
    if (round % 4 === 1) store.remove(KEYS[(round + 3) % KEYS.length] as string);
    if (round % 4 === 2) store.expire(key, 4_000_000_000_000 + round);
    if (round % 4 === 3) store.expire(key, 0);
    if (round === Math.floor(rounds / 3)) store.flushDatabase();
  });
}

export const append: CrashWorkload = {
  name: 'append',
  settings: { 'storage.segmentBytesMax': '131072' },
  keys: KEYS,
  prepare: start,
  run: (subject) =>
    steps(subject, [
      (store) => store.put('a', '1'),
      (store) => store.put('b', LONG.repeat(3)),
      (store) => {
        store.put('c', 'one batch');
        store.put('d', LONG);
        store.remove('a');
      },
      (store) =>
        store.group([
          { kind: 'put', key: 'e', value: `${LONG}1`, expiresAtMs: 0 },
          { kind: 'put', key: 'f', value: `${LONG}2`, expiresAtMs: 0 },
          { kind: 'remove', key: 'b' },
        ]),
      (store) => store.put('g', 'L'.repeat(70_000)),
      (store) => store.flushDatabase(),
      (store) => store.put('h', '', 4_000_000_000_000),
    ]),
};

export const roll: CrashWorkload = {
  name: 'roll and hint',
  keys: KEYS,
  prepare: start,
  run: (subject) => steps(subject, history(13)),
};

export const mergePrefix: CrashWorkload = {
  name: 'merge of a prefix',
  keys: KEYS,
  prepare: async (subject) => {
    await start(subject);
    await steps(subject, history(18));
  },
  run: async (subject) => {
    const { partition } = storeOf(subject);
    await unlessCrashed(subject.machine, subject.machine.clock.until(partition.mergeNow()));
  },
};

export const mergeTwice: CrashWorkload = {
  ...mergePrefix,
  name: 'a merge, and of the recovery after it,',
  crashesDuringRecovery: true,
};

const LIVE = Array.from({ length: 16 }, (_, index) => `live${index}`);

/** Four segments that stay alive come first, so that the policy merges the dead ones behind them, tombstones kept. */
export const mergeInside: CrashWorkload = {
  name: 'merge inside the log',
  settings: { 'merge.enabled': 'true' },
  keys: [...LIVE, ...KEYS],
  prepare: async (subject) => {
    await start(subject);
    await steps(
      subject,
      LIVE.map((key) => (store: ModelledStore) => store.put(key, `${key}:${LONG}`)),
    );
    // The segment that the next roll seals: all dead but a tombstone of a key whose value lies before it.
    await steps(subject, [
      (store) => store.put('a', `first${LONG}`),
      (store) => store.put('a', `second${LONG}`),
      (store) => store.remove('live3'),
      (store) => store.put('a', `third${LONG}`),
    ]);
  },
  run: (subject) =>
    steps(subject, [
      (store) => store.put('a', `fourth${LONG}`),
      (store) => store.put('b', LONG),
      (store) => store.put('a', LONG),
    ]),
};

export const firstStart: CrashWorkload = {
  name: 'first start',
  settings: { 'cluster.partitions': '3' },
  keys: KEYS,
  prepare: async () => {},
  run: async (subject) => {
    const node = await subject.machine.tryOpen();
    if (node !== null) subject.store = new ModelledStore(subject.machine, subject.model, node);
  },
};

export const checkpoint: CrashWorkload = {
  name: 'close, clean marker and restart',
  keys: KEYS,
  prepare: async (subject) => {
    await start(subject);
    await steps(subject, history(8));
  },
  run: async (subject) => {
    const { machine } = subject;
    storeOf(subject).put('h', 'the last');
    if ((await unlessCrashed(machine, closed(subject))) === null) return;
    machine.nextProcess();
    const node = await machine.tryOpen();
    if (node !== null) subject.store = new ModelledStore(machine, subject.model, node);
  },
};

async function closed(subject: CrashSubject): Promise<true> {
  await subject.machine.clock.until(storeOf(subject).node.close());
  return true;
}

/** The start of a directory that a crash has left behind: torn tail, leftovers of a merge, a hint half written. */
export const recovery: CrashWorkload = {
  name: 'recovery after a crash',
  keys: KEYS,
  prepare: async (subject) => {
    const { machine } = subject;
    await start(subject);
    await steps(subject, history(14));
    storeOf(subject).put('a', `torn${LONG.repeat(3)}`);
    machine.disk.failAtOperation(1, { policy: 'random', progress: 'partly' });
    await machine.clock.settle();
    machine.nextLife();
  },
  run: async (subject) => {
    const node = await subject.machine.tryOpen();
    if (node !== null) subject.store = new ModelledStore(subject.machine, subject.model, node);
  },
};
