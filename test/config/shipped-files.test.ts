import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { configDocument } from '../../scripts/config-docs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { PREDECESSOR_KEYS } from '../../src/config/predecessor.ts';
import { CONFIG_ENTRIES } from '../../src/config/table.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';

const root = resolve(fileURLToPath(import.meta.url), '../../../..');
const servers = readdirSync(join(root, 'conf'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  /(?:^|\/)server[\w-]*\.yaml$/.test(name),
);

describe('what is shipped', () => {
  it('has configuration files', () => {
    expect(servers).to.include('standalone/server.yaml');
  });

  for (const name of servers) {
    it(`conf/${name} is accepted without a warning`, () => {
      const text = readFileSync(join(root, 'conf', name), 'utf8');
      expect(loadConfig({ file: { path: name, text } }).warnings).to.deep.equal([]);
    });
  }

  it('documents every exit code', () => {
    const document = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8');
    for (const [name, code] of Object.entries(ExitCode)) expect(document, name).to.include(`| ${code} | `);
  });

  it('documents every key of the predecessor', () => {
    const document = readFileSync(join(root, 'docs/PREDECESSORS.md'), 'utf8');
    for (const { key, becomes } of PREDECESSOR_KEYS) {
      expect(document).to.match(new RegExp(`[.\`]${key.slice(key.lastIndexOf('.') + 1)}\``));
      if (becomes !== null) expect(document).to.include(`\`${becomes}\``);
    }
  });

  it('documents every key', () => {
    const document = configDocument();
    for (const { key } of CONFIG_ENTRIES) expect(document).to.include(`| \`${key}\` |`);
  });
});
