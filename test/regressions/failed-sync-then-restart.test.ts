import { expect } from 'chai';
import { asOffset } from '../../src/model/numbers.ts';
import type { FlushMode } from '../../src/storage/partition-meta.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { failureOf, StoreMachine, type TestStore } from '../support/store-fixture.ts';

/** A store whose last batch lies in the page cache, where a failed sync has left it: no sync will ever write it. */
async function withDroppedBatch(flush: FlushMode): Promise<StoreMachine> {
  const machine = new StoreMachine({ flush });
  const store = await machine.openStore();
  await store.commit({ a: '1' });
  await store.store.syncEvidence();
  store.put('b', '2');
  if (flush === 'always') await failOneSync(machine, () => store.store.flushOne());
  else {
    await store.flush();
    // Under a weak mode META's high watermark may be ahead of what is on the disk.
    await store.store.saveMeta();
    await failOneSync(machine, () => store.store.syncNow());
  }
  await store.store.abandon();
  return machine;
}

async function failOneSync({ disk }: StoreMachine | ReplicaMachine, action: () => unknown): Promise<void> {
  disk.arm({ operation: 'sync', path: '.log' });
  await failureOf(action);
}

const killed = (machine: StoreMachine): Promise<TestStore> => {
  machine.disk.crashAndRestart({ policy: 'keepAll' });
  return machine.openStore();
};

const afterPowerCut = (machine: StoreMachine): Promise<TestStore> => {
  machine.powerCut();
  return machine.openStore();
};

describe('after a failed sync the process is started anew and the machine lives on (KAFKA-10778)', () => {
  for (const flush of ['always', 'interval', 'os'] as const) {
    it(`what the start finds in the page cache, and calls durable, is on the disk (${flush})`, async () => {
      const machine = await withDroppedBatch(flush);
      const restarted = await killed(machine);
      expect(await restarted.get('b')).to.equal('2');
      expect(restarted.store.durableOffset).to.equal(2);
      const next = await afterPowerCut(machine);
      expect(next.store.durableOffset).to.be.at.least(2);
      expect(await next.get('a')).to.equal('1');
      expect(await next.get('b')).to.equal('2');
    });
  }

  it('also when the start opens the directory without the machine noticing that a process died', async () => {
    const machine = await withDroppedBatch('always');
    await machine.openStore();
    expect(await (await afterPowerCut(machine)).get('b')).to.equal('2');
  });

  it('what is acknowledged behind it is found: no hole lies before it', async () => {
    const machine = await withDroppedBatch('always');
    await (await killed(machine)).commit({ c: '3' });
    const next = await afterPowerCut(machine);
    expect(await next.get('b')).to.equal('2');
    expect(await next.get('c')).to.equal('3');
  });

  it('also when it is sealed before the power is cut', async () => {
    const machine = await withDroppedBatch('always');
    const restarted = await killed(machine);
    await restarted.roll();
    await restarted.commit({ c: '3' });
    await restarted.writeHints();
    const next = await afterPowerCut(machine);
    expect(await next.get('b')).to.equal('2');
    expect(await next.get('c')).to.equal('3');
  });

  it('a log of many pieces is written back whole', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4 * 1024 * 1024 });
    const store = await machine.openStore();
    await store.commit({ a: '1' });
    await store.store.saveMeta();
    const value = 'v'.repeat(900_000);
    for (const key of ['b', 'c', 'd']) await store.commit({ [key]: key + value });
    store.put('e', `e${value}`);
    await failOneSync(machine, () => store.store.flushOne());
    await store.store.abandon();
    await killed(machine);
    const next = await afterPowerCut(machine);
    for (const key of ['b', 'c', 'd', 'e']) expect(await next.get(key)).to.equal(key + value);
  });

  it('a start that cannot write it back fails, and the next one does it', async () => {
    for (const operation of ['write', 'sync'] as const) {
      const machine = await withDroppedBatch('always');
      machine.disk.crashAndRestart({ policy: 'keepAll' });
      machine.disk.arm({ operation, path: '.log' });
      expect(await failureOf(() => machine.openStore())).to.have.property('code');
      expect(await (await killed(machine)).get('b')).to.equal('2');
      expect(await (await afterPowerCut(machine)).get('b')).to.equal('2');
    }
  });

  it('a crash while it is written back does no harm', async () => {
    for (const policy of ['keepAll', 'loseAll', 'random'] as const) {
      for (const progress of ['before', 'partly', 'after'] as const) {
        for (let point = 1; point <= 8; point += 1) {
          const machine = await withDroppedBatch('always');
          machine.disk.crashAndRestart({ policy: 'keepAll' });
          machine.disk.failAtOperation(point, { progress, policy });
          await failureOf(async () => {
            await machine.openStore();
            machine.disk.crash({ policy });
            throw new Error('it was over before');
          });
          machine.disk.restart();
          // A power cut may have torn it within its sector: who starts then looks at it.
          const next = await machine.openStore({ acceptTornTail: true });
          const found = await next.get('b');
          expect(await next.get('a')).to.equal('1');
          expect(await (await afterPowerCut(machine)).get('b')).to.equal(found);
        }
      }
    }
  });

  it('a clean start writes nothing back', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await store.commit({ a: '1' });
    await store.close();
    machine.disk.crashAndRestart({ policy: 'keepAll' });
    machine.disk.trace.clear();
    await machine.openStore();
    expect(machine.disk.trace.lines().filter((line) => /^write .*\.log /.test(line))).to.deep.equal([]);
  });
});

/** A member that has the first of its leader's two records. */
async function memberWithFirst() {
  const leader: TestReplica = await new ReplicaMachine({ node: 9 }).lead(1);
  await leader.write(['a', '1'], ['b', '2']);
  const machine = new ReplicaMachine({ node: 3 });
  const { store } = await machine.open();
  const { bytes, nextOffset, epochs } = await leader.read(0, 10);
  await store.appendFetched(bytes, nextOffset, { epochs });
  return { leader, machine, store };
}

describe('a member after a failed sync and a start of its process (R6)', () => {
  async function memberWithDroppedBatch(deferSync: boolean): Promise<ReplicaMachine> {
    const { leader, machine, store } = await memberWithFirst();
    await store.commitTo(asOffset(1));
    await store.saveMeta();
    const { bytes, nextOffset, epochs } = await leader.read(1, 10);
    await failOneSync(machine, async () => {
      await store.appendFetched(bytes, nextOffset, { epochs, deferSync });
      await store.syncNow();
    });
    await store.abandon();
    return machine;
  }

  for (const deferSync of [false, true]) {
    it(`has on its disk what it tells its leader is durable (${deferSync ? 'in a rebuild' : 'as a follower'})`, async () => {
      const machine = await memberWithDroppedBatch(deferSync);
      machine.nextLife({ policy: 'keepAll' });
      const restarted = await machine.open();
      expect(restarted.store.durableOffset).to.equal(2);
      machine.nextLife({ policy: 'loseAll' });
      const next = await machine.open();
      expect(next.store.isWhole).to.equal(true);
      expect(next.store.durableOffset).to.equal(2);
    });
  }
});

describe('a process that is killed between the rename of the manifest and the sync of its directory', () => {
  it('leaves a start that makes the names durable before it goes on: what it then takes is not lost with them', async () => {
    const { leader, machine, store } = await memberWithFirst();
    // The first is that of the new segment's name, the second that of the manifest's.
    machine.disk.arm({ operation: 'syncDirectory', nth: 2 });
    await failureOf(() => store.rollNow());
    machine.nextLife({ policy: 'keepAll' });
    const restarted = await machine.open();
    const { bytes, nextOffset, epochs } = await leader.read(1, 10);
    await restarted.store.appendFetched(bytes, nextOffset, { epochs });
    expect(restarted.store.durableOffset).to.equal(2);
    machine.nextLife({ policy: 'loseAll' });
    const next = await machine.open();
    expect(next.store.durableOffset).to.equal(2);
  });
});
