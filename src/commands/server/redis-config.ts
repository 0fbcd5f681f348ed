import { LIMITS } from '../../model/limits.ts';
import { modeOf, type ServerPorts } from '../ports.ts';

/** How Redis names what the flush mode does. */
const APPENDFSYNC: Readonly<Record<string, string>> = { always: 'always', interval: 'everysec', os: 'no' };

/**
 * Our settings under the names that Redis' tools ask for, and constants where we have no choice to offer.
 * `own` are the settings under our own names.
 */
export function redisSettings(server: ServerPorts, own: ReadonlyMap<string, string>): [string, string][] {
  const { clients, stats } = server;
  const idleMs = Number(own.get('resp.idleTimeoutMs') ?? '0');
  return [
    ['appendfsync', APPENDFSYNC[stats.flushMode] ?? 'always'],
    ['appendonly', 'yes'],
    ['bind', own.get('resp.host') ?? ''],
    ['cluster-enabled', modeOf(server) === 'cluster' ? 'yes' : 'no'],
    ['cluster-require-full-coverage', 'no'],
    ['databases', String(LIMITS.databasesMax)],
    ['dir', stats.dataDirectory],
    ['io-threads', '1'],
    ['maxclients', String(clients.clientsMax)],
    ['maxmemory', '0'],
    ['maxmemory-policy', 'noeviction'],
    ['notify-keyspace-events', ''],
    ['port', String(stats.port)],
    ['proto-max-bulk-len', String(server.valueBytesMax)],
    ['requirepass', ''],
    ['save', ''],
    ['timeout', String(Math.ceil(idleMs / 1000))],
    ['unixsocket', ''],
  ];
}
