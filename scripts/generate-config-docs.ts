/** Writes docs/CONFIG.md; with --check only compares it with what would be written. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configDocument } from './config-docs.ts';

const path = resolve(fileURLToPath(import.meta.url), '../../../docs/CONFIG.md');
const wanted = configDocument();
const current = existsSync(path) ? readFileSync(path, 'utf8') : '';

if (!process.argv.includes('--check')) {
  writeFileSync(path, wanted);
} else if (current !== wanted) {
  console.error("docs/CONFIG.md is not what src/config/table.ts says: run 'make docs' and commit the result");
  process.exitCode = 1;
}
