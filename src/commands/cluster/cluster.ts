import type { CommandContext } from '../context.ts';
import { helpOf } from '../help.ts';
import type { CommandSpec } from '../spec.ts';
import { CLUSTER_COMMON, inCluster } from './in-cluster.ts';
import { info, links } from './info.ts';
import { countkeysinslot, getkeysinslot, keyslot } from './keys-in-slot.ts';
import { myid, myshardid, nodes, replicas, slaves } from './nodes.ts';
import { shards, slots } from './slots.ts';
import { TOPOLOGY_COMMANDS } from './topology.ts';

const subcommands: readonly CommandSpec[] = [
  countkeysinslot,
  getkeysinslot,
  info,
  keyslot,
  links,
  myid,
  myshardid,
  nodes,
  replicas,
  shards,
  slaves,
  slots,
  ...TOPOLOGY_COMMANDS,
];

const help = helpOf('cluster', subcommands, { group: 'cluster', since: '5.0.0', aclCategories: ['@slow'] });

export const cluster = {
  ...CLUSTER_COMMON,
  name: 'cluster',
  arity: -2,
  flags: [],
  complexity: 'Depends on the sub-command.',
  summary: 'Sub-commands about the cluster: who is alive, and who leads which slots.',
  subcommands: [
    ...subcommands,
    { ...help, run: inCluster((context: CommandContext) => help.run?.(context)) },
  ],
} satisfies CommandSpec;
