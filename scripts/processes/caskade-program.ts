import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const BUILT_ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
/** The checkout. */
export const SOURCE_ROOT = resolve(BUILT_ROOT, '..');

/**
 * The words that run `caskade` as a user does: by the wrapper in bin/, which takes the tree in dist/. What was compiled
 * into another folder runs the program of that folder.
 */
export const CASKADE: readonly string[] =
  basename(BUILT_ROOT) === 'dist'
    ? [process.execPath, join(SOURCE_ROOT, 'bin/caskade.cjs')]
    : [process.execPath, '--input-type=module', '--eval', inlineEntry(), '--'];

function inlineEntry(): string {
  const main = new URL('../../src/main.js', import.meta.url).href;
  return `import { main } from ${JSON.stringify(main)}; await main(process.argv.slice(1));`;
}
