import { writeFileSync } from 'node:fs';
import { type Exploration, Explorer } from '../test/explorer/explore.ts';
import { MODEL_RULES, type ModelRules } from '../test/explorer/model-rules.ts';
import { MUTATIONS, type World } from '../test/explorer/mutations.ts';
import { renderScenario } from '../test/explorer/scenario.ts';
import { WALK_BUDGET, walk } from '../test/explorer/walk.ts';
import { LARGE_WORLDS, SMALL_WORLDS } from '../test/explorer/worlds.ts';

/**
 * Tries every order of events of a small cluster over the rules of replication and controller.
 *
 *   node dist/scripts/explore.js              the small worlds, as the tests do
 *   node dist/scripts/explore.js large [n]    the large ones, each up to n states (default 3 million)
 *   node dist/scripts/explore.js walk [n] [s] n walks by chance from seed s (default 1000 from 1), where much more may happen
 *   node dist/scripts/explore.js mutations    what breaks when a rule is replaced
 *   node dist/scripts/explore.js write        the same, into test/scenarios/replication/
 */
const SCENARIOS = 'test/scenarios/replication';

function explore(
  name: string,
  rules: ModelRules,
  { budget, prelude, answersAtOnce }: World,
  statesMax: number,
): Exploration {
  const from = performance.now();
  const found = new Explorer({ rules, minInsync: 2, budget, prelude, answersAtOnce, statesMax }).run();
  const { states, transitions, depth, isComplete, broken } = found;
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  const end = isComplete ? '' : ' (stopped)';
  process.stdout.write(
    `${name}: ${states} states, ${transitions} transitions, depth ${depth}${end}, ${seconds} s\n`,
  );
  if (broken !== null) process.stdout.write(`  broken: ${broken.invariant}\n  ${broken.events.join('; ')}\n`);
  return found;
}

function breakRules(isWriting: boolean): void {
  for (const { name, breaks, rules, world } of MUTATIONS) {
    const { broken } = explore(name, rules, world, 3_000_000);
    if (broken === null) process.exitCode = 1;
    if (broken === null || !isWriting) continue;
    const title = `The rule: ${breaks}.\nThe shortest way to see it missing:`;
    const text = renderScenario({ title, mutation: name, minInsync: 2, events: broken.events });
    writeFileSync(`${SCENARIOS}/${name}.txt`, text);
  }
}

function walkByChance(walks: number, seed: number): void {
  const found = walk({ rules: MODEL_RULES, minInsync: 2, budget: WALK_BUDGET, seed, walks, lengthMax: 200 });
  process.stdout.write(`seed ${seed}: ${found.walks} walks, ${found.events} events\n`);
  if (found.broken === null) return;
  const title = `Found by chance from seed ${seed}.`;
  process.stdout.write(
    renderScenario({ title, mutation: 'none', minInsync: 2, events: found.broken.events }),
  );
  process.exitCode = 1;
}

const [what = 'small', count, seed] = process.argv.slice(2);
if (what === 'walk') walkByChance(Number(count ?? 1000), Number(seed ?? 1));
else if (what === 'mutations' || what === 'write') breakRules(what === 'write');
else {
  const worlds = what === 'large' ? LARGE_WORLDS : SMALL_WORLDS;
  for (const { name, world } of worlds)
    if (explore(name, MODEL_RULES, world, Number(count ?? 3_000_000)).broken !== null) process.exitCode = 1;
}
