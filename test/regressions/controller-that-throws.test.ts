import { expect } from 'chai';
import { CONTROLLER_SETTINGS, Controller } from '../../src/controller/controller.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { InvariantError } from '../../src/model/errors.ts';
import { P0, startCluster } from '../controller/started-cluster.ts';

describe('a controller that throws', () => {
  it('ends its reign, and leaves nobody without an answer', async () => {
    const cluster = await startCluster();
    const { reign, session, nodeId } = cluster.reigning;
    if (reign === null || session === null) throw new Error('nobody reigns');
    let isBroken = false;
    const decide: typeof CONTROLLER_RULES.decide = (rules, state, world) => {
      if (isBroken) throw new InvariantError('our own bug');
      return CONTROLLER_RULES.decide(rules, state, world);
    };
    const reasons: string[] = [];
    const { clock, logger } = cluster;
    const controller = new Controller(
      { ...CONTROLLER_RULES, decide },
      {
        nodeId,
        session,
        clock,
        logger,
        settings: CONTROLLER_SETTINGS,
        send: () => {},
        gaveUp: (reason) => reasons.push(reason),
      },
    );
    controller.begin(reign);
    await clock.advance(100);
    expect(controller.state.controllerEpoch).to.equal(reign.controllerEpoch);
    isBroken = true;
    const result = await controller.admin({ kind: 'electPreferred', partition: P0 });
    expect(result).to.deep.equal({ ok: false, reason: 'the controller failed' });
    expect(controller.state.controllerEpoch).to.equal(null);
    expect(reasons).to.deep.equal(['our own bug']);
    isBroken = false;
    controller.begin(reign);
    await clock.advance(100);
    expect(controller.state.controllerEpoch).to.equal(reign.controllerEpoch);
    controller.end();
  });
});
