import { LIMITS } from '../model/limits.ts';
import { CHROOT } from './chroot.ts';
import {
  addresses,
  bytes,
  duration,
  type Entry,
  flag,
  host,
  integer,
  oneOf,
  port,
  ratio,
  text,
} from './entry.ts';

interface Section<Entries extends Readonly<Record<string, Entry<unknown>>>> {
  readonly doc: string;
  readonly entries: Entries;
}

function section<Entries extends Readonly<Record<string, Entry<unknown>>>>(
  doc: string,
  entries: Entries,
): Section<Entries> {
  return { doc, entries };
}

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** Every configuration key. The loader, the flags, docs/CONFIG.md and the type `Config` follow from this table. */
export const CONFIG_TABLE = {
  node: section('Who this node is.', {
    id: integer({ default: 1, min: 1, max: 65_535, doc: 'Number of this node, unique in its cluster.' }),
    rack: text({
      default: '',
      pattern: /^[\w.-]{0,64}$/,
      allowed: 'empty, or up to 64 letters, digits, dots, dashes and underscores',
      doc: 'Failure domain of this node; the replicas of a partition are spread over racks.',
    }),
  }),
  data: section('Where the data lives.', {
    dir: text({
      default: './data/standalone',
      pattern: /^[^\0]{1,1024}$/,
      allowed: 'a path',
      doc: 'Data directory, relative to the working directory; created when missing. One process per directory.',
    }),
  }),
  storage: section('The storage engine.', {
    engine: oneOf(['bitcask', 'memory'], {
      default: 'bitcask',
      doc: '`bitcask` keeps the data on disk; `memory` is the same engine without a disk and forgets all at the end. A data directory remembers its engine and refuses another.',
    }),
    segmentBytesMax: bytes({
      default: LIMITS.segmentBytesMaxDefault,
      min: LIMITS.segmentBytesMin,
      max: LIMITS.segmentBytesMax,
      doc: 'A segment file is closed and a new one begun when it would grow past this.',
    }),
    cacheBytesMax: bytes({
      default: LIMITS.cacheBytesMaxDefault,
      min: 0,
      max: 1024 * GiB,
      doc: 'Memory for cached blocks of segment files, outside the JavaScript heap.',
    }),
    valueBytesMax: bytes({
      default: LIMITS.valueBytesMaxDefault,
      min: 1,
      max: LIMITS.bulkBytesMax,
      doc: 'Largest value that a write may store.',
    }),
    acceptTornTail: flag({
      default: false,
      doc: 'Start even though the last batch of a log is damaged in a way that a power cut alone does not explain, and give that batch up. Meant for one start, as the flag `--accept-torn-tail`.',
    }),
  }),
  merge: section('Merge: rewriting segments without their dead records.', {
    enabled: flag({ default: true, doc: 'Merge in the background.' }),
    deadRatioMin: ratio({
      default: 0.5,
      min: 0.05,
      max: 1,
      doc: 'Share of dead bytes from which a segment is worth merging.',
    }),
    bytesPerSecondMax: bytes({
      default: 32 * MiB,
      min: 0,
      max: 16 * GiB,
      doc: 'Most bytes a second that merge reads; it writes no more than that. 0 is no limit.',
    }),
    checkIntervalMs: duration({
      default: 10 * SECOND,
      min: 100,
      max: DAY,
      doc: 'How often to look for segments worth merging.',
    }),
  }),
  scrub: section('Scrub: reading again what is committed, to find what has rotted.', {
    intervalMs: duration({
      default: DAY,
      min: 0,
      max: 365 * DAY,
      doc: 'From the end of one round to the begin of the next. 0 is off.',
    }),
    bytesPerSecondMax: bytes({
      default: 8 * MiB,
      min: 0,
      max: 16 * GiB,
      doc: 'Most bytes a second that scrub reads. 0 is no limit.',
    }),
  }),
  resp: section('The Redis wire protocol.', {
    host: host({
      default: '127.0.0.1',
      doc: 'Address to listen on. There is no authentication yet: do not listen on a public one.',
    }),
    port: port({ default: 6379, doc: 'Port for plain clients; 0 takes any free one.' }),
    clusterPort: port({
      default: 0,
      doc: 'Port for cluster clients, which are sent to the node that leads a key; 0 is off. Of a member of a cluster only.',
    }),
    advertised: text({
      default: '',
      pattern: /^[^\s/@,:]*$|^[0-9a-fA-F:]+$/,
      allowed: 'empty, or a host name or address without a port',
      doc: 'Host that clients are told to use for `resp.port` and `resp.clusterPort`, where it differs from `resp.host`.',
    }),
    announceReplicas: flag({
      default: false,
      doc: 'Cluster clients are told of replicas too, not only of who leads; for clients that read at replicas (READONLY).',
    }),
    clientsMax: integer({
      default: LIMITS.clientsMaxDefault,
      min: 1,
      max: 1_000_000,
      doc: 'Most connections at once; one more is refused with an error.',
    }),
    idleTimeoutMs: duration({
      default: 0,
      min: 0,
      max: 30 * DAY,
      doc: 'A connection that was silent this long is closed; 0 is never.',
    }),
  }),
  rpc: section('Traffic between nodes. Not used by a node alone.', {
    host: host({
      default: '127.0.0.1',
      doc: 'Address to listen on for other nodes.',
    }),
    port: port({ default: 0, doc: 'Port for other nodes; 0 takes any free one.' }),
    advertised: text({
      default: '',
      pattern: /^(?:[^\s/@,]+:\d{1,5})?$/,
      allowed: 'empty, or HOST:PORT',
      doc: 'Address that other nodes are told to use, where it differs from `rpc.host` and `rpc.port`.',
    }),
  }),
  metrics: section('Metrics in the Prometheus text format, over HTTP.', {
    port: port({ default: 0, doc: 'Port of `/metrics` on `resp.host`; 0 is off.' }),
  }),
  replication: section('Replication. A node alone uses `writeTimeoutMs` only.', {
    lagMsMax: duration({
      default: 1500,
      min: 50,
      max: 10 * MINUTE,
      doc: 'A follower that has not caught up for this long leaves the in-sync replica set.',
    }),
    leaseMs: duration({
      default: 600,
      min: 50,
      max: MINUTE,
      doc: 'How long a leader may answer reads after its followers last confirmed it.',
    }),
    pollMsMax: duration({
      default: 150,
      min: 1,
      max: 30 * SECOND,
      doc: 'Longest wait of a fetch that finds nothing new.',
    }),
    writeTimeoutMs: duration({
      default: 4 * SECOND,
      min: 10,
      max: 10 * MINUTE,
      doc: 'A write that is not committed by then is answered INDOUBT.',
    }),
  }),
  cluster: section('Facts of the cluster: used when it is created, afterwards only compared.', {
    id: text({
      default: '',
      pattern: /^[\w.-]{0,64}$/,
      allowed: 'empty, or up to 64 letters, digits, dots, dashes and underscores',
      doc: 'Identity of the cluster; empty takes the one in the data directory, or makes one at creation.',
    }),
    partitions: integer({
      default: 1,
      min: 1,
      max: 1024,
      doc: 'Number of partitions. With 1, every command over several keys is atomic.',
    }),
    nodesMin: integer({
      default: 0,
      min: 0,
      max: 65_535,
      doc: 'A new cluster waits until so many nodes are there, and spreads its partitions over them; never fewer than `replicationFactor`.',
    }),
    replicationFactor: integer({ default: 1, min: 1, max: 9, doc: 'Replicas of each partition.' }),
    minInsync: integer({
      default: 1,
      min: 1,
      max: 9,
      doc: 'Members the in-sync replica set must have for a write to be accepted.',
    }),
    flush: oneOf(['always', 'interval', 'os'], {
      default: 'always',
      doc: '`always`: a write is on disk before it is acknowledged. `interval`: a crash of the machine loses up to `flushIntervalMs` of acknowledged writes. `os`: it loses what the system had not written yet. Also accepted as `storage.flush`.',
    }),
    flushIntervalMs: duration({
      default: SECOND,
      min: 1,
      max: MINUTE,
      doc: 'Longest time between two flushes with `flush: interval`.',
    }),
  }),
  coordinator: oneOf(['local', 'zookeeper'], {
    default: 'local',
    doc: '`local`: one node alone. `zookeeper`: a member of a cluster.',
  }),
  zookeeper: section('The coordinator of a cluster. Not used by a node alone.', {
    servers: addresses({ default: ['127.0.0.1:2181'], doc: 'Servers of the ensemble.' }),
    chroot: text({
      default: '/caskade',
      ...CHROOT,
      doc: 'All znodes lie under this path.',
    }),
    sessionTimeoutMs: duration({
      default: 6 * SECOND,
      min: SECOND,
      max: 10 * MINUTE,
      doc: 'A silent node is declared dead after this long.',
    }),
    auth: text({
      default: '',
      pattern: /^(?:[^:\s]+:.+)?$/,
      allowed: 'empty, or USER:PASSWORD',
      secret: true,
      doc: 'Digest credentials for the ensemble.',
    }),
  }),
  log: section("The server's own log, on standard output.", {
    level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
      default: 'info',
      doc: 'Least severe level that is logged. Keys and values are never logged.',
    }),
    format: oneOf(['json', 'pretty', 'auto'], {
      default: 'auto',
      doc: '`json`: one object a line. `pretty`: for people. `auto`: `pretty` on a terminal, else `json`.',
    }),
  }),
} as const satisfies Readonly<
  Record<string, Section<Readonly<Record<string, Entry<unknown>>>> | Entry<unknown>>
>;

type Table = typeof CONFIG_TABLE;

type ValueOf<Item> = Item extends Entry<infer Value> ? Value : never;
type ValuesOf<Item> =
  Item extends Section<infer Entries>
    ? { readonly [Name in keyof Entries]: ValueOf<Entries[Name]> }
    : ValueOf<Item>;

/** The effective configuration: every key has a value. */
export type Config = { readonly [Name in keyof Table]: ValuesOf<Table[Name]> };

/** A key as it is written in flags and errors: `storage.engine`. */
export type ConfigKey = {
  [Name in keyof Table]: Table[Name] extends Section<infer Entries>
    ? `${Name}.${keyof Entries & string}`
    : Name;
}[keyof Table];

export interface KeyedEntry {
  readonly key: ConfigKey;
  readonly entry: Entry<unknown>;
}

function isEntry(
  item: Section<Readonly<Record<string, Entry<unknown>>>> | Entry<unknown>,
): item is Entry<unknown> {
  return 'schema' in item;
}

/** The table as a flat list, in its own order. */
export const CONFIG_ENTRIES: readonly KeyedEntry[] = Object.entries(CONFIG_TABLE).flatMap(([name, item]) =>
  isEntry(item)
    ? [{ key: name as ConfigKey, entry: item }]
    : Object.entries<Entry<unknown>>(item.entries).map(([leaf, entry]) => ({
        key: `${name}.${leaf}` as ConfigKey,
        entry,
      })),
);

export interface SectionFacts {
  /** Empty for a key without a section. */
  readonly name: string;
  readonly doc: string;
}

export const CONFIG_SECTIONS: readonly SectionFacts[] = Object.entries(CONFIG_TABLE).flatMap(
  ([name, item]) => (isEntry(item) ? [] : [{ name, doc: item.doc }]),
);
