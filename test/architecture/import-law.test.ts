// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the planted sources are text, not templates
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { importsOf, violationsOf, warningsOf } from './judge.ts';
import { FILE_LINES_MAX, FILE_LINES_WARN, MAY_IMPORT } from './law.ts';

const root = resolve(fileURLToPath(import.meta.url), '../../../..');

function sources(): { path: string; source: string }[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => ({ path: `src/${name}`, source: readFileSync(join(root, 'src', name), 'utf8') }));
}

describe('import law', () => {
  it('is kept by every file of src/', () => {
    const files = sources();
    expect(files.length).to.be.greaterThan(10);
    for (const warning of files.flatMap(({ path, source }) => warningsOf(path, source))) {
      console.warn(`      warning: ${warning}`);
    }
    expect(files.flatMap(({ path, source }) => violationsOf(path, source))).to.deep.equal([]);
  });

  it('names only folders that stand in its table', () => {
    const known = [...Object.keys(MAY_IMPORT), '*'];
    expect(
      Object.values(MAY_IMPORT)
        .flat()
        .filter((folder) => !known.includes(folder)),
    ).to.deep.equal([]);
  });

  describe('sees an import in every form', () => {
    const forms: Record<string, string> = {
      'a named import': `import { Decoder } from '../resp/decoder.ts';`,
      'a type-only import': `import type { Decoder } from '../resp/decoder.ts';`,
      'an inline type import': `import { type Decoder } from '../resp/decoder.ts';`,
      'a namespace import': `import * as resp from '../resp/decoder.ts';`,
      'a default import': `import resp, { type Decoder } from '../resp/decoder.ts';`,
      'an import over several lines': `import {\n  Decoder,\n  type Reply,\n} from '../resp/decoder.ts';`,
      'an import for its side effect': `import '../resp/decoder.ts';`,
      'an import in double quotes': `import { Decoder } from "../resp/decoder.ts";`,
      'a re-export': `export { Decoder } from '../resp/decoder.ts';`,
      'a re-export of everything': `export * from '../resp/decoder.ts';`,
      'a re-export under a name': `export * as resp from '../resp/decoder.ts';`,
      'a type re-export': `export type { Decoder } from '../resp/decoder.ts';`,
      'a dynamic import': `const resp = await import('../resp/decoder.ts');`,
      'a dynamic import of a template': 'const resp = await import(`../resp/decoder.ts`);',
      'a dynamic import with options': `await import('../resp/decoder.ts', { with: { type: 'json' } });`,
      'a type query': `let decoder: import('../resp/decoder.ts').Decoder;`,
      'an import after a regular expression': `const quote = /['"\`]/;\nimport { Decoder } from '../resp/decoder.ts';`,
      'an import inside a template': "`${await import('../resp/decoder.ts')}`",
    };
    for (const [form, source] of Object.entries(forms)) {
      it(form, () => {
        expect(violationsOf('src/storage/log.ts', source)).to.have.length(1);
        expect(violationsOf('src/storage/log.ts', source)[0]).to.match(
          /^src\/storage\/log\.ts:\d: storage may not import resp \('\.\.\/resp\/decoder\.ts'\); it may import env, model$/,
        );
      });
    }
  });

  it('refuses a specifier that does not end in .ts', () => {
    expect(violationsOf('src/storage/log.ts', `import { Clock } from '../env/clock.js';`)).to.deep.equal([
      "src/storage/log.ts:1: '../env/clock.js' must end in .ts",
    ]);
  });

  it('refuses an import that is computed', () => {
    expect(violationsOf('src/server/server.ts', 'await import(name);')).to.deep.equal([
      'src/server/server.ts:1: an import that is computed cannot be checked',
    ]);
    expect(violationsOf('src/server/server.ts', 'await import(`../${name}.ts`);')).to.have.length(1);
  });

  it('refuses an import from outside src/, and a folder that is not in the table', () => {
    expect(violationsOf('src/storage/log.ts', `import { x } from '../../test/x.ts';`)).to.deep.equal([
      "src/storage/log.ts:1: '../../test/x.ts' leads out of src/",
    ]);
    expect(violationsOf('src/surprise/x.ts', `import { y } from '../env/y.ts';`)).to.deep.equal([
      'src/surprise/x.ts:1: src/surprise/ is not in the table of the import law',
    ]);
  });

  it('allows what the table allows', () => {
    const source = `import { join } from 'node:path';\nimport { pino } from 'pino';\nimport { Clock } from '../env/clock.ts';\nimport { Batch } from './batch.ts';`;
    expect(violationsOf('src/storage/log.ts', source)).to.deep.equal([]);
    expect(importsOf(source)).to.have.length(4);
  });

  it('is not fooled by comments and strings', () => {
    const source = [
      `// import { Decoder } from '../resp/decoder.ts'; Date.now()`,
      `/* import('../resp/decoder.ts'); Math.random() */`,
      `const text = "import { Decoder } from '../resp/decoder.ts'; Date.now()";`,
      'const template = `setTimeout(${name}) Math.random() import("x")`;',
      'const half = width / 2 / 3;',
    ].join('\n');
    expect(violationsOf('src/storage/log.ts', source)).to.deep.equal([]);
  });
});

describe('doors to the machine', () => {
  const planted: Record<string, string> = {
    'Date.now': 'const now = Date.now();',
    'Date.now over two lines': 'const now = Date\n  .now();',
    'new Date()': 'const now = new Date();',
    'performance.now': 'const now = performance.now();',
    'process.hrtime': 'const now = process.hrtime.bigint();',
    'Math.random': 'const chance = Math.random();',
    randomUUID: `import { randomUUID } from 'node:crypto';`,
    setTimeout: 'setTimeout(run, 5);',
    'setTimeout of globalThis': 'globalThis.setTimeout(run, 5);',
    setInterval: 'const timer = setInterval(run, 5);',
    setImmediate: 'await new Promise((resolve) => setImmediate(resolve));',
    'a clock inside a template': '`${Date.now()}`',
    'node:fs': `import { readFileSync } from 'node:fs';`,
    'node:fs, type-only': `import type { Stats } from 'node:fs';`,
    'node:fs/promises': `import { open } from 'node:fs/promises';`,
    'node:net': `import { createServer } from 'node:net';`,
    'node:net, dynamic': `const net = await import('node:net');`,
    'node:timers/promises': `import { scheduler } from 'node:timers/promises';`,
  };
  for (const [name, source] of Object.entries(planted)) {
    it(`only they may use ${name}`, () => {
      for (const folder of ['storage', 'replication', 'commands', 'server', 'config', 'resp']) {
        expect(violationsOf(`src/${folder}/x.ts`, source), folder).to.have.length(1);
      }
      expect(violationsOf('src/main.ts', source)).to.have.length(1);
      for (const folder of ['env', 'network', 'rpc', 'cli']) {
        expect(violationsOf(`src/${folder}/x.ts`, source), folder).to.deep.equal([]);
      }
    });
  }

  it('a module of Node without its prefix is refused everywhere', () => {
    expect(violationsOf('src/env/x.ts', `import { readFileSync } from 'fs';`)).to.have.length(1);
  });

  it('methods of the same name on other objects are not meant', () => {
    const source = 'socket.setTimeout(5); new Date(epochMs); clock.setTimer(5, run); this.#setTimeout(1);';
    expect(violationsOf('src/storage/x.ts', source)).to.deep.equal([]);
  });
});

describe('house rules', () => {
  it('no default export', () => {
    expect(violationsOf('src/env/x.ts', 'export default class X {}')).to.have.length(1);
    expect(violationsOf('src/env/x.ts', 'class X {}\nexport { X as default };')).to.have.length(1);
  });

  it('no require', () => {
    expect(violationsOf('src/env/x.ts', `const fs = require('node:fs');`)).to.have.length(1);
  });

  it('a file has a bounded number of lines', () => {
    expect(violationsOf('src/env/x.ts', 'x;\n'.repeat(FILE_LINES_MAX))).to.deep.equal([]);
    expect(violationsOf('src/env/x.ts', 'x;\n'.repeat(FILE_LINES_MAX + 1))).to.have.length(1);
    expect(warningsOf('src/env/x.ts', 'x;\n'.repeat(FILE_LINES_WARN))).to.deep.equal([]);
    expect(warningsOf('src/env/x.ts', 'x;\n'.repeat(FILE_LINES_WARN + 1))).to.have.length(1);
  });
});
