import type { CommandContext } from '../context.ts';
import type { CommandArgument, CommandSpec } from '../spec.ts';
import { tokenArgument } from '../spec-parts.ts';
import { CLUSTER_COMMON, inCluster } from './in-cluster.ts';

/** Who belongs where is decided by the controller, and nobody else writes it. */
function refuse(context: CommandContext): void {
  const name = context.args.text(1).toUpperCase();
  context.fail(`ERR CLUSTER ${name} is not available: the topology is managed by the controller`);
}

const SLOT_LIST: readonly CommandArgument[] = [{ name: 'slot', type: 'integer', multiple: true }];
const SLOT_RANGES: readonly CommandArgument[] = [
  {
    name: 'start-slot_end-slot',
    type: 'block',
    multiple: true,
    arguments: [
      { name: 'start-slot', type: 'integer' },
      { name: 'end-slot', type: 'integer' },
    ],
  },
];
const NODE: readonly CommandArgument[] = [{ name: 'node-id', type: 'string' }];
const DATA_FLAGS = ['admin', 'stale', 'no_async_loading'] as const;

function refused(
  name: string,
  arity: number,
  given?: readonly CommandArgument[],
  other: Partial<CommandSpec> = {},
): CommandSpec {
  return {
    ...CLUSTER_COMMON,
    name,
    arity,
    flags: DATA_FLAGS,
    aclCategories: ['@admin', '@slow', '@dangerous'],
    complexity: 'O(1)',
    summary: 'Is refused: the controller manages the topology.',
    ...(given === undefined ? {} : { arguments: given }),
    run: inCluster(refuse),
    ...other,
  };
}

/** By which Redis' operators put a cluster together. */
export const TOPOLOGY_COMMANDS: readonly CommandSpec[] = [
  refused('addslots', -3, SLOT_LIST),
  refused('addslotsrange', -4, SLOT_RANGES, { since: '7.0.0' }),
  refused('bumpepoch', 2, undefined, { tips: ['nondeterministic_output'] }),
  refused('delslots', -3, SLOT_LIST),
  refused('delslotsrange', -4, SLOT_RANGES, { since: '7.0.0' }),
  refused('failover', -2, [
    {
      name: 'options',
      type: 'oneof',
      optional: true,
      arguments: [tokenArgument('FORCE'), tokenArgument('TAKEOVER')],
    },
  ]),
  refused('flushslots', 2),
  refused('forget', 3, NODE),
  refused('meet', -4, [
    { name: 'ip', type: 'string' },
    { name: 'port', type: 'integer' },
    { name: 'cluster_bus_port', type: 'integer', since: '4.0.0', optional: true },
  ]),
  refused('replicate', 3, NODE),
  refused(
    'reset',
    -2,
    [
      {
        name: 'hard_soft',
        type: 'oneof',
        optional: true,
        arguments: [tokenArgument('HARD'), tokenArgument('SOFT')],
      },
    ],
    { flags: ['admin', 'noscript', 'stale'] },
  ),
  refused('saveconfig', 2),
  refused('set-config-epoch', 3, [{ name: 'config-epoch', type: 'integer' }]),
  refused('setslot', -4, [
    { name: 'slot', type: 'integer' },
    {
      name: 'subcommand',
      type: 'oneof',
      arguments: [
        { name: 'node-id', type: 'string', token: 'IMPORTING' },
        { name: 'node-id', type: 'string', token: 'MIGRATING' },
        { name: 'node-id', type: 'string', token: 'NODE' },
        tokenArgument('STABLE'),
      ],
    },
  ]),
];
