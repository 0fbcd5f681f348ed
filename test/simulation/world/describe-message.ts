import type { ControlMessage } from '../../../src/model/control-messages.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { FetchOutcome, PeerMessage } from '../../../src/replication/messages.ts';

/** One message as a short piece of a log line. */
export function describePeer(message: PeerMessage): string {
  switch (message.kind) {
    case 'fetch':
      return `fetch p${message.partition} e${message.leaderEpoch} #${message.fetchId} at ${message.fetchOffset} after e${message.lastFetchedEpoch} durable ${message.durableOffset} v${message.partitionVersion}${message.rebuildId === 0 ? '' : ` rebuild ${message.rebuildId}`}`;
    case 'fetchProgress':
      return `progress p${message.partition} e${message.leaderEpoch} durable ${message.durableOffset} v${message.partitionVersion}`;
    case 'fetchReply':
      return `reply p${message.partition} e${message.leaderEpoch} #${message.fetchId} ${describeOutcome(message.outcome)}`;
    case 'leaseStamp':
      return `stamp #${message.sequence}`;
    case 'leaseEcho':
      return `echo #${message.sequence} ${message.partitions.map(({ partition, leaderEpoch }) => `p${partition}e${leaderEpoch}`).join(' ')}`;
    case 'leaderReleased':
      return `released p${message.partition} e${message.leaderEpoch}`;
  }
}

function describeOutcome(outcome: FetchOutcome): string {
  if (outcome.result === 'data')
    return `data ${outcome.bytes.length}B to ${outcome.nextOffset} hw ${outcome.highWatermark} v${outcome.partitionVersion}`;
  if (outcome.result === 'diverging') return `diverging e${outcome.epoch} ends ${outcome.endOffset}`;
  return outcome.result;
}

export function describeControl(message: ControlMessage): string {
  switch (message.kind) {
    case 'statePush':
      return `push c${message.controllerEpoch} ${message.partitions.map(describeState).join(' ')}`;
    case 'isrProposal':
      return `proposal #${message.proposalId} p${message.partition} e${message.leaderEpoch} v${message.version} isr ${message.isr.map(({ node, incarnation }) => `${node}@${incarnation % 1e6}`).join(',')}`;
    case 'isrProposalReply':
      return `answer #${message.proposalId} p${message.partition} ${message.result}${message.state === null ? '' : ` ${describeState(message.state)}`}`;
    case 'replicaQuery':
      return `query #${message.queryId} c${message.controllerEpoch}`;
    case 'replicaQueryReply':
      return `report #${message.queryId} ${message.reports.map((report) => `p${report.partition} e${report.lastEpoch} end ${report.logEndOffset} ${report.verdict}`).join(', ')}`;
    case 'statePushAck':
      return `ack c${message.controllerEpoch} ${message.versions.map(([partition, version]) => `p${partition}v${version}`).join(' ')}`;
    case 'shutdownRequest':
      return 'shutdown?';
    case 'shutdownReply':
      return `shutdown: ${message.remaining} left`;
    case 'handOverRequest':
      return `hand over p${message.partition} e${message.leaderEpoch} c${message.controllerEpoch}`;
    case 'handOverReady':
      return `handed over p${message.partition} e${message.leaderEpoch} end ${message.logEndOffset}`;
    case 'replicaTrouble':
      return `trouble p${message.partition} e${message.leaderEpoch} ${message.trouble}`;
  }
}

export function describeState(state: PartitionState): string {
  const { id, version, leader, leaderEpoch, isr, elr } = state;
  return `p${id}v${version} leader ${leader ?? '-'} e${leaderEpoch} isr ${isr.join(',')} elr ${elr.join(',')}`;
}
