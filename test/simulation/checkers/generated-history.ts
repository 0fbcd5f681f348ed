import type { SeededRandom } from '../../support/seeded-random.ts';
import { type Action, isRead, type Operation, Replies } from './history.ts';
import { type Cells, KeyModel } from './key-model.ts';

export interface GeneratedHistoryOptions {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
}

interface Planned {
  readonly client: number;
  readonly action: Action;
  readonly invoked: number;
  readonly effective: number;
  readonly returned: number;
  readonly isLost: boolean;
}

const LOST = 0.04;
/** An operation whose answer is lost may take effect this late. */
const LATE_MS_MAX = 200;

/** Executes random actions on real registers, each at one instant between its invocation and its answer. */
export function generatedHistory(
  random: SeededRandom,
  options: GeneratedHistoryOptions,
): readonly Operation[] {
  const planned = plan(random, options).sort((left, right) => left.effective - right.effective);
  const keys = Array.from({ length: options.keys }, (_, at) => `k${at}`);
  const model = new KeyModel(keys);
  let cells: Cells = model.initial;
  const operations = planned.map((operation, index): Operation => {
    const reply = operation.isLost && random.chance(0.5) ? null : model.apply(cells, operation.action);
    if (reply !== null) cells = reply.cells;
    return {
      id: index + 1,
      client: operation.client,
      partition: 0,
      action: operation.action,
      consistency: 'leader',
      invoked: operation.invoked,
      returned: operation.isLost ? Number.POSITIVE_INFINITY : operation.returned,
      invokedAtMs: operation.invoked,
      returnedAtMs: operation.returned,
      outcome: operation.isLost
        ? { kind: 'unknown', reason: 'lost' }
        : { kind: 'done', reply: reply?.reply ?? '' },
    };
  });
  return operations.sort((left, right) => left.invoked - right.invoked);
}

function plan(random: SeededRandom, { operations, clients, keys }: GeneratedHistoryOptions): Planned[] {
  const freeAt = Array.from({ length: clients }, () => 0);
  return Array.from({ length: operations }, (_, index) => {
    const client = random.below(clients);
    const invoked = (freeAt[client] as number) + random.fraction() * 4;
    const returned = invoked + random.fraction() * 10;
    freeAt[client] = returned;
    const isLost = random.chance(LOST);
    const latest = isLost ? returned + LATE_MS_MAX : returned;
    const effective = invoked + random.fraction() * (latest - invoked);
    return { client, action: randomAction(random, index, keys), invoked, effective, returned, isLost };
  });
}

function randomAction(random: SeededRandom, index: number, keys: number): Action {
  const key = `k${random.below(keys)}`;
  const value = random.chance(0.3) ? String(random.below(50)) : `v${index}`;
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return { kind: 'get', key };
    case 3:
      return { kind: 'increment', key };
    case 4:
      return { kind: 'delete', key };
    case 5:
      return { kind: 'setIfAbsent', key, value };
    case 6:
      return { kind: 'compareAndSet', key, expected: random.chance(0.5) ? null : `v${index - 1}`, value };
    default:
      return { kind: 'set', key, value, dueMs: 0 };
  }
}

/** The same with one reply of a read changed to another that was given before, or to nothing. */
export function withMutatedReply(random: SeededRandom, history: readonly Operation[]): readonly Operation[] {
  const reads = history.filter(({ action, outcome }) => isRead(action) && outcome.kind === 'done');
  const chosen = random.pick(reads);
  const others = reads
    .map(({ outcome }) => (outcome.kind === 'done' ? outcome.reply : Replies.nil))
    .filter((reply) => chosen.outcome.kind === 'done' && reply !== chosen.outcome.reply);
  const reply = random.pick([...others, Replies.value('never')]);
  return history.map((operation) =>
    operation === chosen ? { ...operation, outcome: { kind: 'done', reply } } : operation,
  );
}
