import { expect } from 'chai';
import { startCluster } from '../controller/started-cluster.ts';

describe('a controller that shuts down itself', () => {
  it('may stop only when the writes that take it out of the ISRs are made: nobody makes them after it', async () => {
    const cluster = await startCluster();
    const first = cluster.reigning;
    if (cluster.partition().leader === first.nodeId) {
      if (first.session !== null) cluster.coordinator.expire(first.session);
      await cluster.clock.advance(2_000);
    }
    const leaving = cluster.reigning;
    expect(cluster.partition().leader).to.not.equal(leaving.nodeId);
    expect(cluster.partition().isr).to.include(leaving.nodeId);
    const { nodeId: node, incarnation } = leaving;
    leaving.send({ kind: 'shutdownRequest', node, incarnation });
    const mayStop = (): boolean =>
      leaving.received.some((message) => message.kind === 'shutdownReply' && message.remaining === 0);
    for (let turns = 0; turns < 1_000 && !mayStop(); turns += 1) await cluster.clock.runTurn();
    expect(mayStop()).to.equal(true);
    expect(cluster.partition().isr).to.not.include(node);
  });
});
