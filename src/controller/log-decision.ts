import type { Logger } from '../env/logger.ts';
import type { ControllerEffect } from './controller-event.ts';

/** One line for each change of a partition; elections are told to everybody, changes of the ISR to who asks for details. */
export function logDecision(logger: Logger, effect: Extract<ControllerEffect, { kind: 'decided' }>): void {
  const { state, leaderEpochBefore, flight } = effect;
  const { id: partition, version, leader, leaderEpoch, isr, elr, controllerEpoch } = state;
  const fields = {
    component: 'controller',
    partition,
    version,
    leader,
    leaderEpoch,
    isr,
    elr,
    controllerEpoch,
    reason: flight.reason,
  };
  if (leaderEpoch === leaderEpochBefore) {
    logger.debug(fields, `partition ${partition} changed: ${flight.reason}`);
    return;
  }
  const candidates = flight.candidates.map(({ node, position }) => ({
    node,
    lastEpoch: position?.lastEpoch ?? null,
    logEndOffset: position?.logEndOffset ?? null,
  }));
  const who = leader === null ? 'has no leader' : `is led by node ${leader}`;
  const text = `partition ${partition} ${who} in epoch ${leaderEpoch}: ${flight.reason}`;
  if (flight.reason === 'unclean') logger.error({ ...fields, candidates }, `${text}; writes may be lost`);
  else if (leader === null) logger.warn({ ...fields, candidates }, text);
  else logger.info({ ...fields, candidates }, text);
}
