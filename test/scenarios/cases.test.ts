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

/** Lines of a file that give a test its name, or a part of one. */
function titlesIn(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => /\b(it|describe|describeCrashPoints)\(|^\s+breaks: |^\s+['"`]/.test(line));
}

describe('docs/CASES.md', () => {
  const rows = rowsOf(readFileSync(TABLE, 'utf8'));

  it('has every case of the known list, each once', () => {
    const firsts = rows.map(({ name }) => name.split(', ')[0]);
    expect(firsts).to.include.members([...KNOWN]);
    expect(firsts.length).to.equal(new Set(rows.map(({ name }) => name)).size);
  });

  for (const { name, rule, test } of rows) {
    it(`${name}: names a rule, and tests that are there`, () => {
      expect(rule).to.not.equal('');
      if (test === NEXT) return;
      for (const named of test.split(' ; ')) {
        const [, path = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(named) ?? [];
        const isThere = title !== '' && titlesIn(path).some((line) => line.includes(title));
        expect(isThere, `${path}: ${title}`).to.equal(true);
      }
    });
  }
});
