import type { BlockCache } from '../../storage/block-cache.ts';
import type { Journal } from '../../storage/journal/journal.ts';
import { hashSeedOf, openReplica } from '../../storage/open-partition.ts';
import { PartitionStore } from '../../storage/partition-store.ts';
import { ProducerTable } from '../producers/producer-table.ts';
import type { NodeState } from './node-state.ts';
import type { ReplicaManagerDoors, ReplicaManagerSettings } from './ports.ts';
import type { OpenReplica } from './replica-directories.ts';

/**
 * Opens replicas as members of a cluster: what one has lost, others have (R6). `closedCleanly`: the last life of this
 * node left its marker.
 */
export function openerOf(
  settings: ReplicaManagerSettings,
  doors: ReplicaManagerDoors,
  nodeState: NodeState,
  cache: BlockCache,
  journal: Journal | null,
  closedCleanly: boolean,
): OpenReplica {
  const { fileSystem, clock, random } = doors;
  return async (directory, partition, uuid, mustExist) => {
    const flush = nodeState.flushMode;
    const logger = doors.logger.child({ partition });
    const storeDoors = { fileSystem, clock, random, logger, cache, ...(journal === null ? {} : { journal }) };
    const { keydir, memory } = settings;
    const options = {
      ...(keydir === undefined ? {} : { keydir }),
      ...(memory === undefined ? {} : { memory }),
      directory,
      partition,
      partitionUuid: uuid,
      nodeId: settings.nodeId,
      engine: settings.engine,
      segmentBytesMax: settings.segmentBytesMax,
      acceptTornTail: false,
      flush,
      hashSeed: hashSeedOf(uuid),
      mustExist,
      producers: new ProducerTable(settings.producers),
      member: { closedCleanly },
    };
    const result = await openReplica(options, storeDoors);
    if (result.kind === 'unusable') return result;
    return { kind: 'opened', store: new PartitionStore(result.opened, storeDoors, flush) };
  };
}
