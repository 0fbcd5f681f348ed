import { expect } from 'chai';
import type { ControllerEffect, ControllerEvent } from '../../src/controller/controller-event.ts';
import { CONTROLLER_SETTINGS, idleState } from '../../src/controller/controller-state.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { step } from '../../src/controller/step.ts';
import { asControllerEpoch, asPartitionVersion } from '../../src/model/numbers.ts';
import { CLUSTER_FACTS, lifeOf, node, nodes, partitionState } from '../support/partition-states.ts';

const remainingIn = (effects: readonly ControllerEffect[]): (number | null)[] =>
  effects.map((effect) =>
    effect.kind === 'send' && effect.message.kind === 'shutdownReply' ? effect.message.remaining : null,
  );

describe('a controller that shuts down itself', () => {
  it('may stop only when the write that takes it out of the ISR is made: nobody makes it after it', () => {
    let state = idleState(node(3), CONTROLLER_SETTINGS);
    const play = (event: ControllerEvent): readonly ControllerEffect[] => {
      // Whom the controller has to have heard (R17) is not what this is about.
      const result = step(
        { ...CONTROLLER_RULES, isWitnessed: () => true, hasLeaderSpoken: () => true },
        state,
        event,
      );
      state = result.state;
      return result.effects;
    };
    const registrations = nodes(1, 2, 3).map((nodeId) => ({
      nodeId,
      incarnation: lifeOf(nodeId),
      addresses: {},
      rack: '',
    }));
    const world = { facts: CLUSTER_FACTS, nodes: registrations, partitions: [partitionState()] };
    play({ kind: 'reignBegan', controllerEpoch: asControllerEpoch(3), world, nowMs: 0 });
    const message = { kind: 'shutdownRequest', node: node(3), incarnation: lifeOf(3) } as const;
    const asked = play({ kind: 'message', message, nowMs: 1 });
    expect(asked.map(({ kind }) => kind)).to.include('write');
    expect(remainingIn(asked)).to.include(1).and.not.include(0);
    const outcome = { kind: 'written', version: asPartitionVersion(8) } as const;
    const told = play({ kind: 'written', partition: partitionState().id, outcome, nowMs: 2 });
    expect(remainingIn(told)).to.include(0);
  });
});
