import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { layOut } from './browser.ts';

const BUILT = resolve(fileURLToPath(import.meta.url), '../../..');
const DEMO = join(BUILT, 'scripts/demo.js');
const BROKEN = join(BUILT, 'test/support/cluster/ack-before-replication.js');
const IS_SOAK = process.env.CASKADE_SOAK === '1';
const SECONDS = IS_SOAK ? '60' : '8';
const DEMO_MS_MAX = 200_000;

/** Whatever the machine does meanwhile, this holds; the rest of the verdict is for a machine that is at rest. */
const CERTAIN = ['acknowledged and lost', 'linearizable', 'replicas', 'answers'];

interface Run {
  readonly code: number | null;
  /** By name: `ok` or `FAILED`. */
  readonly judgements: Readonly<Record<string, string>>;
  readonly output: string;
  readonly report: string;
}

describe('make demo', function () {
  this.timeout(DEMO_MS_MAX);
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-demo-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function run(...words: string[]): Promise<Run> {
    const path = join(directory, 'report.html');
    const child = spawn(process.execPath, [DEMO, '--seconds', SECONDS, '--report', path, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    const lines = [...output.matchAll(/^(ok|FAILED) +([^:]+):/gm)];
    const judgements = Object.fromEntries(lines.map(([, word, name]) => [name, word]));
    expect(Object.keys(judgements), output).to.include.members(CERTAIN);
    return { code, judgements, output, report: readFileSync(path, 'utf8') };
  }

  it('loses nothing, and its report shows curves and faults in a browser', async () => {
    const { code, judgements, output, report } = await run();
    for (const name of CERTAIN) expect(judgements[name], output).to.equal('ok');
    expect(code, output).to.equal(Object.values(judgements).includes('FAILED') ? 1 : 0);
    const page = await layOut(report, ['#verdict', '.curve', '#throughput .fault rect', '.election']);
    expect(page['#verdict']?.[0]?.name).to.match(/^[\d,]+ writes acknowledged, 0 lost/);
    for (const curve of page['.curve'] ?? []) expect(curve.width, curve.name).to.be.above(700);
    expect(page['.curve']).to.have.length(4);
    expect(page['#throughput .fault rect']).to.have.length(4);
    expect(page['.election']?.length).to.be.above(1);
  });

  it('ends with 1 for a build that acknowledges before it has replicated', async () => {
    const { code, judgements, output } = await run('--program', `${process.execPath} ${BROKEN} server`);
    expect(judgements['acknowledged and lost'], output).to.equal('FAILED');
    expect(judgements.linearizable, output).to.equal('FAILED');
    expect(code).to.equal(1);
  });
});
