/** Part of `make check`: see scripts/tracked-files.ts. Also compares the version constant with package.json. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { VERSION } from '../src/model/version.ts';
import { lockDisagreements, offencesIn } from './tracked-files.ts';

const root = resolve(fileURLToPath(import.meta.url), '../../..');

const versions = z.record(z.string(), z.string());
const facts = z.object({ version: z.string(), dependencies: versions, devDependencies: versions });
const lock = z.object({ packages: z.looseObject({ '': facts }) });

function read(path: string): string {
  return readFileSync(resolve(root, path), 'utf8');
}

function trackedFiles(): string[] {
  const listing = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  // A file that was deleted but not yet staged is still listed.
  return listing.split('\0').filter((path) => path !== '' && existsSync(resolve(root, path)));
}

function findProblems(): string[] {
  const manifest = facts.parse(JSON.parse(read('package.json')));
  const lockRoot = lock.parse(JSON.parse(read('package-lock.json'))).packages[''];
  const version =
    manifest.version === VERSION
      ? []
      : [`src/model/version.ts says ${VERSION}, package.json ${manifest.version}: they must agree`];
  return [
    ...trackedFiles().flatMap((path) => offencesIn(path, read(path))),
    ...lockDisagreements(manifest, lockRoot),
    ...version,
  ];
}

const problems = findProblems();
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
