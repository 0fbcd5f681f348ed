import { expect } from 'chai';
import type { ControllerEffect, ControllerEvent } from '../../src/controller/controller-event.ts';
import { CONTROLLER_SETTINGS, idleState } from '../../src/controller/controller-state.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { step } from '../../src/controller/step.ts';
import { asControllerEpoch, type NodeId } from '../../src/model/numbers.ts';
import { CLUSTER_FACTS, lifeOf, node, nodes, partitionState } from '../support/partition-states.ts';

/** What nodes are told in answer to their wish to stop. */
const remainingIn = (effects: readonly ControllerEffect[]): [NodeId, number][] =>
  effects.flatMap((effect): [NodeId, number][] =>
    effect.kind === 'send' && effect.message.kind === 'shutdownReply'
      ? [[effect.node, effect.message.remaining]]
      : [],
  );

// Ctrl-C in `make cluster`: the nodes that led something waited ten seconds for each other to take it over.
describe('a cluster whose nodes all stop at once', () => {
  function reign(alive: readonly NodeId[]): (event: ControllerEvent) => [NodeId, number][] {
    let state = idleState(node(3), CONTROLLER_SETTINGS);
    const rules = { ...CONTROLLER_RULES, isWitnessed: () => true, hasLeaderSpoken: () => true };
    const play = (event: ControllerEvent): [NodeId, number][] => {
      const result = step(rules, state, event);
      state = result.state;
      return remainingIn(result.effects);
    };
    const registrations = alive.map((nodeId) => ({
      nodeId,
      incarnation: lifeOf(nodeId),
      addresses: {},
      rack: '',
    }));
    const partitions = [partitionState({ isr: [1, 2] })];
    const world = { facts: CLUSTER_FACTS, nodes: registrations, partitions };
    play({ kind: 'reignBegan', controllerEpoch: asControllerEpoch(3), world, nowMs: 0 });
    return play;
  }

  const wish = (id: number, nowMs: number): ControllerEvent => ({
    kind: 'message',
    message: { kind: 'shutdownRequest', node: node(id), incarnation: lifeOf(node(id)) },
    nowMs,
  });

  it('the leader waits while another replica stays, and no longer', () => {
    const play = reign(nodes(1, 2, 3));
    expect(play(wish(2, 1)), 'a follower').to.deep.equal([[node(2), 0]]);
    expect(play(wish(1, 2)), 'node 3 is not in sync, and may be soon').to.deep.equal([[node(1), 1]]);
    expect(play(wish(3, 3)), 'all leave').to.deep.equal([
      [node(1), 0],
      [node(3), 0],
    ]);
  });

  it('the last one that lives waits for nobody', () => {
    expect(reign(nodes(1))(wish(1, 1))).to.deep.equal([[node(1), 0]]);
  });
});
