import { createHash } from 'node:crypto';
import type { IsrProposal } from '../../src/model/control-messages.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import type { FollowerProgress } from '../../src/replication/rules/types.ts';
import type { EpochStart, Model, ModelNode, Wire } from './model.ts';

/** Two models with the same key go on in the same ways. Times count from now; what is over is over, however long ago. */
export function modelKey(model: Model): string {
  const relative = (ms: number): string => (ms <= model.nowMs ? '.' : `${ms - model.nowMs}`);
  const { budget } = model;
  const parts = [
    stateKey(model.state),
    model.live.join(),
    model.acknowledged.map(({ id }) => id).join(),
    Object.values(budget).join(),
    model.stamps.map((each) => `${each.from}${each.to}${each.life}${model.nowMs - each.sentAtMs}`).join(),
    ...model.nodes.map((node) => nodeKey(node, model.state, relative)),
  ];
  return parts.join('|');
}

/** A key in 12 bytes: at ten million states two of them share one with a chance of one in 10^15. */
export function shortKey(key: string): string {
  return createHash('md5').update(key).digest('base64').slice(0, 16);
}

function stateKey(state: PartitionState): string {
  const { version, leader, leaderEpoch, isr, elr, incarnations, directoryIds } = state;
  const lives = [...isr, ...elr].map(
    (node) => `${incarnations[node]}${directoryIds[node] === undefined ? '?' : ''}`,
  );
  return `${version} ${leader} ${leaderEpoch} ${isr.join()} ${elr.join()} ${lives.join()}`;
}

function nodeKey(node: ModelNode, newest: PartitionState, relative: (ms: number) => string): string {
  const promises = node.promises
    .map(({ leader, incarnation, untilMs }) => `${leader}/${incarnation}:${relative(untilMs)}`)
    .filter((text) => !text.endsWith('.'));
  return [
    node.up ? node.life : `-${node.life}`,
    node.isLossy ? 'L' : '',
    node.log.map(({ epoch, id }) => `${epoch}.${id}`).join(),
    epochsKey(node.epochs),
    node.highWatermark,
    node.state === null ? '' : node.state === newest ? '=' : stateKey(node.state),
    node.leaderEpochMax,
    roleKey(node, relative),
    wireKey(node.wire),
    node.proposal === null ? '' : proposalKey(node.proposal),
    promises.join(),
    node.hasPromised ? 'P' : '',
    relative(node.bootWaitUntilMs),
  ].join(';');
}

function roleKey({ role }: ModelNode, relative: (ms: number) => string): string {
  if (role.kind === 'none') return '-';
  if (role.kind === 'follower') return `f${role.epoch}`;
  const followers = [...role.followers.values()]
    .sort((left, right) => left.node - right.node)
    .map((progress) => progressKey(progress, relative));
  const { pending } = role;
  return [
    `l${role.epoch}`,
    role.start,
    followers.join('/'),
    pending === null ? '' : membersKey({ version: pending.version, isr: pending.members }),
    relative(role.mayActAtMs),
    role.hasHadMinInsync ? 'm' : '',
  ].join('+');
}

function epochsKey(epochs: readonly EpochStart[]): string {
  return epochs.map(({ epoch, start }) => `${epoch}@${start}`).join();
}

function proposalKey(proposal: IsrProposal): string {
  return `${proposal.leaderIncarnation}/${proposal.leaderEpoch}/${membersKey(proposal)}`;
}

function membersKey({ version, isr }: Pick<IsrProposal, 'version' | 'isr'>): string {
  return `${version}:${isr.map(({ node, incarnation }) => `${node}.${incarnation}`).join()}`;
}

function progressKey(progress: FollowerProgress, relative: (ms: number) => string): string {
  const { node, incarnation, fetchOffset, durableOffset, ackedVersion, leaseUntilMs } = progress;
  return `${node},${incarnation},${fetchOffset},${durableOffset},${ackedVersion},${relative(leaseUntilMs)}`;
}

function wireKey(wire: Wire | null): string {
  if (wire === null) return '';
  if (wire.kind === 'request')
    return `q${wire.to},${wire.life},${wire.epoch},${wire.offset},${wire.lastEpoch},${wire.version}`;
  if (wire.kind === 'data')
    return `d${wire.epoch},${wire.offset},${wire.entries.map(({ id }) => id).join()},${epochsKey(wire.epochs)},${wire.highWatermark}`;
  return `v${wire.epoch},${wire.endEpoch},${wire.endOffset},${wire.highWatermark}`;
}
