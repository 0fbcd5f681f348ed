import { happen, type ModelEvent, type ModelLaw } from './events.ts';
import { START } from './explore.ts';
import { brokenInvariant } from './invariants.ts';
import { type Budget, initialModel, type Model, type ModelNode, NODES, nodeOf } from './model.ts';
import { MODEL_RULES } from './model-rules.ts';
import { rulesOf } from './mutations.ts';

/** A way through the model, as test/scenarios/replication/*.txt tell it. */
export interface Scenario {
  /** Lines of comment at the head, without the sign. */
  readonly title: string;
  /** Of `MUTATIONS`, or `none`. */
  readonly mutation: string;
  readonly minInsync: number;
  readonly events: readonly ModelEvent[];
}

/** A scenario says itself what happens, so nothing is counted. */
const UNBOUNDED: Budget = {
  appends: 1000,
  crashes: 1000,
  lossyCrashes: 1000,
  expiries: 1000,
  proposals: 1000,
  ticks: 1000,
  stamps: 1000,
  epochs: 1000,
};

/** Reads the head and the events; what follows from them is written indented, and is read over. */
export function parseScenario(text: string): Scenario {
  const lines = text.split('\n');
  const settings = new Map<string, string>();
  const events: ModelEvent[] = [];
  for (const line of lines) {
    const setting = /^(mutation|minInsync): (.*)$/.exec(line);
    if (setting !== null) settings.set(setting[1] as string, setting[2] as string);
    else if (/^[a-z]/.test(line)) events.push(line);
  }
  const title = lines.filter((line) => line.startsWith('# ')).map((line) => line.slice(2));
  return {
    title: title.join('\n'),
    mutation: settings.get('mutation') ?? 'none',
    minInsync: Number(settings.get('minInsync') ?? 2),
    events,
  };
}

/** The scenario with everything that comes of it: under its mutation step by step, then under the rules as they are. */
export function renderScenario(scenario: Scenario): string {
  const { title, mutation, minInsync, events } = scenario;
  return [
    ...title.split('\n').map((line) => `# ${line}`),
    '',
    `mutation: ${mutation}`,
    `minInsync: ${minInsync}`,
    '',
    ...transcript(scenario),
    '',
    ...(mutation === 'none'
      ? []
      : ['Under the rules as they are:', `    ${underTheRules(events, minInsync)}`, '']),
  ].join('\n');
}

function transcript({ mutation, minInsync, events }: Scenario): string[] {
  const law: ModelLaw = { rules: rulesOf(mutation), minInsync, answersAtOnce: false };
  const lines: string[] = [];
  let model = begin(law);
  for (const event of events) {
    const after = happen(model, event, law);
    lines.push(event);
    if (after === null) return [...lines, '    ! cannot happen'];
    lines.push(...differences(model, after).map((line) => `    ${line}`));
    const broken = brokenInvariant(after, law);
    if (broken !== null) return [...lines, `    ! ${broken}`];
    model = after;
  }
  return lines;
}

function underTheRules(events: readonly ModelEvent[], minInsync: number): string {
  const law: ModelLaw = { rules: MODEL_RULES, minInsync, answersAtOnce: false };
  let model = begin(law);
  for (const event of events) {
    const after = happen(model, event, law);
    if (after === null) return `'${event}' cannot happen`;
    const broken = brokenInvariant(after, law);
    if (broken !== null) return `! ${broken}`;
    model = after;
  }
  return 'nothing is broken';
}

function begin(law: ModelLaw): Model {
  let model = initialModel({ minInsync: law.minInsync, budget: UNBOUNDED });
  for (const event of START) model = happen(model, event, law) ?? model;
  return model;
}

function differences(before: Model, after: Model): string[] {
  const lines: string[] = [];
  const said = (name: string, was: string, is: string): void => {
    if (was !== is) lines.push(`${name}: ${is}`);
  };
  said('controller', controllerText(before), controllerText(after));
  for (const node of NODES)
    said(`node ${node}`, nodeText(nodeOf(before, node)), nodeText(nodeOf(after, node)));
  said('acknowledged', logText(before.acknowledged), logText(after.acknowledged));
  return lines;
}

function controllerText({ state }: Model): string {
  const leader = state.leader === null ? 'nobody leads' : `node ${state.leader} leads`;
  return `version ${state.version}, ${leader} epoch ${state.leaderEpoch}, ISR ${listText(state.isr)}, ELR ${listText(state.elr)}`;
}

const listText = (items: readonly unknown[]): string => (items.length === 0 ? '-' : items.join(','));

/** Records as `epoch.id`. */
const logText = (log: readonly { readonly epoch: number; readonly id: number }[]): string =>
  listText(log.map(({ epoch, id }) => `${epoch}.${id}`));

function nodeText(node: ModelNode): string {
  if (!node.up) return `down${node.isLossy ? ', lossy' : ''}, log ${logText(node.log)}`;
  const { role } = node;
  const kind = role.kind === 'none' ? 'no role' : `${role.kind} of epoch ${role.epoch}`;
  const pending =
    role.kind === 'leader' && role.pending !== null
      ? `, proposes ${role.pending.members.map((member) => member.node).join()}`
      : '';
  return `life ${node.life}, ${kind}, log ${logText(node.log)}, high watermark ${node.highWatermark}${pending}`;
}
