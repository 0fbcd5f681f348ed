import fc from 'fast-check';
import type { ForwardReply, ForwardRequest } from '../../src/cluster/forward/messages.ts';
import type { ControlMessage } from '../../src/model/control-messages.ts';
import { ERROR_TABLE, type ErrorCode } from '../../src/model/errors.ts';
import type {
  ClusterFacts,
  NodeRegistration,
  PartitionState,
  ReplicaReport,
} from '../../src/model/partition-state.ts';
import type { FetchOutcome, PeerMessage } from '../../src/replication/messages.ts';

/** Every value that a message between nodes may have, as far as the wire is concerned. */

type Of<T> = fc.Arbitrary<T>;

const small = <T extends number>(): Of<T> => fc.oneof(fc.constantFrom(0, 1), fc.nat(0xffff_ffff)) as Of<T>;
const large = <T extends number>(): Of<T> =>
  fc.oneof(fc.constantFrom(0, Number.MAX_SAFE_INTEGER), fc.maxSafeNat()) as Of<T>;
/** Of a znode; -1: none. */
const version = <T extends number>(): Of<T> => fc.oneof(fc.constantFrom(-1, 0), fc.nat(0x7fff_ffff)) as Of<T>;
const orMinusOne = <T extends number>(): Of<T> => fc.oneof(fc.constant(-1), fc.maxSafeNat()) as Of<T>;
const millis = fc.oneof(
  fc.constantFrom(0, 600),
  fc.maxSafeNat(),
  fc.double({ min: 0, max: 1e15, noNaN: true }),
);
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 300 });
const list = <T>(item: Of<T>): Of<T[]> => fc.array(item, { maxLength: 4 });
const byNode = <T>(item: Of<T>): Of<Record<number, T>> =>
  fc
    .array(fc.tuple(fc.nat(0xffff_ffff), item), { maxLength: 4 })
    .map((entries) => Object.fromEntries(entries) as Record<number, T>);

const partitionState: Of<PartitionState> = fc
  .record({
    id: small<PartitionState['id']>(),
    uuid: text,
    version: version<PartitionState['version']>(),
    replicas: list(small<PartitionState['replicas'][number]>()),
    adding: list(small<PartitionState['replicas'][number]>()),
    removing: list(small<PartitionState['replicas'][number]>()),
    leader: fc.option(small<PartitionState['replicas'][number]>(), { nil: null }),
    leaderEpoch: small<PartitionState['leaderEpoch']>(),
    isr: list(small<PartitionState['replicas'][number]>()),
    elr: list(small<PartitionState['replicas'][number]>()),
    incarnations: byNode(large<PartitionState['incarnations'][number]>()),
    directoryIds: byNode(text),
    controllerEpoch: large<PartitionState['controllerEpoch']>(),
    recovery: fc.constantFrom<PartitionState['recovery']>('clean', 'unclean', 'regressed'),
  })
  .chain((state) =>
    fc.option(small()).map((minInsync) => (minInsync === null ? state : { ...state, minInsync })),
  );

const facts: Of<ClusterFacts> = fc.record({
  clusterId: text,
  version: version(),
  replicationFactor: small(),
  minInsync: small(),
  flushMode: fc.constantFrom<ClusterFacts['flushMode']>('always', 'interval', 'os'),
  leaseMsMax: millis,
  slots: list(fc.tuple(small(), small(), small())),
});

const registration: Of<NodeRegistration> = fc.record({
  nodeId: small<NodeRegistration['nodeId']>(),
  incarnation: large<NodeRegistration['incarnation']>(),
  addresses: fc.dictionary(fc.constantFrom('rpc', 'resp', 'cluster', 'later'), text, {
    noNullPrototype: true,
  }),
  rack: text,
});

const report: Of<ReplicaReport> = fc.record({
  partition: small<ReplicaReport['partition']>(),
  uuid: text,
  directoryId: text,
  lastEpoch: small<ReplicaReport['lastEpoch']>(),
  logEndOffset: large<ReplicaReport['logEndOffset']>(),
  verdict: fc.constantFrom<ReplicaReport['verdict']>('whole', 'lossy', 'gone'),
  leaderEpochMax: small<ReplicaReport['leaderEpochMax']>(),
  versionMax: version<ReplicaReport['versionMax']>(),
});

type Data = Extract<FetchOutcome, { result: 'data' }>;
type Diverging = Extract<FetchOutcome, { result: 'diverging' }>;
type Refused = Exclude<FetchOutcome, { result: 'data' | 'diverging' }>;

const outcome: Of<FetchOutcome> = fc.oneof(
  fc.record({
    result: fc.constant<'data'>('data'),
    bytes,
    byteCount: fc.nat(1 << 30),
    nextOffset: large<Data['nextOffset']>(),
    epochs: list(
      fc.record({
        epoch: small<Data['epochs'][number]['epoch']>(),
        startOffset: large<Data['epochs'][number]['startOffset']>(),
      }),
    ),
    highWatermark: large<Data['highWatermark']>(),
    isCurrent: fc.boolean(),
    logStartOffset: large<Data['logStartOffset']>(),
    removedFloor: orMinusOne(),
    tombstoneRemoveOffset: large<Data['tombstoneRemoveOffset']>(),
    partitionVersion: version<Data['partitionVersion']>(),
    controllerEpoch: large<Data['controllerEpoch']>(),
  }),
  fc.record({
    result: fc.constant<'diverging'>('diverging'),
    epoch: small<Diverging['epoch']>(),
    endOffset: large<Diverging['endOffset']>(),
  }),
  fc.record({
    result: fc.constantFrom<Refused['result']>('resync', 'fenced', 'unknownEpoch', 'notLeader', 'outOfRange'),
  }),
);

type Message = PeerMessage | ControlMessage;
type Kind = Message['kind'];
type MessageOf<K extends Kind> = Extract<Message, { kind: K }>;
/** The fields of a kind but for `kind`; a field that is added to a message has to be added here. */
type Fields<K extends Kind> = { [Name in Exclude<keyof MessageOf<K>, 'kind'>]: Of<MessageOf<K>[Name]> };

const sender = { from: small<never>(), fromIncarnation: large<never>() };
const replica = { partition: small<never>(), uuid: text };
const node = { node: small<never>(), incarnation: large<never>() };
const controller = { controller: small<never>(), controllerEpoch: large<never>() };

const FIELDS: { [K in Kind]: Fields<K> } = {
  fetch: {
    ...sender,
    ...replica,
    directoryId: text,
    fetchId: large(),
    leaderEpoch: small(),
    fetchOffset: large(),
    durableOffset: large(),
    lastFetchedEpoch: small(),
    partitionVersion: version(),
    rebuildId: large(),
    bytesMax: small(),
  },
  fetchProgress: {
    ...sender,
    ...replica,
    directoryId: text,
    leaderEpoch: small(),
    durableOffset: large(),
    partitionVersion: version(),
  },
  fetchReply: {
    ...sender,
    toIncarnation: large(),
    partition: small(),
    fetchId: large(),
    leaderEpoch: small(),
    outcome,
  },
  leaseStamp: { ...sender, sequence: large(), leaseMs: millis, wallMs: millis },
  leaseEcho: {
    ...sender,
    leaderIncarnation: large(),
    sequence: large(),
    leaseMs: millis,
    wallMs: millis,
    partitions: list(fc.record({ ...replica, leaderEpoch: small<never>() })),
  },
  leaderReleased: { ...sender, ...replica, leaderEpoch: small() },
  statePush: {
    ...controller,
    targetIncarnation: large(),
    facts,
    nodes: list(registration),
    nodesSequence: large(),
    partitions: list(partitionState),
  },
  statePushAck: {
    ...node,
    controllerEpoch: large(),
    versions: list(fc.tuple(small<never>(), version<never>())),
  },
  isrProposal: {
    ...replica,
    proposalId: large(),
    leader: small(),
    leaderIncarnation: large(),
    leaderEpoch: small(),
    version: version(),
    isr: list(fc.record({ ...node, directoryId: text })),
  },
  isrProposalReply: {
    proposalId: large(),
    partition: small(),
    leaderEpoch: small(),
    controllerEpoch: large(),
    result: fc.constantFrom(
      'ok',
      'notController',
      'fencedEpoch',
      'invalidVersion',
      'ineligible',
      'unknownPartition',
    ),
    state: fc.option(partitionState, { nil: null }),
  },
  replicaQuery: { ...controller, queryId: large(), partitions: list(small<never>()) },
  replicaQueryReply: {
    ...node,
    queryId: large(),
    queryEpoch: large(),
    controllerEpoch: large(),
    reports: list(report),
  },
  shutdownRequest: node,
  shutdownReply: { incarnation: large(), controllerEpoch: large(), remaining: small() },
  replicaTrouble: {
    ...node,
    partition: small(),
    leaderEpoch: small(),
    directoryId: text,
    trouble: fc.constantFrom('disk', 'corrupt', 'stuck'),
  },
  handOverRequest: { ...controller, ...replica, leaderEpoch: small(), incarnation: large() },
  handOverReady: { ...node, ...replica, leaderEpoch: small(), lastEpoch: small(), logEndOffset: large() },
};

export const MESSAGE_KINDS = Object.keys(FIELDS) as Kind[];

export function messagesOf(kind: Kind): Of<Message> {
  const fields: Record<string, Of<unknown>> = FIELDS[kind];
  return fc.record(fields).map((values) => ({ kind, ...values }) as unknown as Message);
}

export const forwardRequests: Of<ForwardRequest> = fc.record({
  id: large(),
  forwarder: small<ForwardRequest['forwarder']>(),
  incarnation: large<ForwardRequest['incarnation']>(),
  partition: small<ForwardRequest['partition']>(),
  leaderEpoch: small<ForwardRequest['leaderEpoch']>(),
  round: large(),
  sequence: fc.option(large<NonNullable<ForwardRequest['sequence']>>(), { nil: null }),
  timeoutMs: millis,
  database: small<ForwardRequest['database']>(),
  respVersion: fc.constantFrom<2 | 3>(2, 3),
  client: fc.record({ id: large(), address: text, name: text }),
  command: bytes,
});

export const forwardReplies: Of<ForwardReply> = fc.record({
  id: large(),
  partition: small<ForwardReply['partition']>(),
  round: large(),
  outcome: fc.constantFrom<ForwardReply['outcome']>('done', 'refused', 'inDoubt'),
  isAbsent: fc.boolean(),
  leader: fc.option(small<NonNullable<ForwardReply['leader']>>(), { nil: null }),
  leaderEpoch: small<ForwardReply['leaderEpoch']>(),
  offset: orMinusOne<ForwardReply['offset']>(),
  reply: fc.option(bytes, { nil: null }),
  error: fc.option(
    fc.record({ code: fc.constantFrom(...(Object.keys(ERROR_TABLE) as ErrorCode[])), message: text }),
    { nil: null },
  ),
  expectedSequence: large(),
});
