import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { diskError, PosixError, syncError } from '../../src/env/disk-errors.ts';
import { NodeFileSystem } from '../../src/env/node-file-system.ts';
import { replaceFile } from '../../src/env/replace-file.ts';
import { CaskadeError, type ErrorCode } from '../../src/model/errors.ts';

const SMALL = new Uint8Array(100);
const LARGE = new Uint8Array(100_000);

async function failure(action: Promise<unknown>): Promise<CaskadeError> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(CaskadeError);
  return error as CaskadeError;
}

describe('the faults of a real disk', () => {
  const fileSystem = new NodeFileSystem();
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'caskade-disk-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('are named: a full disk, for small and large, single and gathered writes', async () => {
    const path = join(directory, 'full');
    await symlink('/dev/full', path);
    const handle = await fileSystem.open(path, 'write');
    for (const chunks of [[SMALL], [SMALL, SMALL], [LARGE], [LARGE, LARGE]]) {
      const error = await failure(handle.writeAt(chunks, 0));
      expect(error.code).to.equal('diskFull');
      expect(error.message).to.contain('write').and.to.contain(path).and.to.contain('ENOSPC');
    }
    await handle.close();
  });

  it('a failed sync is final for the handle, whatever its errno', async () => {
    const path = join(directory, 'null');
    await symlink('/dev/null', path);
    const handle = await fileSystem.open(path, 'write');
    const first = await failure(handle.sync());
    expect(first.code).to.equal('syncFailed');
    expect(first.message).to.contain(path).and.to.contain('EINVAL');
    for (const use of [
      handle.sync(),
      handle.writeAt([SMALL], 0),
      handle.writeAt([LARGE], 0),
      handle.truncate(0),
    ]) {
      const error = await failure(use);
      expect(error.code).to.equal('syncFailed');
      expect(error.message).to.contain('earlier sync');
      expect(error.cause).to.equal(first);
    }
    await handle.close();
  });

  it('a directory where a file is needed, and the other way round', async () => {
    expect((await failure(fileSystem.open(directory, 'write'))).code).to.equal('diskUnwritable');
    const path = join(directory, 'file');
    await writeFile(path, 'x');
    expect((await failure(fileSystem.list(path))).code).to.equal('diskUnwritable');
    expect((await failure(fileSystem.open(join(path, 'below'), 'create'))).code).to.equal('diskUnwritable');
    expect((await failure(fileSystem.freeBytes(join(directory, 'none')))).code).to.equal('notFound');
  });

  it('writes files that others on the machine cannot read', async () => {
    const path = join(directory, 'deep', 'file');
    await fileSystem.makeDirectory(join(directory, 'deep'));
    await (await fileSystem.open(path, 'create')).close();
    expect((await stat(path)).mode & 0o007).to.equal(0);
    expect((await stat(join(directory, 'deep'))).mode & 0o007).to.equal(0);
  });

  it('writes a secret that nobody but its owner can read, replaced or not', async () => {
    const path = join(directory, 'secret');
    await replaceFile(fileSystem, path, Buffer.from('one'), undefined, 'owner');
    await replaceFile(fileSystem, path, Buffer.from('two'), undefined, 'owner');
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });
});

describe('the error of a disk', () => {
  const CASES: Readonly<Record<string, ErrorCode>> = {
    ENOSPC: 'diskFull',
    EDQUOT: 'diskFull',
    EROFS: 'diskUnwritable',
    EACCES: 'diskUnwritable',
    EPERM: 'diskUnwritable',
    EIO: 'diskIo',
    EMFILE: 'diskIo',
    EUCLEAN: 'diskIo',
    ENOENT: 'notFound',
  };

  for (const [errno, code] of Object.entries(CASES)) {
    it(`of ${errno} is ${code}, with operation, path, errno and advice in one line`, () => {
      const error = diskError('write', 'data/p0/log', new PosixError(errno));
      expect(error.code).to.equal(code);
      expect(error.message).to.match(new RegExp(`^cannot write data/p0/log: ${errno}, .*; .*$`));
    });

    it(`of ${errno} in a sync is syncFailed`, () => {
      expect(syncError('data/p0/log', new PosixError(errno)).code).to.equal('syncFailed');
    });
  }
});
