import { expect } from 'chai';
import fc from 'fast-check';
import {
  decodeDocument,
  encodeDocument,
  readDocument,
  writeDocument,
} from '../../src/env/checked-document.ts';
import { replaceFile } from '../../src/env/replace-file.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { asLeaderEpoch, asNodeId, asOffset, asPartitionId } from '../../src/model/numbers.ts';
import { EpochCache } from '../../src/storage/epoch-cache.ts';
import { EMPTY_MANIFEST, type Manifest, readManifest, writeManifest } from '../../src/storage/manifest.ts';
import {
  checkPartitionMeta,
  newPartitionMeta,
  type PartitionMeta,
  readPartitionMeta,
  weakerFlushMode,
  writePartitionMeta,
} from '../../src/storage/partition-meta.ts';
import { loadGolden } from '../support/golden.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { DIRECTORY, expectCode, failureOf, readFileBytes, StoreMachine } from '../support/store-fixture.ts';

const META: PartitionMeta = {
  format: 1,
  features: [],
  engine: 'bitcask',
  partition: asPartitionId(3),
  partitionUuid: '00112233445566778899aabbccddeeff',
  directoryId: 'f0e1d2c3b4a5968778695a4b3c2d1e0f',
  nodeId: asNodeId(2),
  hashSeed: '0123456789abcdef',
  flush: 'always',
  highWatermark: 4328719373,
  logStartOffset: 0,
  createdAtMs: 1_700_000_000_000,
};
const MANIFEST: Manifest = {
  format: 1,
  nextGeneration: 5,
  removedFloor: 17,
  segments: [
    { base: asOffset(0), end: asOffset(40), generation: 4, length: 1234, state: 'merged' },
    { base: asOffset(40), end: asOffset(60), generation: 2, length: 900, state: 'sealed' },
    { base: asOffset(60), end: asOffset(60), generation: 3, length: 0, state: 'active' },
  ],
};
const EXPECTED = {
  engine: 'bitcask',
  partition: asPartitionId(3),
  nodeId: asNodeId(2),
  flush: 'always',
} as const;

async function machineWithDirectory(): Promise<StoreMachine> {
  const machine = new StoreMachine();
  await machine.fileSystem.makeDirectory(DIRECTORY);
  for (const path of ['/', '/data', '/data/partitions']) await machine.fileSystem.syncDirectory(path);
  return machine;
}

async function place(machine: StoreMachine, name: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(machine.fileSystem, `${DIRECTORY}/${name}`, bytes);
}

describe('a checked document', () => {
  const bytes = encodeDocument({ format: 1, name: 'x', later: { field: [1, 2] } });

  it('comes back as it was, fields of the future included', () => {
    expect(decodeDocument(bytes, 'X', 1)).to.deep.equal({ format: 1, name: 'x', later: { field: [1, 2] } });
  });

  it('is refused when a byte of its line is changed or missing', () => {
    const line = bytes.indexOf(10);
    for (let at = 0; at <= line; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] as number) ^ (1 << bit);
        expect(() => decodeDocument(flipped, 'X', 1), `byte ${at}, bit ${bit}`).to.throw(CaskadeError, 'X: ');
      }
    }
    for (let length = 0; length < bytes.length - 1; length += 1) {
      expect(() => decodeDocument(bytes.subarray(0, length), 'X', 1), `cut at ${length}`).to.throw(
        CaskadeError,
      );
    }
  });

  it('answers random bytes with corruptMetadata', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (random) => {
        try {
          decodeDocument(Buffer.from(random), 'X', 1);
          return false;
        } catch (error) {
          return error instanceof CaskadeError && error.code === 'corruptMetadata';
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('of a newer format is refused by name and number', async () => {
    const newer = encodeDocument({ format: 2 });
    const error = await expectCode(() => decodeDocument(newer, '/data/META', 1), 'futureFormat');
    expect(error.message).to.contain('/data/META: format 2');
    await expectCode(() => decodeDocument(encodeDocument({ format: 0.5 }), 'X', 1), 'futureFormat');
  });

  it('is null when the file is not there, and durable once written', async () => {
    const machine = await machineWithDirectory();
    const path = `${DIRECTORY}/X`;
    expect(await readDocument(machine.fileSystem, path, 1)).to.equal(null);
    await writeDocument(machine.fileSystem, path, { format: 1, value: 1 });
    machine.powerCut();
    expect(await readDocument(machine.fileSystem, path, 1)).to.deep.equal({ format: 1, value: 1 });
  });
});

describe('META', () => {
  it('is written as the golden bytes say, and understood', async () => {
    const golden = loadGolden('storage/meta.hex');
    const machine = await machineWithDirectory();
    await writePartitionMeta(machine.fileSystem, DIRECTORY, META);
    const written = await readFileBytes(machine.fileSystem, `${DIRECTORY}/META`);
    expect(written.toString()).to.equal(golden.toString());
    expect(await readPartitionMeta(machine.fileSystem, DIRECTORY)).to.deep.equal(META);
  });

  it('keeps fields it does not know over a rewrite', async () => {
    const machine = new StoreMachine();
    const first = await machine.openStore();
    await first.commit({ a: '1' });
    await first.close();
    const known = await readPartitionMeta(machine.fileSystem, DIRECTORY);
    await place(machine, 'META', encodeDocument({ ...(known as PartitionMeta), rack: { row: 7 } }));
    const store = await machine.openStore();
    await store.commit({ b: '2' });
    await store.close();
    const meta = await readDocument(machine.fileSystem, `${DIRECTORY}/META`, 1);
    expect(meta).to.deep.include({ rack: { row: 7 }, highWatermark: 2 });
  });

  it('of another engine, node or partition, or with an unknown feature, is refused', async () => {
    const refuse = (changes: object): (() => void) => {
      return () => checkPartitionMeta({ ...META, ...changes }, EXPECTED, '/dir');
    };
    checkPartitionMeta(META, EXPECTED, '/dir');
    const engine = await expectCode(refuse({ engine: 'memory' }), 'wrongEngine');
    expect(engine.message).to.contain('/dir').and.contain('storage.engine=memory').and.contain('bitcask');
    await expectCode(refuse({ nodeId: 9 }), 'foreignDirectory');
    await expectCode(refuse({ partition: 4 }), 'foreignDirectory');
    const feature = await expectCode(refuse({ features: ['swapdb'] }), 'futureFormat');
    expect(feature.message).to.contain('swapdb');
  });

  it('flush mark only ever gets weaker (R6)', async () => {
    const modes = ['always', 'interval', 'os'] as const;
    for (const [left, a] of modes.entries()) {
      for (const [right, b] of modes.entries())
        expect(weakerFlushMode(a, b)).to.equal(modes[Math.max(left, right)]);
    }
    const machine = new StoreMachine();
    const strong = await machine.openStore();
    expect(strong.store.meta.flush).to.equal('always');
    const weak = await strong.reopen({ flush: 'interval' });
    expect(weak.store.meta.flush).to.equal('interval');
    expect((await weak.reopen()).store.meta.flush).to.equal('interval');
  });

  it('of a new directory draws its ids from chance', () => {
    const one = newPartitionMeta(EXPECTED, META.partitionUuid, new SeededRandom(1), 5);
    const two = newPartitionMeta(EXPECTED, META.partitionUuid, new SeededRandom(2), 5);
    expect(one.directoryId)
      .to.match(/^[0-9a-f]{32}$/)
      .and.not.equal(two.directoryId);
    expect(one.hashSeed)
      .to.match(/^[0-9a-f]{16}$/)
      .and.not.equal(two.hashSeed);
    expect(one).to.deep.include({ format: 1, highWatermark: 0, createdAtMs: 5, flush: 'always' });
  });

  it('missing beside other files refuses the directory', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await store.close();
    await machine.fileSystem.unlink(`${DIRECTORY}/META`);
    const error = await expectCode(() => machine.openStore(), 'corruptMetadata');
    expect(error.message).to.contain('META is missing');
  });
});

describe('MANIFEST', () => {
  it('is written as the golden bytes say, and understood', async () => {
    const golden = loadGolden('storage/manifest.hex');
    const machine = await machineWithDirectory();
    await writeManifest(machine.fileSystem, DIRECTORY, MANIFEST);
    expect((await readFileBytes(machine.fileSystem, `${DIRECTORY}/MANIFEST`)).toString()).to.equal(
      golden.toString(),
    );
    expect(await readManifest(machine.fileSystem, DIRECTORY)).to.deep.equal(MANIFEST);
  });

  const [merged, sealed, active] = MANIFEST.segments as [
    Manifest['segments'][0],
    Manifest['segments'][0],
    Manifest['segments'][0],
  ];
  const faults: Record<string, readonly Manifest['segments'][0][]> = {
    'no segment': [],
    'a gap between segments': [merged, { ...sealed, base: asOffset(41) }, active],
    'an overlap': [merged, { ...sealed, base: asOffset(39) }, active],
    'no active segment': [merged, sealed],
    'an active segment that is not the last': [merged, { ...sealed, state: 'active' }, active],
    'a segment that ends before it begins': [merged, { ...sealed, end: asOffset(39) }, active],
    'a generation of the future': [merged, { ...sealed, generation: 5 }, active],
  };
  for (const [name, segments] of Object.entries(faults)) {
    it(`with ${name} is neither read nor written`, async () => {
      const machine = await machineWithDirectory();
      const bad = { ...MANIFEST, segments };
      await expectCode(() => writeManifest(machine.fileSystem, DIRECTORY, bad), 'corruptMetadata');
      expect(await machine.fileSystem.exists(`${DIRECTORY}/MANIFEST`)).to.equal(false);
      await place(machine, 'MANIFEST', encodeDocument({ ...bad }));
      const error = await expectCode(() => readManifest(machine.fileSystem, DIRECTORY), 'corruptMetadata');
      expect(error.message).to.contain(`${DIRECTORY}/MANIFEST: `);
    });
  }

  it('that is not there is null; the empty one is never written', async () => {
    const machine = await machineWithDirectory();
    expect(await readManifest(machine.fileSystem, DIRECTORY)).to.equal(null);
    await failureOf(() => writeManifest(machine.fileSystem, DIRECTORY, EMPTY_MANIFEST));
  });

  it('missing in a directory that was in use refuses it', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await store.commit({ a: '1' });
    await store.close();
    await machine.fileSystem.unlink(`${DIRECTORY}/MANIFEST`);
    await expectCode(() => machine.openStore(), 'corruptMetadata');
  });
});

describe('EPOCHS, the epoch cache', () => {
  const epoch = asLeaderEpoch;
  const offset = asOffset;

  it('is written as the golden bytes say', async () => {
    const machine = await machineWithDirectory();
    const cache = await EpochCache.open(machine.fileSystem, DIRECTORY);
    await cache.begin(epoch(1), offset(0));
    await cache.begin(epoch(2), offset(17));
    await cache.begin(epoch(5), offset(17));
    const written = await readFileBytes(machine.fileSystem, `${DIRECTORY}/EPOCHS`);
    expect(written.toString()).to.equal(loadGolden('storage/epochs.hex').toString());
  });

  it('strictly grows in epoch and never shrinks in offset (I2)', async () => {
    const machine = await machineWithDirectory();
    const cache = await EpochCache.open(machine.fileSystem, DIRECTORY);
    await cache.begin(epoch(3), offset(10));
    for (const [e, start] of [
      [3, 10],
      [3, 11],
      [2, 12],
      [4, 9],
    ] as const) {
      await expectCode(() => cache.begin(epoch(e), offset(start)), 'corruptMetadata');
    }
    expect(cache.entries).to.deep.equal([{ epoch: 3, startOffset: 10 }]);
    await place(
      machine,
      'EPOCHS',
      encodeDocument({
        format: 1,
        entries: [
          [1, 5],
          [2, 4],
        ],
      }),
    );
    const error = await expectCode(() => EpochCache.open(machine.fileSystem, DIRECTORY), 'corruptMetadata');
    expect(error.message).to.contain('epoch 2 does not follow 1');
  });

  it('ends an epoch where the next one begins, the latest at the log end (2.6 step 2)', async () => {
    const machine = await machineWithDirectory();
    await place(machine, 'EPOCHS', loadGolden('storage/epochs.hex'));
    const cache = await EpochCache.open(machine.fileSystem, DIRECTORY);
    const ends = [0, 1, 2, 3, 4, 5, 6].map((asked) => {
      const { epoch: found, endOffset } = cache.endOf(epoch(asked), offset(30));
      return [asked, found, endOffset];
    });
    expect(ends).to.deep.equal([
      [0, 0, 0],
      [1, 1, 17],
      [2, 2, 17],
      [3, 2, 17],
      [4, 2, 17],
      [5, 5, 30],
      [6, 5, 30],
    ]);
  });

  it('without entries answers with the epoch asked for and the log end', async () => {
    const machine = await machineWithDirectory();
    const cache = await EpochCache.open(machine.fileSystem, DIRECTORY);
    expect(cache.endOf(epoch(4), offset(12))).to.deep.equal({ epoch: 4, endOffset: 12 });
  });

  it('agrees with a model of the rule', async () => {
    const machine = await machineWithDirectory();
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(3)), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(20), async (grown, asked) => {
        const entries: [number, number][] = [];
        for (const [more, records] of grown) {
          const [lastEpoch, lastStart] = entries.at(-1) ?? [0, 0];
          entries.push([lastEpoch + more, lastStart + records]);
        }
        await place(machine, 'EPOCHS', encodeDocument({ format: 1, entries }));
        const cache = await EpochCache.open(machine.fileSystem, DIRECTORY);
        const end = cache.endOf(epoch(asked), offset(100));
        const known = entries.filter(([e]) => e <= asked);
        const next = entries.find(([e]) => e > asked);
        expect(end).to.deep.equal({ epoch: known.at(-1)?.[0] ?? asked, endOffset: next?.[1] ?? 100 });
      }),
      { numRuns: 100 },
    );
  });

  it('is durable before begin resolves (KAFKA-7415), and unchanged if it fails', async () => {
    const machine = await machineWithDirectory();
    const cache = await EpochCache.open(machine.fileSystem, DIRECTORY);
    await cache.begin(epoch(1), offset(0));
    machine.powerCut();
    const after = await EpochCache.open(machine.fileSystem, DIRECTORY);
    expect(after.latest).to.deep.equal({ epoch: 1, startOffset: 0 });
    machine.disk.arm({ operation: 'sync', path: 'EPOCHS' });
    await expectCode(() => after.begin(epoch(2), offset(8)), 'syncFailed');
    expect(after.latest?.epoch).to.equal(1);
    machine.powerCut();
    expect((await EpochCache.open(machine.fileSystem, DIRECTORY)).latest?.epoch).to.equal(1);
  });

  it('decides the log end of a restart when it began above the last record', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await store.commit({ a: '1' });
    await store.store.epochs.begin(epoch(50), offset(9));
    await store.close();
    expect((await machine.openStore()).store.logEndOffset).to.equal(9);
  });
});
