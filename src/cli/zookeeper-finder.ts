import { parseAddress } from '../config/address.ts';
import type { CoordinatorSession } from '../coordination/coordinator.ts';
import { decodePartition, partitionOfChild } from '../coordination/documents.ts';
import { readLiveNodes } from '../coordination/live-nodes.ts';
import { PARTITIONS_PATH, partitionPath } from '../coordination/paths.ts';
import { ZooKeeperCoordinator } from '../coordination/zookeeper/zookeeper-coordinator.ts';
import { SystemClock } from '../env/clock.ts';
import { NullLogger } from '../env/logger.ts';
import { MemoryFileSystem } from '../env/memory-file-system.ts';
import { SystemRandom } from '../env/random.ts';
import { CaskadeError } from '../model/errors.ts';
import type { NodeId } from '../model/numbers.ts';
import type { Address } from './address.ts';

/** Where a cluster lies in ZooKeeper. */
export interface ZooKeeperPlace {
  readonly servers: readonly string[];
  readonly chroot: string;
  /** `USER:PASSWORD` of the digest scheme, or nothing. */
  readonly auth: string;
}

export const CONNECT_MS_MAX = 5_000;
const SESSION_TIMEOUT_MS = 6_000;

/** What is read there; nothing is ever written. */
export type ZooKeeperReader = Pick<CoordinatorSession, 'read' | 'list'>;

/** Under which nodes register where they listen: for plain clients, for gRPC. */
type Listener = 'resp' | 'rpc';

/**
 * Where the live nodes take clients, those that lead most first: of the plain ones any serves every key.
 * Throws CaskadeError `coordinatorUnavailable`, and `configurationInvalid` for a server that is none.
 */
export function findByZooKeeper(
  place: ZooKeeperPlace,
  connectMsMax = CONNECT_MS_MAX,
  listener: Listener = 'resp',
): Promise<readonly Address[]> {
  return readZooKeeper(place, connectMsMax, async (reader) => {
    const candidates = await readCandidates(reader, listener);
    if (candidates.length === 0) throw unavailable(place, 'knows no node of a running cluster');
    return candidates;
  });
}

/** Reads by a session of its own. Throws CaskadeError `coordinatorUnavailable` where no server answers. */
export async function readZooKeeper<Value>(
  place: ZooKeeperPlace,
  connectMsMax: number,
  read: (reader: ZooKeeperReader) => Promise<Value>,
): Promise<Value> {
  // The chroot is not given to the session: that would make it where it is missing.
  const settings = { ...place, chroot: '', sessionTimeoutMs: SESSION_TIMEOUT_MS, dataDirectory: '/' };
  const clock = new SystemClock();
  const doors = {
    clock,
    random: new SystemRandom(),
    logger: new NullLogger(),
    fileSystem: new MemoryFileSystem(),
  };
  const session = new ZooKeeperCoordinator(settings, doors).open();
  try {
    if (!(await isConnected(session, connectMsMax))) throw unavailable(place, 'does not answer');
    const { chroot } = place;
    return await read({
      read: (path) => session.read(`${chroot}${path}`),
      list: (path) => session.list(`${chroot}${path}`),
    });
  } finally {
    await session.close();
  }
}

function isConnected(session: CoordinatorSession, msMax: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), msMax);
    session.onState((state) => {
      if (state !== 'connected' && state !== 'lost') return;
      clearTimeout(timer);
      resolve(state === 'connected');
    });
  });
}

/** What cannot be read or understood is left out. */
export async function readCandidates(
  reader: ZooKeeperReader,
  listener: Listener = 'resp',
): Promise<readonly Address[]> {
  const led = await countLed(reader);
  return ((await readLiveNodes(reader)) ?? [])
    .map(({ nodeId, addresses }) => ({
      count: led.get(nodeId) ?? 0,
      address: parseAddress(addresses[listener] ?? ''),
    }))
    .sort((a, b) => b.count - a.count)
    .flatMap(({ address }) => (address === null ? [] : [address]));
}

/** How many partitions each node leads. */
async function countLed(reader: ZooKeeperReader): Promise<ReadonlyMap<NodeId, number>> {
  const led = new Map<NodeId, number>();
  const names = await reader.list(PARTITIONS_PATH);
  for (const name of names.ok ? names.value : []) {
    const id = partitionOfChild(name);
    if (id === undefined) continue;
    const read = await reader.read(partitionPath(id));
    const decoded = read.ok ? decodePartition(id, read.value.data, read.value.version) : null;
    const leader = decoded?.ok ? decoded.value.leader : null;
    if (leader !== null) led.set(leader, (led.get(leader) ?? 0) + 1);
  }
  return led;
}

function unavailable({ servers, chroot }: ZooKeeperPlace, what: string): CaskadeError {
  return new CaskadeError('coordinatorUnavailable', `ZooKeeper at ${servers.join(',')}${chroot} ${what}`);
}
