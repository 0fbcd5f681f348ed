import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { configDocument } from '../../scripts/config-docs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { CONFIG_ENTRIES } from '../../src/config/table.ts';

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

  it('documents every key', () => {
    const document = configDocument();
    for (const { key } of CONFIG_ENTRIES) expect(document).to.include(`| \`${key}\` |`);
  });
});
