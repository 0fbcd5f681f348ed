import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runProgram } from '../support/run-program.ts';

const BROWSERS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/** One element as a browser has laid it out, in pixels of the page. */
export interface LaidOut {
  readonly name: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly stroke: string;
  readonly fill: string;
}

/** Looks at every element that the selector finds, once the page is drawn. */
const PROBE = `
addEventListener('load', () => {
  const look = (selector) => [...document.querySelectorAll(selector)].map((element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const { stroke, fill } = getComputedStyle(element);
    return { name: element.dataset.name ?? element.textContent, left, top, width, height, stroke, fill };
  });
  const found = Object.fromEntries(SELECTORS.map((selector) => [selector, look(selector)]));
  const probe = document.createElement('pre');
  probe.id = 'probe';
  probe.textContent = JSON.stringify(found);
  document.body.append(probe);
});`;

/** Opens a page in a real browser, without a window and without a network, and returns what it has drawn where. */
export async function layOut(
  html: string,
  selectors: readonly string[],
): Promise<Readonly<Record<string, readonly LaidOut[]>>> {
  const directory = mkdtempSync(join(tmpdir(), 'caskade-browser-'));
  try {
    const page = join(directory, 'page.html');
    const probe = `<script>const SELECTORS = ${JSON.stringify(selectors)};${PROBE}</script>`;
    writeFileSync(page, html.replace('</body>', `${probe}</body>`));
    const { code, stdout, stderr } = await runProgram([
      findBrowser(),
      '--no-sandbox',
      '--disable-gpu',
      '--proxy-server=127.0.0.1:9',
      `--user-data-dir=${join(directory, 'profile')}`,
      '--window-size=1200,1600',
      '--dump-dom',
      pathToFileURL(page).href,
    ]);
    const text = /<pre id="probe">([^<]*)<\/pre>/.exec(stdout)?.[1];
    if (code !== 0 || text === undefined) throw new Error(`the browser shows nothing (${code}): ${stderr}`);
    return JSON.parse(unescaped(text)) as Record<string, readonly LaidOut[]>;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function findBrowser(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = BROWSERS.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(`none of ${BROWSERS.join(', ')} is installed: run make setup-system`);
  return found;
}

function unescaped(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
