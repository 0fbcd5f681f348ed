import { z } from 'zod';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionId,
  asPartitionVersion,
  type ControllerEpoch,
  type Incarnation,
  type NodeId,
  type PartitionId,
  SLOT_COUNT,
} from '../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../model/partition-state.ts';

/**
 * The documents under the chroot (PROTOCOL 0.2): JSON with a format number. A reader of format 1 refuses a higher one;
 * fields it does not know survive a rewrite, since a newer node of the same format may have put them there.
 */
export const DOCUMENT_FORMAT = 1;

/** Fields of a document that this version does not know. */
export type UnknownFields = Readonly<Record<string, unknown>>;

/** A document that cannot be read: `reason` names path and field. */
export type Decoded<Value> =
  | { readonly ok: true; readonly value: Value; readonly unknown: UnknownFields }
  | { readonly ok: false; readonly reason: string };

const count = z.number().int().nonnegative();
const nodeId = count.transform(asNodeId);
const nodes = z.array(nodeId).readonly();
const slot = z
  .number()
  .int()
  .min(0)
  .max(SLOT_COUNT - 1);

const CLUSTER = z.looseObject({
  format: z.literal(DOCUMENT_FORMAT),
  clusterId: z.string().min(1),
  replicationFactor: count,
  minInsync: count,
  flushMode: z.enum(['always', 'interval', 'os']),
  leaseMsMax: count,
  slots: z.array(z.tuple([slot, slot, count]).readonly()).readonly(),
});

const PARTITION = z.looseObject({
  format: z.literal(DOCUMENT_FORMAT),
  uuid: z.string().regex(/^[0-9a-f]{32}$/),
  replicas: nodes,
  adding: nodes,
  removing: nodes,
  leader: nodeId.nullable(),
  leaderEpoch: count.transform(asLeaderEpoch),
  isr: nodes,
  elr: nodes,
  incarnations: z.record(z.string(), count.transform(asIncarnation)),
  directoryIds: z.record(z.string(), z.string()),
  controllerEpoch: count.transform(asControllerEpoch),
  minInsync: count.optional(),
  recovery: z.enum(['clean', 'unclean', 'regressed']),
});

const NODE = z.looseObject({
  format: z.literal(DOCUMENT_FORMAT),
  incarnation: count.transform(asIncarnation),
  addresses: z.record(z.string(), z.string()).readonly(),
  rack: z.string(),
  directory: z.string().optional(),
});

const LIVES = z.looseObject({
  format: z.literal(DOCUMENT_FORMAT),
  incarnations: z.record(z.string(), count.transform(asIncarnation)),
  processes: z.record(z.string(), z.string()).default({}),
});

const CONTROLLER = z.looseObject({
  format: z.literal(DOCUMENT_FORMAT),
  nodeId,
  incarnation: count.transform(asIncarnation),
  controllerEpoch: count.transform(asControllerEpoch),
});

const CONTROLLER_EPOCH = z.looseObject({
  format: z.literal(DOCUMENT_FORMAT),
  controllerEpoch: count.transform(asControllerEpoch),
});

/** Reads with a schema, and parts what it knows from what it does not. */
function decode<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$loose>,
  name: string,
  data: unknown,
): Decoded<z.output<z.ZodObject<Shape, z.core.$loose>>> {
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return {
      ok: false,
      reason: `${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unreadable'}`,
    };
  }
  const unknown = Object.entries(parsed.data).filter(([field]) => !(field in schema.shape));
  return { ok: true, value: parsed.data, unknown: Object.fromEntries(unknown) };
}

/** `version` is that of `/cluster`. */
export function decodeCluster(data: unknown, version: number): Decoded<ClusterFacts> {
  const decoded = decode(CLUSTER, '/cluster', data);
  if (!decoded.ok) return decoded;
  const { clusterId, replicationFactor, minInsync, flushMode, leaseMsMax, slots } = decoded.value;
  const value = { clusterId, version, replicationFactor, minInsync, flushMode, leaseMsMax, slots };
  return { ...decoded, value };
}

export function encodeCluster(facts: ClusterFacts, unknown: UnknownFields = {}): unknown {
  const { version: _version, ...fields } = facts;
  return { ...unknown, format: DOCUMENT_FORMAT, ...fields };
}

export function decodePartition(id: PartitionId, data: unknown, version: number): Decoded<PartitionState> {
  const decoded = decode(PARTITION, `/partitions/${id}`, data);
  if (!decoded.ok) return decoded;
  const { uuid, replicas, adding, removing, leader, leaderEpoch, isr, elr } = decoded.value;
  const { incarnations, directoryIds, controllerEpoch, minInsync, recovery } = decoded.value;
  return {
    ...decoded,
    value: {
      id,
      uuid,
      version: asPartitionVersion(version),
      replicas,
      adding,
      removing,
      leader,
      leaderEpoch,
      isr,
      elr,
      incarnations,
      directoryIds,
      controllerEpoch,
      ...(minInsync !== undefined && { minInsync }),
      recovery,
    },
  };
}

export function encodePartition(state: PartitionState, unknown: UnknownFields = {}): unknown {
  const { id: _id, version: _version, ...fields } = state;
  return { ...unknown, format: DOCUMENT_FORMAT, ...fields };
}

export function decodeNode(node: NodeId, data: unknown): Decoded<NodeRegistration> {
  const decoded = decode(NODE, `/nodes/${node}`, data);
  if (!decoded.ok) return decoded;
  const { incarnation, addresses, rack } = decoded.value;
  return { ...decoded, value: { nodeId: node, incarnation, addresses, rack } };
}

/** `directory`: of the node's data directory, a random word; it tells lives of one directory from those of another. */
export function encodeNode(registration: NodeRegistration, directory = ''): unknown {
  const { nodeId: _nodeId, ...fields } = registration;
  return { format: DOCUMENT_FORMAT, ...fields, ...(directory === '' ? {} : { directory }) };
}

/** Of which data directory a registration is; empty: it does not say. */
export function directoryOfNode(node: NodeId, data: unknown): string {
  const decoded = decode(NODE, `/nodes/${node}`, data);
  return decoded.ok ? (decoded.value.directory ?? '') : '';
}

/** Of each node, the highest incarnation that ever registered, and the process (a random word) that did. */
export interface LastLives {
  readonly incarnations: Readonly<Record<number, Incarnation>>;
  readonly processes: Readonly<Record<number, string>>;
}

/** `/nodes` itself; null before the first node has registered. */
export function decodeLastLives(data: unknown): Decoded<LastLives> {
  if (data === null) return { ok: true, value: { incarnations: {}, processes: {} }, unknown: {} };
  const decoded = decode(LIVES, '/nodes', data);
  if (!decoded.ok) return decoded;
  const { incarnations, processes } = decoded.value;
  return { ...decoded, value: { incarnations, processes } };
}

export const encodeLastLives = (lives: LastLives, unknown: UnknownFields = {}): unknown => ({
  ...unknown,
  format: DOCUMENT_FORMAT,
  ...lives,
});

/** `/controller`. */
export interface ControllerDocument {
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly controllerEpoch: ControllerEpoch;
}

export function decodeController(data: unknown): Decoded<ControllerDocument> {
  const decoded = decode(CONTROLLER, '/controller', data);
  if (!decoded.ok) return decoded;
  const { nodeId: id, incarnation, controllerEpoch } = decoded.value;
  return { ...decoded, value: { nodeId: id, incarnation, controllerEpoch } };
}

export const encodeController = (document: ControllerDocument): unknown => ({
  format: DOCUMENT_FORMAT,
  ...document,
});

export function decodeControllerEpoch(data: unknown): Decoded<ControllerEpoch> {
  const decoded = decode(CONTROLLER_EPOCH, '/controller_epoch', data);
  return decoded.ok ? { ...decoded, value: decoded.value.controllerEpoch } : decoded;
}

export const encodeControllerEpoch = (
  controllerEpoch: ControllerEpoch,
  unknown: UnknownFields = {},
): unknown => ({ ...unknown, format: DOCUMENT_FORMAT, controllerEpoch });

/** The id that a child of `/nodes` or `/partitions` names; undefined: it names none. */
export function idOfChild(name: string): number | undefined {
  return /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : undefined;
}

/** The partition of a child of `/partitions`. */
export function partitionOfChild(name: string): PartitionId | undefined {
  const id = idOfChild(name);
  return id === undefined ? undefined : asPartitionId(id);
}
