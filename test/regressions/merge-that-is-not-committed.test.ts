import { expect } from 'chai';
import type { Fault } from '../../src/env/fault-plan.ts';
import { Maintenance } from '../../src/storage/maintenance.ts';
import { openHandles } from '../support/open-handles.ts';
import {
  DIRECTORY,
  expectCode,
  failureOf,
  freeMergeHost,
  StoreMachine,
  type TestStore,
} from '../support/store-fixture.ts';

const ROUNDS = 3;

async function worthMerging(): Promise<{ machine: StoreMachine; test: TestStore }> {
  const machine = new StoreMachine();
  const test = await machine.openStore();
  for (let n = 0; n < 60; n += 1) await test.commit({ [`k${n % 5}`]: `${n}`.padEnd(1000, 'v') });
  return { machine, test };
}

const filesOf = (machine: StoreMachine): Promise<string[]> => machine.fileSystem.list(DIRECTORY);

async function expectWhole(test: TestStore): Promise<void> {
  for (let n = 55; n < 60; n += 1) expect(await test.get(`k${n % 5}`)).to.equal(`${n}`.padEnd(1000, 'v'));
}

/** What a merge had written was left behind by any failure between its copy and the manifest, at each round again, and the disk filled up by itself. */
describe('a merge that fails before the manifest is renamed', () => {
  const faults: Readonly<Record<string, Fault>> = {
    'no room for META': { operation: 'write', path: 'META', errno: 'ENOSPC' },
    'META not synced': { operation: 'sync', path: 'META' },
    'the names of its outputs not synced': { operation: 'syncDirectory', nth: 3 },
    'the name of a hint not synced': { operation: 'syncDirectory' },
    'an output that cannot be opened': { operation: 'open', path: '-00000000' },
    'no room for the manifest': { operation: 'write', path: 'MANIFEST', errno: 'ENOSPC' },
    'too many open files for the manifest': { operation: 'create', path: 'MANIFEST', errno: 'EMFILE' },
    'the new manifest not synced': { operation: 'sync', path: 'MANIFEST' },
  };
  for (const [what, fault] of Object.entries(faults)) {
    it(`leaves nothing behind, however often it is tried: ${what}`, async () => {
      const { machine, test } = await worthMerging();
      await test.store.saveMeta();
      const before = await filesOf(machine);
      const handles = openHandles(machine.fileSystem);
      const slots = test.store.log.opened.length;
      const told: unknown[] = [];
      const host = { ...freeMergeHost(test.store), failed: (error: unknown) => told.push(error) };
      for (let round = 0; round < ROUNDS; round += 1) {
        machine.disk.arm(fault);
        await failureOf(() => test.merge(0, undefined, host));
        expect(told, 'nothing is in doubt').to.deep.equal([]);
        const left = (await filesOf(machine)).filter((name) => !name.endsWith('.tmp'));
        expect(left, `round ${round}`).to.deep.equal(before);
      }
      expect([...handles].map(({ path }) => path)).to.deep.equal([]);
      expect(test.store.log.opened).to.have.length(slots);
      machine.disk.clearFaults();
      expect(await test.merge()).to.not.equal(null);
      await expectWhole(test);
      await expectWhole(await test.reopen());
    });
  }
});

describe('a merge of which nobody knows whether the manifest names it', () => {
  const isUnsynced: Fault = { operation: 'syncDirectory', path: DIRECTORY };

  /** Fails the sync that makes the manifest's rename durable. */
  function failManifest(machine: StoreMachine, host: ReturnType<typeof freeMergeHost>): typeof host {
    const exclusively = (change: () => Promise<void>): Promise<void> => {
      machine.disk.arm(isUnsynced);
      return host.exclusively(change);
    };
    return { ...host, exclusively };
  }

  it('leaves its files, but no slot and no descriptor, and tells its host', async () => {
    const { machine, test } = await worthMerging();
    const handles = openHandles(machine.fileSystem);
    const slots = test.store.log.opened.length;
    const told: unknown[] = [];
    const host = failManifest(machine, freeMergeHost(test.store));
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await filesOf(machine);
      await expectCode(
        () => test.merge(0, undefined, { ...host, failed: (error) => told.push(error) }),
        'syncFailed',
      );
      expect((await filesOf(machine)).length).to.be.greaterThan(before.length);
    }
    expect(told).to.have.length(ROUNDS);
    expect([...handles].map(({ path }) => path)).to.deep.equal([]);
    expect(test.store.log.opened).to.have.length(slots);
    await expectWhole(test);
    machine.disk.crashAndRestart({ policy: 'keepAll' });
    await expectWhole(await machine.openStore());
  });

  it('is not made again by the next rounds, until another manifest is written', async () => {
    const { machine, test } = await worthMerging();
    const settings = { enabled: true, deadRatioMin: 0.2, bytesPerSecondMax: 0 };
    const host = freeMergeHost(test.store);
    let isFailing = true;
    const failing = failManifest(machine, host);
    const exclusively = (change: () => Promise<void>): Promise<void> =>
      (isFailing ? failing : host).exclusively(change);
    const { log, index } = test.store;
    const all = { ...host, exclusively };
    const maintenance = new Maintenance(test.hintDoors, log, index, settings, all, machine.logger);
    await machine.clock.until(maintenance.run());
    const left = await filesOf(machine);
    isFailing = false;
    await machine.clock.until(maintenance.run());
    expect(await filesOf(machine)).to.deep.equal(left);
    expect(maintenance.merges).to.equal(0);
    await test.roll();
    await machine.clock.until(maintenance.run());
    expect(maintenance.merges).to.be.greaterThan(0);
    await expectWhole(await test.reopen());
  });
});
