import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { inCluster } from './in-cluster.ts';

const common = {
  arity: 1,
  keys: NO_KEYS,
  flags: ['loading', 'stale', 'fast'],
  aclCategories: ['@fast', '@connection'],
  group: 'cluster',
  since: '3.0.0',
  complexity: 'O(1)',
} as const;

/** Where clients are redirected it makes a difference; the listener for plain clients asks the leader all the same. */
export const readonly = {
  ...common,
  name: 'readonly',
  summary:
    'Lets followers answer the reads of this connection: with committed values that may be a little old.',
  run: inCluster(({ reply, session }: CommandContext) => {
    session.readsAtFollowers = true;
    reply.ok();
  }),
} satisfies CommandSpec;

export const readwrite = {
  ...common,
  name: 'readwrite',
  summary: 'Ends what READONLY began: reads go to the leader again.',
  run: inCluster(({ reply, session }: CommandContext) => {
    session.readsAtFollowers = false;
    reply.ok();
  }),
} satisfies CommandSpec;

/** Slots never migrate key by key. */
export const asking = {
  ...common,
  name: 'asking',
  flags: ['fast'],
  summary: 'Is accepted for the sake of clients and changes nothing.',
  run: inCluster(({ reply }: CommandContext) => reply.ok()),
} satisfies CommandSpec;
