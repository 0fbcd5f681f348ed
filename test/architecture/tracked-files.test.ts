import { expect } from 'chai';
import { lockDisagreements, offencesIn } from '../../scripts/tracked-files.ts';

describe('tracked files', () => {
  const slash = '/';
  const planted: Record<string, [path: string, content: string]> = {
    'nothing at all: an empty .ci/run passes': ['.ci/run', '\n'],
    'a path of one machine': ['src/x.ts', `const path = '${slash}work/main';`],
    "root's home": ['docs/x.md', `see ${slash}root/notes.md`],
    'a home directory': ['docs/x.md', `cd ${slash}home/ann/caskade`],
    'a home directory of macOS': ['docs/x.md', `cd ${slash}Users/ann/caskade`],
    'a registry host': ['Makefile', `npm install --registry https:${slash}/registry.example.org/`],
    'a registry of an artifact store': ['x', `https:${slash}/artifactory.example.org/api/npm`],
    'a download address in the lock file': [
      'package-lock.json',
      `{ "resolved": "https:${slash}/a.example/b.tgz" }`,
    ],
    'a registry in .npmrc': ['.npmrc', 'fund=false\nregistry = x'],
    'a token in .npmrc': ['.npmrc', `${slash}${slash}host/:_authToken=x`],
  };
  for (const [name, [path, content]] of Object.entries(planted)) {
    it(`may not hold ${name}`, () => {
      expect(offencesIn(path, content)).to.have.length(1);
    });
  }

  it('names the line', () => {
    expect(offencesIn('a.md', `one\ntwo ${slash}work/x`)[0]).to.match(/^a\.md:2: /);
  });

  it('may hold what only looks alike', () => {
    expect(offencesIn('a.md', 'https://example.org/work/x ./root/y ~/home/z src/work/q')).to.deep.equal([]);
    expect(offencesIn('a.ts', '{ "resolved": "yes" }')).to.deep.equal([]);
  });

  it('a lock file of another package.json is refused', () => {
    const manifest = { version: '1.0.0', dependencies: { a: '^1', b: '^2' }, devDependencies: { c: '^3' } };
    expect(lockDisagreements(manifest, manifest)).to.deep.equal([]);
    const stale = { version: '0.9.0', dependencies: { a: '^1', b: '^1', d: '^4' }, devDependencies: {} };
    expect(lockDisagreements(manifest, stale)).to.deep.equal([
      'package-lock.json: version 0.9.0, package.json: 1.0.0',
      'package-lock.json: b is ^1, package.json asks for ^2',
      'package-lock.json: c is nothing, package.json asks for ^3',
      'package-lock.json: d is ^4, package.json asks for nothing',
    ]);
  });
});
