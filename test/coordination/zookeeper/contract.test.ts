import { ZooKeeperServer } from '../../support/zookeeper-server.ts';
import { describeCoordinator } from '../coordinator-contract.ts';
import { zooKeeperFixture } from './zookeeper-fixture.ts';

describe('ZooKeeper, one server', function () {
  this.timeout(60_000);
  let server: ZooKeeperServer;

  before(async () => {
    server = await ZooKeeperServer.start();
  });

  after(async () => {
    await server.destroy();
  });

  describeCoordinator('ZooKeeper', {
    factory: async () => (await zooKeeperFixture([server.address])).coordinator,
  });
});
