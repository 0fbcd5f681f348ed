import type { PartitionStats } from '../../cluster/index.ts';
import type { CommandContext } from '../context.ts';
import { modeOf } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { keyspaceFields, persistenceFields, storageFields } from './info-data.ts';
import { partitionsFields, replicationFields } from './info-replication.ts';
import { clientsFields, cpuFields, memoryFields, serverFields } from './info-server.ts';
import { commandStatsFields, errorStatsFields, statsFields } from './info-statistics.ts';
import { type InfoField, infoText } from './info-text.ts';

interface SectionSource {
  readonly title: string;
  /** False: only when it is asked for, by name or by ALL. */
  readonly isDefault: boolean;
  readonly fields: (context: CommandContext, partitions: readonly PartitionStats[]) => readonly InfoField[];
}

const section = (title: string, fields: SectionSource['fields'], isDefault = true): SectionSource => ({
  title,
  isDefault,
  fields,
});

/** In the order of INFO's reply. A section is asked for by its title in any case. */
const SECTIONS: readonly SectionSource[] = [
  section('Server', serverFields),
  section('Clients', clientsFields),
  section('Memory', memoryFields),
  section('Persistence', persistenceFields),
  section('Stats', statsFields),
  section('Replication', replicationFields),
  section('CPU', cpuFields),
  section('Modules', () => []),
  section('Commandstats', commandStatsFields, false),
  section('Errorstats', errorStatsFields),
  section('Cluster', ({ server }) => [['cluster_enabled', modeOf(server) === 'cluster' ? 1 : 0]]),
  section('Keyspace', keyspaceFields),
  section('Partitions', partitionsFields),
  section('Storage', storageFields),
];

function run(context: CommandContext): void {
  if (!context.allSettled()) return;
  const wanted = wantedSections(context);
  const partitions = context.router.partitions.map((partition) => partition.stats());
  const sections = SECTIONS.filter(wanted).map(({ title, fields }) => ({
    title,
    fields: fields(context, partitions),
  }));
  context.reply.verbatim('txt', infoText(sections));
}

function wantedSections({ args }: CommandContext): (section: SectionSource) => boolean {
  const names = new Set<string>();
  for (let index = 1; index < args.count; index += 1) names.add(args.text(index).toLowerCase());
  if (names.has('all') || names.has('everything')) return () => true;
  const withDefaults = names.size === 0 || names.has('default');
  return ({ title, isDefault }) => (withDefaults && isDefault) || names.has(title.toLowerCase());
}

export const info = {
  name: 'info',
  arity: -1,
  flags: ['loading', 'stale'],
  keys: NO_KEYS,
  aclCategories: ['@slow', '@dangerous'],
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Reports on the server: clients, memory, counters, partitions, storage.',
  arguments: [{ name: 'section', type: 'string', optional: true, multiple: true }],
  run,
} satisfies CommandSpec;
