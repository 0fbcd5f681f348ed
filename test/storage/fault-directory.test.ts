import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { type CheckedDocument, encodeDocument, readDocument } from '../../src/env/checked-document.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { NodeFileSystem } from '../../src/env/node-file-system.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { CaskadeError, type ErrorCode } from '../../src/model/errors.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';
import { type StoreServer, startStoreServer } from '../../src/server/store-server.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { NodeClient } from '../support/node-client.ts';
import { configOf, NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';

const VALUE = 'v'.repeat(1000);
const NODE = '/data/NODE';
const inPartition = (name: string): string => join(PARTITION_DIRECTORY, name);

/** Eight keys over several segments, closed in order, so that every kind of file is there. */
async function filled(): Promise<NodeMachine> {
  const machine = new NodeMachine();
  const node = await machine.open();
  const client = new NodeClient(machine, node);
  for (let index = 0; index < 8; index += 1) await client.set(`key${index}`, VALUE);
  await machine.clock.settle();
  await machine.clock.until(node.close());
  machine.nextProcess();
  return machine;
}

async function failureOf(start: () => Promise<unknown>): Promise<CaskadeError> {
  let failure: unknown = null;
  try {
    await start();
  } catch (error) {
    failure = error;
  }
  expect(failure).to.be.instanceOf(CaskadeError);
  return failure as CaskadeError;
}

async function refused(
  machine: NodeMachine,
  code: ErrorCode,
  words: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const error = await failureOf(() => machine.open(settings));
  expect(error.code, error.message).to.equal(code);
  expect(error.row.exitCode).to.equal(
    code === 'configurationInvalid' ? ExitCode.configuration : ExitCode.storage,
  );
  expect(error.message).to.not.contain('\n');
  for (const word of words) expect(error.message).to.contain(word);
  machine.nextProcess();
}

async function replaceBytes(machine: NodeMachine, path: string, bytes: Uint8Array): Promise<void> {
  const { fileSystem } = machine;
  await fileSystem.unlink(path);
  const handle = await fileSystem.open(path, 'create');
  await handle.writeAt([bytes], 0);
  await handle.sync();
  await handle.close();
}

async function bytesOf(machine: NodeMachine, path: string): Promise<Buffer> {
  const handle = await machine.fileSystem.open(path, 'read');
  const bytes = Buffer.alloc(await handle.size());
  await handle.readAt(bytes, 0);
  await handle.close();
  return bytes;
}

/** Rewrites a checked document with other fields, its checksum right. */
async function edit(machine: NodeMachine, path: string, fields: Record<string, unknown>): Promise<void> {
  const document = (await readDocument(machine.fileSystem, path, 1)) as CheckedDocument;
  await replaceBytes(machine, path, encodeDocument({ ...document, ...fields }));
}

async function firstSegment(machine: NodeMachine): Promise<string> {
  return inPartition((await machine.segmentFiles())[0] as string);
}

describe('a directory of another engine or node', () => {
  it('is refused by engine, in NODE and in META', async () => {
    const machine = await filled();
    await refused(machine, 'wrongEngine', ['storage.engine=bitcask', 'memory'], {
      'storage.engine': 'memory',
    });
    await edit(machine, inPartition('META'), { engine: 'lmdb' });
    await refused(machine, 'wrongEngine', [PARTITION_DIRECTORY, 'storage.engine=lmdb', 'bitcask']);
  });

  it('is refused by node id, cluster id and partition', async () => {
    const machine = await filled();
    await refused(machine, 'foreignDirectory', ['node 1', 'node.id is 2'], { 'node.id': '2' });
    await refused(machine, 'foreignDirectory', ['cluster.id is other'], { 'cluster.id': 'other' });
    await edit(machine, inPartition('META'), { partition: 5 });
    await refused(machine, 'foreignDirectory', ['partition 5', 'partition 0']);
  });

  it('is refused when a segment file was put there from elsewhere', async () => {
    const machine = await filled();
    const other = new NodeMachine({ seed: 99 });
    const client = await NodeClient.open(other);
    for (let index = 0; index < 8; index += 1) await client.set(`key${index}`, VALUE);
    const path = await firstSegment(machine);
    await replaceBytes(machine, path, await bytesOf(other, path));
    await refused(machine, 'foreignDirectory', [path]);
  });

  it('is refused when the cluster facts differ, as a fault of the configuration', async () => {
    const machine = await filled();
    await refused(machine, 'configurationInvalid', ['cluster.partitions', '3', '1'], {
      'cluster.partitions': '3',
    });
  });
});

describe('a directory of the future', () => {
  it('is refused by the format number of each document, naming the file', async () => {
    for (const path of [NODE, '/data/CLEAN', ...['META', 'MANIFEST', 'EPOCHS'].map(inPartition)]) {
      const machine = await filled();
      await edit(machine, path, { format: 2 });
      await refused(machine, 'futureFormat', [path, 'format 2', 'newer']);
    }
  });

  it('is refused by a feature that META names', async () => {
    const machine = await filled();
    await edit(machine, inPartition('META'), { features: ['columns'] });
    await refused(machine, 'futureFormat', [PARTITION_DIRECTORY, 'columns']);
  });

  it('is refused by the version and the must-understand flags of a segment header, naming the file', async () => {
    for (const [at, value] of [
      [8, 2],
      [15, 1],
    ] as const) {
      const machine = await filled();
      const path = await firstSegment(machine);
      const bytes = await bytesOf(machine, path);
      bytes[at] = value;
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 92);
      await replaceBytes(machine, path, bytes);
      await refused(machine, 'futureFormat', [path]);
    }
  });

  it('that is only a hint of the future is no obstacle: the data is read', async () => {
    const machine = await filled();
    const path = (await firstSegment(machine)).replace(/\.log$/, '.hint');
    const bytes = await bytesOf(machine, path);
    bytes[8] = 2;
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
    await replaceBytes(machine, path, bytes);
    const node = await machine.open();
    expect(node.reports[0]?.badHints).to.equal(1);
    expect(await new NodeClient(machine, node).value('key0')).to.equal(VALUE);
  });

  it('keeps fields that this version does not know when documents are rewritten', async () => {
    const machine = await filled();
    for (const path of [NODE, inPartition('META'), inPartition('MANIFEST')]) {
      await edit(machine, path, { invented: 'later' });
    }
    const node = await machine.open();
    const client = new NodeClient(machine, node);
    for (let index = 0; index < 8; index += 1) await client.set(`key${index}`, VALUE);
    await machine.clock.until(node.close());
    for (const path of [NODE, inPartition('META'), inPartition('MANIFEST')]) {
      expect((await readDocument(machine.fileSystem, path, 1))?.invented, path).to.equal('later');
    }
  });
});

describe('a directory with a file missing', () => {
  for (const name of ['META', 'MANIFEST', 'EPOCHS']) {
    it(`${name}: is refused, naming it, and nothing is deleted`, async () => {
      const machine = await filled();
      await machine.fileSystem.unlink(inPartition(name));
      const before = await machine.files();
      await refused(machine, 'corruptMetadata', [inPartition(name), 'missing']);
      expect(await machine.files()).to.deep.equal(before);
    });
  }

  it('NODE: is refused, naming it', async () => {
    const machine = await filled();
    await machine.fileSystem.unlink(NODE);
    await refused(machine, 'corruptMetadata', [NODE, 'missing']);
  });

  it('a sealed or the active segment: is refused, naming it', async () => {
    for (const index of [0, -1]) {
      const machine = await filled();
      const path = inPartition((await machine.segmentFiles()).at(index) as string);
      await machine.fileSystem.unlink(path);
      await refused(machine, 'corruptSegment', [path, 'missing']);
    }
  });

  it('a hint: is no obstacle', async () => {
    const machine = await filled();
    for (const name of await machine.files()) {
      if (name.endsWith('.hint')) await machine.fileSystem.unlink(inPartition(name));
    }
    const node = await machine.open();
    expect(node.reports[0]?.fromHints).to.equal(0);
    expect(await new NodeClient(machine, node).value('key0')).to.equal(VALUE);
  });

  it('a sealed segment cut short: is refused, naming both lengths', async () => {
    const machine = await filled();
    const path = await firstSegment(machine);
    const bytes = await bytesOf(machine, path);
    await replaceBytes(machine, path, bytes.subarray(0, bytes.length - 1));
    await refused(machine, 'corruptSegment', [path, String(bytes.length), String(bytes.length - 1)]);
  });
});

describe('a server on a real directory', () => {
  let directory = '';
  const running: StoreServer[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-fault-'));
  });

  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    chmodSync(directory, 0o700);
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(data = directory): Promise<StoreServer> {
    const config = configOf({ 'data.dir': data, 'resp.port': '0' });
    const doors = {
      fileSystem: new NodeFileSystem(),
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: new CollectingLogger(),
    };
    const server = await startStoreServer(config, { configFile: '', warnings: [] }, doors, () => {});
    running.push(server);
    return server;
  }

  it('that another process holds is refused with exit code 5 and who holds it, and the first goes on', async () => {
    const first = await start();
    const error = await failureOf(() => start());
    expect(error.code).to.equal('directoryLocked');
    expect(error.row.exitCode).to.equal(ExitCode.storage);
    expect(error.message).to.contain(directory).and.contain(String(process.pid));
    expect(first.node.partitions[0]?.writeRefusal()).to.equal(null);
    await running.splice(0)[0]?.stop();
    await start();
  });

  it('of a member of a cluster is refused', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'STATE'), '');
    const error = await failureOf(() => start());
    expect(error.code).to.equal('foreignDirectory');
    expect(error.message).to.contain('member of a cluster').and.contain(directory);
  });

  it('that is a file is refused with exit code 5', async () => {
    const path = join(directory, 'file');
    writeFileSync(path, 'not a directory');
    const error = await failureOf(() => start(path));
    expect(error.row.exitCode).to.equal(ExitCode.storage);
    expect(error.message).to.contain(path);
  });

  it('whose partition directory is a file is refused with exit code 5, and the lock is released', async () => {
    mkdirSync(directory, { recursive: true });
    await start();
    await running.splice(0)[0]?.stop();
    rmSync(join(directory, 'partitions'), { recursive: true });
    writeFileSync(join(directory, 'partitions'), '');
    const error = await failureOf(() => start());
    expect(error.row.exitCode).to.equal(ExitCode.storage);
    expect(error.message).to.contain(join(directory, 'partitions'));
    rmSync(join(directory, 'partitions'));
  });
});
