import { expect } from 'chai';
import { ZooKeeperEnsemble } from '../../support/zookeeper-ensemble.ts';
import { ZooKeeperServer } from '../../support/zookeeper-server.ts';

describe('the ZooKeeper servers of the tests', function () {
  this.timeout(60_000);

  it('one server serves, and is gone when it is destroyed', async () => {
    const server = await ZooKeeperServer.start();
    expect(await server.mode()).to.equal('standalone');
    await server.destroy();
    expect(await server.mode()).to.equal(null);
  });

  it('three servers elect one leader, and another one after its death', async () => {
    const ensemble = await ZooKeeperEnsemble.start();
    const leader = await ensemble.leader();
    await leader.kill();
    expect(await ensemble.leader()).to.not.equal(leader);
    await ensemble.destroy();
  });
});
