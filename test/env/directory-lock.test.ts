import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type DirectoryLock, lockDirectory } from '../../src/env/directory-lock.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import type { LockAnswer, LockRequest } from '../support/lock-process.ts';

const LOCK_PROCESS = fileURLToPath(new URL('../support/lock-process.js', import.meta.url));
const RACE_ROUNDS = 60;

async function ask(child: ChildProcess, request: LockRequest): Promise<LockAnswer> {
  const answer = once(child, 'message');
  child.send(request);
  const [first] = (await answer) as [LockAnswer];
  return first;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function refusal(directory: string): Promise<CaskadeError> {
  const outcome = await lockDirectory(directory).catch((error: unknown) => error);
  expect(outcome).to.be.instanceOf(CaskadeError);
  return outcome as CaskadeError;
}

const lockNames = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.startsWith('LOCK'));

describe('the lock of a data directory', function () {
  this.timeout(10_000);
  let directory: string;
  let children: ChildProcess[];

  const start = (): ChildProcess => {
    const child = fork(LOCK_PROCESS);
    children.push(child);
    return child;
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'caskade-lock-'));
    children = [];
  });
  afterEach(async () => {
    for (const child of children) await kill(child);
    await rm(directory, { recursive: true });
  });

  it('is held by one process, whose pid the other is told', async () => {
    const child = start();
    expect(await ask(child, { action: 'lock', directory })).to.include({ held: true });
    const error = await refusal(directory);
    expect(error.code).to.equal('directoryLocked');
    expect(error.message).to.contain(directory).and.to.contain(`process ${child.pid}`);
    await ask(child, { action: 'release', directory });
    await (await lockDirectory(directory)).release();
  });

  it('is refused to the process that holds it already', async () => {
    const lock = await lockDirectory(directory);
    expect((await refusal(directory)).message).to.contain(`process ${process.pid}`);
    await lock.release();
  });

  it('leaves nothing behind when it is released, and releases twice', async () => {
    const lock = await lockDirectory(directory);
    expect(await lockNames(directory)).to.have.length(1);
    await lock.release();
    await lock.release();
    expect(await readdir(directory)).to.deep.equal([]);
  });

  it('never blocks a restart after kill -9', async () => {
    for (let round = 0; round < 5; round += 1) {
      const child = start();
      expect(await ask(child, { action: 'lock', directory })).to.include({ held: true });
      await kill(child);
      expect(await lockNames(directory)).to.have.length(1);
      const lock = await lockDirectory(directory);
      expect(await lockNames(directory)).to.have.length(1);
      await lock.release();
    }
  });

  it('is held also while its holder is too busy to answer', async () => {
    const child = start();
    await ask(child, { action: 'lock', directory });
    child.send({ action: 'block', directory } satisfies LockRequest);
    const error = await refusal(directory);
    expect(error.code).to.equal('directoryLocked');
    expect(error.message).to.contain(`process ${child.pid}`);
  });

  it('works in a directory whose path is longer than a socket address', async () => {
    const deep = join(directory, 'd'.repeat(120), 'e'.repeat(120));
    await mkdir(deep, { recursive: true });
    const lock = await lockDirectory(deep);
    expect((await refusal(deep)).code).to.equal('directoryLocked');
    await lock.release();
    expect(await readdir(deep)).to.deep.equal([]);
  });

  it('holds one directory, not its neighbours', async () => {
    const other = join(directory, 'other');
    await mkdir(other);
    const locks = [await lockDirectory(directory), await lockDirectory(other)];
    for (const lock of locks) await lock.release();
  });

  it('says what is wrong with a directory that is not there or is none', async () => {
    expect((await refusal(join(directory, 'none'))).code).to.equal('notFound');
    await writeFile(join(directory, 'file'), 'x');
    expect((await refusal(join(directory, 'file'))).code).to.equal('diskUnwritable');
  });

  it('removes what a process left that died before it was seen', async () => {
    const child = start();
    await ask(child, { action: 'lock', directory });
    await kill(child);
    const [dead = ''] = await lockNames(directory);
    await rename(join(directory, dead), join(directory, dead.replace('LOCK.', 'LOCK-new.')));
    const lock = await lockDirectory(directory);
    expect(await lockNames(directory)).to.have.length(1);
    await lock.release();
  });

  it('is won by exactly one of many starters in one process', async () => {
    for (let round = 0; round < RACE_ROUNDS; round += 1) {
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => lockDirectory(directory)));
      const won: DirectoryLock[] = [];
      for (const outcome of outcomes) if (outcome.status === 'fulfilled') won.push(outcome.value);
      expect(won, `round ${round}`).to.have.length(1);
      for (const lock of won) await lock.release();
      expect(await readdir(directory)).to.deep.equal([]);
    }
  });

  it('is won by exactly one of three processes that race over a stale one', async () => {
    const graves = join(directory, 'graves');
    await mkdir(graves);
    const mortal = start();
    const names: string[] = [];
    for (let round = 0; round < RACE_ROUNDS; round += 1) {
      const grave = join(graves, String(round));
      await mkdir(grave);
      await ask(mortal, { action: 'lock', directory: grave });
      names.push(join(grave, (await lockNames(grave))[0] ?? ''));
    }
    await kill(mortal);
    const racers = [start(), start(), start()];
    const winners = new Set<number>();
    for (const [round, stale] of names.entries()) {
      await rename(stale, join(directory, `LOCK.1.${round.toString(16)}`));
      const answers = await Promise.all(racers.map((racer) => ask(racer, { action: 'lock', directory })));
      const held = answers.filter((answer) => answer.held);
      expect(held, `round ${round}: ${JSON.stringify(answers)}`).to.have.length(1);
      for (const answer of answers) if (!answer.held) expect(answer.code).to.equal('directoryLocked');
      winners.add(held[0]?.pid ?? 0);
      for (const racer of racers) await ask(racer, { action: 'release', directory });
      expect(await lockNames(directory)).to.deep.equal([]);
    }
    expect(winners.size).to.be.greaterThan(1);
  });
});
