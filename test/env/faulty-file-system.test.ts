import { expect } from 'chai';
import { FaultyFileSystem, SimulatedCrash } from '../../src/env/faulty-file-system.ts';
import type { FileSystem } from '../../src/env/file-system.ts';
import type { SurvivalPolicy } from '../../src/env/simulated-file.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { bytesOf, diskWithFile, expectCrash, failure, filled, PATH } from './empty-disk.ts';

const POLICIES: readonly SurvivalPolicy[] = ['loseAll', 'keepAll', 'random'];
const ROUNDS = 200;

/** One workload with all kinds of operations; stops at the crash. */
async function workload(fileSystem: FileSystem): Promise<void> {
  await fileSystem.makeDirectory('/data');
  await fileSystem.syncDirectory('/');
  const handle = await fileSystem.open(PATH, 'create');
  await fileSystem.syncDirectory('/data');
  for (let index = 0; index < 5; index += 1) {
    await handle.writeAt([filled(700, index + 1), filled(300, index + 11)], index * 1000);
    if (index % 2 === 0) await handle.sync();
  }
  await handle.truncate(4200);
  await fileSystem.rename(PATH, '/data/old');
  await (await fileSystem.open(PATH, 'create')).writeAt([filled(2000, 99)], 0);
  await fileSystem.syncDirectory('/data');
  await fileSystem.unlink('/data/old');
}

async function dump(fileSystem: FileSystem): Promise<string> {
  if (!(await fileSystem.exists('/data'))) return 'nothing';
  const lines: string[] = [];
  for (const name of await fileSystem.list('/data')) {
    lines.push(`${name} ${Buffer.from(await bytesOf(fileSystem, `/data/${name}`)).toString('hex')}`);
  }
  return lines.join('\n');
}

describe('a crash of the simulated disk', () => {
  for (const policy of POLICIES) {
    it(`keeps what was synced (${policy})`, async () => {
      for (let seed = 0; seed < ROUNDS; seed += 1) {
        const { disk, handle } = await diskWithFile(seed);
        await handle.writeAt([filled(5000, 7)], 0);
        await handle.sync();
        await handle.writeAt([filled(5000, 8)], 5000);
        const bytes = await bytesOf(disk.crashAndRestart({ policy }), PATH);
        expect(bytes.length, `seed ${seed}`).to.be.within(5000, 10_000);
        expect(bytes.subarray(0, 5000), `seed ${seed}`).to.deep.equal(filled(5000, 7));
      }
    });
  }

  it('loses all that was not synced, if so told', async () => {
    const { disk, handle } = await diskWithFile(1);
    await handle.writeAt([filled(100, 1)], 0);
    await handle.sync();
    await handle.writeAt([filled(300, 2)], 0);
    await handle.truncate(50);
    await (await disk.fileSystem.open('/data/other', 'create')).sync();
    const fileSystem = disk.crashAndRestart({ policy: 'loseAll' });
    expect(await fileSystem.list('/data')).to.deep.equal(['log']);
    expect(await bytesOf(fileSystem, PATH)).to.deep.equal(filled(100, 1));
  });

  it('keeps all that was written when only the process dies', async () => {
    const { disk, handle } = await diskWithFile(1);
    await handle.writeAt([filled(300, 2)], 0);
    await disk.fileSystem.rename(PATH, '/data/renamed');
    const fileSystem = disk.crashAndRestart({ policy: 'keepAll' });
    expect(await fileSystem.list('/data')).to.deep.equal(['renamed']);
    expect(await bytesOf(fileSystem, '/data/renamed')).to.deep.equal(filled(300, 2));
  });

  it('leaves unsynced what was not synced when only the process dies: a power cut takes it lives later', async () => {
    const { disk, handle } = await diskWithFile(1);
    await handle.writeAt([filled(300, 1)], 0);
    await handle.sync();
    await handle.writeAt([filled(300, 2)], 100);
    await disk.fileSystem.rename(PATH, '/data/renamed');
    disk.crashAndRestart({ policy: 'keepAll' });
    const next = disk.crashAndRestart({ policy: 'keepAll' });
    expect((await bytesOf(next, '/data/renamed')).length).to.equal(400);
    const last = disk.crashAndRestart({ policy: 'loseAll' });
    expect(await last.list('/data')).to.deep.equal(['log']);
    expect(await bytesOf(last, PATH)).to.deep.equal(filled(300, 1));
  });

  it('lets a later life sync what an earlier one wrote', async () => {
    const { disk, handle } = await diskWithFile(1);
    await handle.writeAt([filled(300, 1)], 0);
    await disk.fileSystem.rename(PATH, '/data/renamed');
    const next = disk.crashAndRestart({ policy: 'keepAll' });
    await (await next.open('/data/renamed', 'read')).sync();
    await next.syncDirectory('/data');
    const last = disk.crashAndRestart({ policy: 'loseAll' });
    expect(await last.list('/data')).to.deep.equal(['renamed']);
    expect(await bytesOf(last, '/data/renamed')).to.deep.equal(filled(300, 1));
  });

  it('has synced nothing by a sync whose process died under way, and may have done its write', async () => {
    const clock = new SimulatedClock();
    const disk = new FaultyFileSystem({ random: new SeededRandom(1), clock });
    const handle = await disk.fileSystem.open('/log', 'create');
    await disk.fileSystem.syncDirectory('/');
    await handle.writeAt([filled(10, 1)], 0);
    disk.slow({ syncMs: 20 });
    const sync = failure(handle.sync());
    disk.crash({ policy: 'keepAll' });
    await clock.advance(20);
    expect(await sync).to.be.instanceOf(SimulatedCrash);
    expect((await bytesOf(disk.restart(), '/log')).length).to.equal(10);
    expect((await bytesOf(disk.crashAndRestart({ policy: 'loseAll' }), '/log')).length).to.equal(0);
  });

  it('keeps or loses each unsynced sector by itself, and tears one of the last write', async () => {
    const seen = { none: 0, all: 0, hole: 0, torn: 0 };
    for (let seed = 0; seed < ROUNDS; seed += 1) {
      const { disk, handle } = await diskWithFile(seed);
      await handle.writeAt([filled(4096, 1)], 0);
      await handle.sync();
      await handle.writeAt([filled(4096, 2)], 0);
      const bytes = await bytesOf(disk.crashAndRestart(), PATH);
      const sectors = Array.from(
        { length: 8 },
        (_, index) => new Set(bytes.subarray(index * 512, index * 512 + 512)),
      );
      const mixed = sectors.filter((sector) => sector.size === 2).length;
      expect(mixed, `seed ${seed}`).to.be.at.most(1);
      expect([...new Set(bytes)].every((byte) => byte === 1 || byte === 2)).to.equal(true);
      const first = sectors.map((sector) => (sector.has(2) ? 2 : 1)).join('');
      if (mixed === 1) seen.torn += 1;
      else if (first === '11111111') seen.none += 1;
      else if (first === '22222222') seen.all += 1;
      if (/1+2/.test(first)) seen.hole += 1;
    }
    for (const count of Object.values(seen)) expect(count).to.be.greaterThan(5);
  });

  it('leaves a length between the durable one and the last, and zeros where a sector is missing', async () => {
    const lengths = new Set<number>();
    let zeroSeen = false;
    for (let seed = 0; seed < ROUNDS; seed += 1) {
      const { disk, handle } = await diskWithFile(seed);
      for (let index = 0; index < 4; index += 1) await handle.writeAt([filled(1000, 9)], index * 1000);
      const bytes = await bytesOf(disk.crashAndRestart(), PATH);
      lengths.add(bytes.length);
      zeroSeen ||= bytes.includes(0);
      expect(bytes.every((byte) => byte === 0 || byte === 9)).to.equal(true);
    }
    expect([...lengths].sort((a, b) => a - b)).to.deep.equal([0, 1000, 2000, 3000, 4000]);
    expect(zeroSeen).to.equal(true);
  });

  it('never shows bytes written behind a cut that was itself lost', async () => {
    let cutLost = 0;
    for (let seed = 0; seed < ROUNDS; seed += 1) {
      const { disk, handle } = await diskWithFile(seed);
      await handle.writeAt([filled(2048, 1)], 0);
      await handle.sync();
      await handle.truncate(512);
      await handle.writeAt([filled(1024, 2)], 512);
      const bytes = await bytesOf(disk.crashAndRestart(), PATH);
      expect(bytes.subarray(0, 512)).to.deep.equal(filled(512, 1));
      if (bytes.length !== 2048) continue;
      cutLost += 1;
      expect(bytes, `seed ${seed}`).to.deep.equal(filled(2048, 1));
    }
    expect(cutLost).to.be.greaterThan(10);
  });

  it('keeps a prefix of the changes of names of one directory', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < ROUNDS; seed += 1) {
      const { disk } = await diskWithFile(seed);
      await (await disk.fileSystem.open('/data/new', 'create')).close();
      await disk.fileSystem.rename('/data/new', PATH);
      await (await disk.fileSystem.open('/data/last', 'create')).close();
      await disk.fileSystem.unlink(PATH);
      seen.add((await disk.crashAndRestart().list('/data')).join());
    }
    expect([...seen].sort()).to.deep.equal(['last', 'last,log', 'log', 'log,new']);
  });

  it('keeps names once their directory was synced, and not because the file was', async () => {
    for (let seed = 0; seed < ROUNDS; seed += 1) {
      const { disk } = await diskWithFile(seed);
      await (await disk.fileSystem.open('/data/a', 'create')).close();
      await disk.fileSystem.syncDirectory('/data');
      await disk.fileSystem.unlink('/data/a');
      const left = await disk.crashAndRestart({ policy: 'loseAll' }).list('/data');
      expect(left).to.deep.equal(['a', 'log']);
    }
  });

  it('moves a file between directories wholly or not at all', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < ROUNDS; seed += 1) {
      const { disk } = await diskWithFile(seed);
      await disk.fileSystem.makeDirectory('/data/deep');
      await disk.fileSystem.syncDirectory('/data');
      await (await disk.fileSystem.open('/data/deep/x', 'create')).close();
      await disk.fileSystem.rename(PATH, '/data/deep/log');
      await (await disk.fileSystem.open('/data/deep/y', 'create')).close();
      if (seed % 2 === 0) await disk.fileSystem.syncDirectory('/data');
      const fileSystem = disk.crashAndRestart();
      const names = [await fileSystem.list('/data'), await fileSystem.list('/data/deep')].join('|');
      if (seed % 2 === 0) expect(names).to.be.oneOf(['deep|log,x', 'deep|log,x,y']);
      else seen.add(names);
    }
    expect([...seen].sort()).to.deep.equal(['deep,log|', 'deep,log|x', 'deep|log,x', 'deep|log,x,y']);
  });

  it('does not count a write as synced that was still under way when the sync began', async () => {
    const { disk, handle } = await diskWithFile(1);
    const write = handle.writeAt([filled(10, 1)], 0);
    const sync = handle.sync();
    await Promise.all([write, sync]);
    expect(await bytesOf(disk.crashAndRestart({ policy: 'loseAll' }), PATH)).to.deep.equal(new Uint8Array(0));
  });

  it('ends every handle and view of the life before', async () => {
    const { disk, handle } = await diskWithFile(1);
    const view = disk.fileSystem;
    disk.crash();
    expect(disk.isCrashed).to.equal(true);
    await expectCrash(handle.size());
    const next = disk.restart();
    for (const use of [handle.sync(), handle.readAt(filled(1, 0), 0), handle.writeAt([filled(1, 1)], 0)]) {
      await expectCrash(use);
    }
    await expectCrash(view.list('/data'));
    expect(await next.list('/data')).to.deep.equal(['log']);
  });

  it('is decided by the seed alone', async () => {
    const run = async (seed: number): Promise<string> => {
      const disk = new FaultyFileSystem({ random: new SeededRandom(seed) });
      await workload(disk.fileSystem);
      return dump(disk.crashAndRestart());
    };
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 50; seed += 1) {
      const outcome = await run(seed);
      expect(await run(seed)).to.equal(outcome);
      outcomes.add(outcome);
    }
    expect(outcomes.size).to.be.greaterThan(10);
  });
});

describe('the crash points of the simulated disk', () => {
  it('visit every operation, before, partly and after', async () => {
    const clean = new FaultyFileSystem({ random: new SeededRandom(1) });
    await workload(clean.fileSystem);
    const count = clean.operationCount;
    expect(count).to.equal(18);
    for (const progress of ['before', 'partly', 'after'] as const) {
      for (let point = 1; point <= count; point += 1) {
        const disk = new FaultyFileSystem({ random: new SeededRandom(point) });
        disk.failAtOperation(point, { progress, policy: 'loseAll' });
        await expectCrash(workload(disk.fileSystem));
        expect(disk.operationCount).to.equal(point);
        await dump(disk.restart());
      }
    }
  });

  it('do a sync or not, whether or not the caller learns of it', async () => {
    for (const [progress, length] of [
      ['before', 0],
      ['after', 100],
    ] as const) {
      const { disk, handle } = await diskWithFile(1);
      await handle.writeAt([filled(100, 1)], 0);
      disk.failAtOperation(1, { progress, policy: 'loseAll' });
      await expectCrash(handle.sync());
      expect((await bytesOf(disk.restart(), PATH)).length).to.equal(length);
    }
  });

  it('tear the write they hit', async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 20; seed += 1) {
      const { disk, handle } = await diskWithFile(seed);
      disk.failAtOperation(1, { progress: 'partly', policy: 'loseAll' });
      await expectCrash(handle.writeAt([filled(100, 1)], 0));
      const bytes = await bytesOf(disk.restart(), PATH);
      expect(bytes.every((byte) => byte === 1)).to.equal(true);
      lengths.add(bytes.length);
    }
    expect(lengths.size).to.be.greaterThan(5);
  });

  it('leave a part of the write they hit to the next life when only the process dies, also once that life has synced', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const { disk, handle } = await diskWithFile(seed);
      await handle.writeAt([filled(100, 1)], 0);
      disk.failAtOperation(1, { progress: 'partly', policy: 'keepAll' });
      await expectCrash(handle.writeAt([filled(80, 2)], 10));
      const next = disk.restart();
      const cached = await bytesOf(next, PATH);
      await (await next.open(PATH, 'write')).sync();
      const durable = await bytesOf(disk.crashAndRestart({ policy: 'loseAll' }), PATH);
      expect(durable, `seed ${seed}`).to.deep.equal(cached);
    }
  });

  it('crash also where the operation itself is refused', async () => {
    const { disk } = await diskWithFile(1);
    disk.failAtOperation(1, { progress: 'after' });
    await expectCrash(disk.fileSystem.rename('/data/none', PATH));
    expect(await disk.restart().list('/data')).to.deep.equal(['log']);
  });
});

describe('the trace of the simulated disk', () => {
  it('orders writes, syncs and the events of the test', async () => {
    const { disk, handle } = await diskWithFile(1);
    disk.trace.clear();
    await handle.writeAt([filled(10, 1), filled(2, 1)], 4);
    await handle.sync();
    disk.trace.note('reply');
    await handle.truncate(3);
    await disk.fileSystem.rename(PATH, '/data/x');
    expect(disk.trace.lines()).to.deep.equal([
      'write /data/log 4 12',
      'sync /data/log',
      'note reply',
      'truncate /data/log 3',
      'rename /data/log /data/x',
    ]);
    const [write, sync, note] = disk.trace.operations;
    expect(write?.endedAt).to.be.lessThan(sync?.startedAt ?? -1);
    expect(sync?.endedAt).to.be.lessThan(note?.startedAt ?? -1);
  });

  it('does not count an operation as ended that failed', async () => {
    const { disk, handle } = await diskWithFile(1);
    disk.trace.clear();
    disk.arm({ operation: 'sync' });
    await failure(handle.sync());
    expect(disk.trace.operations.map((each) => [each.kind, each.endedAt])).to.deep.equal([
      ['sync', undefined],
    ]);
    expect(disk.trace.lines()).to.deep.equal([]);
  });
});
