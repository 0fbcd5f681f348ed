import { expect } from 'chai';
import { FaultyFileSystem, SimulatedCrash } from '../../src/env/faulty-file-system.ts';
import type { FileHandle, FileSystem } from '../../src/env/file-system.ts';
import { CaskadeError, type ErrorCode } from '../../src/model/errors.ts';
import { SeededRandom } from '../support/seeded-random.ts';

export const PATH = '/data/log';

export const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

export async function failure(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

export async function expectCode(action: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await failure(action);
  expect(error).to.be.instanceOf(CaskadeError);
  if (error instanceof CaskadeError) expect(error.code).to.equal(code);
}

export async function expectCrash(action: Promise<unknown>): Promise<void> {
  expect(await failure(action)).to.be.instanceOf(SimulatedCrash);
}

export async function bytesOf(fileSystem: FileSystem, path: string): Promise<Uint8Array> {
  const handle = await fileSystem.open(path, 'read');
  const bytes = new Uint8Array(await handle.size());
  await handle.readAt(bytes, 0);
  await handle.close();
  return bytes;
}

/** A disk with an empty, durable /data/log. */
export async function diskWithFile(seed: number): Promise<{ disk: FaultyFileSystem; handle: FileHandle }> {
  const disk = new FaultyFileSystem({ random: new SeededRandom(seed) });
  await disk.fileSystem.makeDirectory('/data');
  await disk.fileSystem.syncDirectory('/');
  const handle = await disk.fileSystem.open(PATH, 'create');
  await disk.fileSystem.syncDirectory('/data');
  return { disk, handle };
}
