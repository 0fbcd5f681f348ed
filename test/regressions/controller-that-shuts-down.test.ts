import { expect } from 'chai';
import { startCluster } from '../controller/started-cluster.ts';

describe('a controller that shuts down itself', () => {
  it('may stop only when the writes that take it out of the ISRs are made: nobody makes them after it', async () => {
    const cluster = await startCluster(3, 6);
    const leaving = cluster.reigning;
    const { nodeId: node, incarnation } = leaving;
    leaving.send({ kind: 'shutdownRequest', node, incarnation });
    const mayStop = (): boolean =>
      leaving.received.some((message) => message.kind === 'shutdownReply' && message.remaining === 0);
    for (let turns = 0; turns < 1_000 && !mayStop(); turns += 1) await cluster.clock.runTurn();
    expect(mayStop()).to.equal(true);
    for (let id = 0; id < 6; id += 1) {
      expect(cluster.partition(id).leader, `partition ${id}`).to.not.equal(node);
      expect(cluster.partition(id).isr, `partition ${id}`).to.not.include(node);
    }
  });
});
