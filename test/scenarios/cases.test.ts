import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

const TABLE = 'docs/CASES.md';
const NEXT = 'next: the real adapters';

/** Every row of 2.8 by what it is called first, every scenario of 3.4, hole of 4.3 and item of 6. */
const KNOWN: readonly string[] = [
  'KAFKA-1211',
  'KAFKA-6361',
  'KAFKA-6880',
  'KAFKA-7128',
  'KAFKA-7164',
  'KAFKA-7415',
  'KAFKA-10706',
  'KAFKA-14704',
  'KAFKA-9491',
  'KAFKA-5036',
  'KAFKA-2334',
  'KAFKA-2134',
  'KAFKA-1096',
  'KAFKA-7235',
  'KAFKA-9539',
  'KAFKA-1387',
  'KAFKA-4229',
  'KAFKA-2729',
  'KIP-497',
  'KAFKA-13916',
  'KAFKA-14139',
  'KIP-966',
  'KAFKA-10471',
  'KAFKA-15021',
  'KAFKA-7837',
  'KAFKA-8733',
  'KAFKA-15489',
  'KAFKA-16667',
  'Jepsen 2013',
  'Jepsen Redpanda',
  'KAFKA-8764',
  'same epoch again',
  ...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'].map((letter) => `3.4-${letter}`),
  ...Array.from({ length: 17 }, (_, index) => `4.3-${index + 1}`),
  ...Array.from({ length: 19 }, (_, index) => `6-${index + 1}`),
];

/** Rows of 2.8 that are called by several ids, the first of them first. */
const FOLDED: readonly (readonly string[])[] = [
  ['KAFKA-6880', 'KAFKA-7395'],
  ['KAFKA-5036', 'KAFKA-9835', 'KAFKA-9807'],
  ['KAFKA-2134', 'KAFKA-2143'],
  ['KAFKA-1096', 'KAFKA-1188', 'KAFKA-6082'],
  ['KAFKA-2729', 'KAFKA-3042', 'KAFKA-3083'],
  ['KAFKA-14139', 'KAFKA-14617'],
  ['KAFKA-7837', 'KAFKA-10778', 'KAFKA-8346'],
  ['KAFKA-8733', 'LinkedIn #400'],
  ['KAFKA-16667', 'KAFKA-16171'],
  ['KAFKA-8764', 'KAFKA-4545', 'KAFKA-8522', 'KAFKA-12840', 'KAFKA-6264'],
];

interface Row {
  readonly name: string;
  readonly rule: string;
  readonly test: string;
}

/** Rows of all tables but their heads. */
function rowsOf(text: string): readonly Row[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| Case |'))
    .map((line) => {
      const [name = '', , rule = '', test = ''] = line.slice(2, -2).split(' | ');
      return { name, rule, test };
    });
}

/** What a test, a suite of them or a mutation of the explorer (`breaks`) is called: a literal that is the first argument, or the value. */
const TITLE =
  /(?:\b(?:it|describe|describeCrashPoints)\(\s*|^\s+breaks:\s+)(?:'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`)/gm;
/** A line of its own. */
const COMMENT = /^\s*(?:\/\/|\*|\/\*).*$/gm;

function titlesOf(source: string): readonly string[] {
  const titles = [...source.replace(COMMENT, '').matchAll(TITLE)];
  return titles.map(([, single, double, template]) => single ?? double ?? template ?? '');
}

const titlesIn = (path: string): readonly string[] =>
  existsSync(path) ? titlesOf(readFileSync(path, 'utf8')) : [];

/** Of a test as the table names it: by file and (part of) title. */
function isThere(named: string): boolean {
  const [, path = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(named) ?? [];
  return title !== '' && titlesIn(path).some((each) => each.includes(title));
}

describe('docs/CASES.md', () => {
  const rows = rowsOf(readFileSync(TABLE, 'utf8'));

  it('has every case of the known list, each once', () => {
    const firsts = rows.map(({ name }) => name.split(', ')[0]);
    expect(firsts).to.include.members([...KNOWN]);
    expect(firsts.length).to.equal(new Set(rows.map(({ name }) => name)).size);
  });

  it('has every other id of 2.8, in the row that holds it', () => {
    const idsOf = new Map(rows.map(({ name }) => [name.split(', ')[0], name.split(', ')]));
    for (const [first, ...others] of FOLDED) expect(idsOf.get(first), first).to.include.members(others);
  });

  it('takes nothing for a title but what a test, a suite or a mutation is called', () => {
    const titles = titlesOf(`
      // it('of a comment', () => {
      const words = [
        'of a list',
      ];
      expect(split('of a call'));
      describe("of a suite's own", () => {
        it(
          'of a test',
          () => expect(1, 'of an assertion').to.equal(1),
        );
        it(\`of a template\`, () => undefined);
      });
      const mutation = {
        name: 'of a name',
        breaks: 'of a mutation',
      };
    `);
    expect(titles).to.deep.equal(["of a suite's own", 'of a test', 'of a template', 'of a mutation']);
  });

  it('misses a test that nobody wrote, and a file that is not there', () => {
    const here = '`test/scenarios/cases.test.ts`';
    expect(isThere(`${here}: misses a test that nobody wrote`)).to.equal(true);
    const madeUp = 'a title that is only a word of this list';
    expect(isThere(`${here}: ${madeUp}`)).to.equal(false);
    expect(isThere(`${here}: `)).to.equal(false);
    expect(isThere('`test/scenarios/none.test.ts`: misses a test that nobody wrote')).to.equal(false);
  });

  for (const { name, rule, test } of rows) {
    it(`${name}: names a rule, and tests that are there`, () => {
      expect(rule).to.not.equal('');
      if (test === NEXT) return;
      for (const named of test.split(' ; ')) expect(isThere(named), named).to.equal(true);
    });
  }
});
