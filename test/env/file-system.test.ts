import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import type { FileHandle, FileSystem } from '../../src/env/file-system.ts';
import { ForgetfulFileSystem } from '../../src/env/forgetful-file-system.ts';
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts';
import { NodeFileSystem } from '../../src/env/node-file-system.ts';

import { CaskadeError, type ErrorCode, InvariantError } from '../../src/model/errors.ts';
import { SeededRandom } from '../support/seeded-random.ts';

interface World {
  readonly fileSystem: FileSystem;
  readonly root: string;
  remove(): Promise<void>;
}

const WORLDS: Readonly<Record<string, () => Promise<World>>> = {
  faulty: async () => {
    const { fileSystem } = new FaultyFileSystem({ random: new SeededRandom(1) });
    await fileSystem.makeDirectory('/data');
    return { fileSystem, root: '/data', remove: async () => {} };
  },
  forgetful: async () => {
    const root = await mkdtemp(join(tmpdir(), 'caskade-files-'));
    const fileSystem = new ForgetfulFileSystem(new NodeFileSystem());
    return { fileSystem, root, remove: () => rm(root, { recursive: true }) };
  },
  node: async () => {
    const root = await mkdtemp(join(tmpdir(), 'caskade-files-'));
    return { fileSystem: new NodeFileSystem(), root, remove: () => rm(root, { recursive: true }) };
  },
  memory: async () => {
    const fileSystem = new MemoryFileSystem();
    await fileSystem.makeDirectory('/data');
    return { fileSystem, root: '/data', remove: async () => {} };
  },
};

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function expectCode(action: Promise<unknown>, code: ErrorCode, ...parts: string[]): Promise<void> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(CaskadeError);
  if (!(error instanceof CaskadeError)) return;
  expect(error.code).to.equal(code);
  for (const part of parts) expect(error.message).to.contain(part);
}

async function contents(handle: FileHandle): Promise<string> {
  const target = new Uint8Array(await handle.size());
  expect(await handle.readAt(target, 0)).to.equal(target.length);
  return new TextDecoder().decode(target);
}

for (const [name, build] of Object.entries(WORLDS)) {
  describe(`the ${name} file system`, () => {
    let world: World;
    let path: string;

    beforeEach(async () => {
      world = await build();
      path = join(world.root, 'file');
    });
    afterEach(() => world.remove());

    it('reads back what was written, in chunks and across positions', async () => {
      const handle = await world.fileSystem.open(path, 'create');
      await handle.writeAt([text('hello '), text(''), text('wor'), text('ld')], 0);
      await handle.writeAt([text('W')], 6);
      await handle.sync();
      expect(await contents(handle)).to.equal('hello World');
      expect(await handle.size()).to.equal(11);
      await handle.close();
    });

    it('reads fewer bytes than asked only at the end of the file', async () => {
      const handle = await world.fileSystem.open(path, 'create');
      await handle.writeAt([text('abcdef')], 0);
      const target = new Uint8Array(4);
      expect(await handle.readAt(target, 1)).to.equal(4);
      expect(new TextDecoder().decode(target)).to.equal('bcde');
      expect(await handle.readAt(target, 4)).to.equal(2);
      expect(await handle.readAt(target, 6)).to.equal(0);
      expect(await handle.readAt(target, 100)).to.equal(0);
      await handle.close();
    });

    it('takes more chunks than one system call does, and more bytes than the small write path', async () => {
      const handle = await world.fileSystem.open(path, 'create');
      const chunks = Array.from({ length: 2500 }, (_, index) => new Uint8Array(100).fill(index % 251));
      await handle.writeAt(chunks, 10);
      const whole = new Uint8Array(await handle.size());
      await handle.readAt(whole, 0);
      expect(Buffer.compare(whole.subarray(10), Buffer.concat(chunks))).to.equal(0);
      const large = new Uint8Array(300_000).fill(7);
      await handle.writeAt([large], 5);
      await handle.readAt(whole, 0);
      expect(whole.subarray(5, 250_010).every((byte) => byte === 7)).to.equal(true);
      await handle.close();
    });

    it('shows zeros in a hole, and after a cut and a new growth', async () => {
      const handle = await world.fileSystem.open(path, 'create');
      await handle.writeAt([text('abc')], 200_000);
      const hole = new Uint8Array(10).fill(1);
      await handle.readAt(hole, 100_000);
      expect([...hole]).to.deep.equal(Array(10).fill(0));
      await handle.truncate(200_001);
      await handle.truncate(200_003);
      const tail = new Uint8Array(3);
      await handle.readAt(tail, 200_000);
      expect([...tail]).to.deep.equal([97, 0, 0]);
      await handle.close();
    });

    it('keeps to the open modes', async () => {
      await expectCode(world.fileSystem.open(path, 'read'), 'notFound', path);
      await expectCode(world.fileSystem.open(path, 'write'), 'notFound', path);
      await (await world.fileSystem.open(path, 'create')).close();
      await expectCode(world.fileSystem.open(path, 'create'), 'diskUnwritable', path, 'exists already');
      const reader = await world.fileSystem.open(path, 'read');
      await expectCode(reader.writeAt([text('x')], 0), 'diskUnwritable', path);
      await reader.close();
    });

    it('refuses a handle after its close, and closes twice', async () => {
      const handle = await world.fileSystem.open(path, 'create');
      await handle.close();
      await handle.close();
      for (const use of [handle.size(), handle.sync(), handle.writeAt([text('x')], 0), handle.truncate(0)]) {
        const error = await use.catch((reason: unknown) => reason);
        expect(error).to.be.instanceOf(InvariantError);
      }
    });

    it('lists names sorted, files and directories', async () => {
      for (const each of ['b', 'a', 'B']) {
        await (await world.fileSystem.open(join(world.root, each), 'create')).close();
      }
      await world.fileSystem.makeDirectory(join(world.root, 'deep', 'deeper'));
      expect(await world.fileSystem.list(world.root)).to.deep.equal(['B', 'a', 'b', 'deep']);
      expect(await world.fileSystem.list(join(world.root, 'deep'))).to.deep.equal(['deeper']);
      await expectCode(world.fileSystem.list(join(world.root, 'none')), 'notFound', 'none');
    });

    it('makes a directory that exists already without complaint', async () => {
      await world.fileSystem.makeDirectory(join(world.root, 'deep'));
      await world.fileSystem.makeDirectory(join(world.root, 'deep'));
      expect(await world.fileSystem.exists(join(world.root, 'deep'))).to.equal(true);
    });

    it('renames over an existing file, while handles keep the file they opened', async () => {
      const other = join(world.root, 'other');
      const first = await world.fileSystem.open(path, 'create');
      await first.writeAt([text('first')], 0);
      const second = await world.fileSystem.open(other, 'create');
      await second.writeAt([text('second')], 0);
      await world.fileSystem.rename(path, other);
      expect(await world.fileSystem.exists(path)).to.equal(false);
      const renamed = await world.fileSystem.open(other, 'read');
      expect(await contents(renamed)).to.equal('first');
      expect(await contents(second)).to.equal('second');
      for (const handle of [first, second, renamed]) await handle.close();
      await expectCode(world.fileSystem.rename(path, other), 'notFound', path, other);
    });

    it('removes files and empty directories only', async () => {
      const directory = join(world.root, 'deep');
      await world.fileSystem.makeDirectory(directory);
      const handle = await world.fileSystem.open(join(directory, 'file'), 'create');
      await expectCode(world.fileSystem.removeDirectory(directory), 'diskUnwritable', directory);
      await world.fileSystem.unlink(join(directory, 'file'));
      await handle.writeAt([text('still open')], 0);
      expect(await contents(handle)).to.equal('still open');
      await handle.close();
      await world.fileSystem.removeDirectory(directory);
      expect(await world.fileSystem.exists(directory)).to.equal(false);
      await expectCode(world.fileSystem.unlink(path), 'notFound', path);
      await expectCode(world.fileSystem.removeDirectory(directory), 'notFound', directory);
    });

    it('says whether a path exists, also below a file', async () => {
      await (await world.fileSystem.open(path, 'create')).close();
      expect(await world.fileSystem.exists(path)).to.equal(true);
      expect(await world.fileSystem.exists(join(path, 'below'))).to.equal(false);
      expect(await world.fileSystem.exists(join(world.root, 'none', 'below'))).to.equal(false);
    });

    it('syncs a directory and tells its free bytes', async () => {
      await world.fileSystem.syncDirectory(world.root);
      expect(await world.fileSystem.freeBytes(world.root)).to.be.greaterThan(0);
      await expectCode(world.fileSystem.syncDirectory(join(world.root, 'none')), 'notFound', 'none');
    });
  });
}
