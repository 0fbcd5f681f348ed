import { expect } from 'chai';
import { parseServers, ServerRotation } from '../../../src/coordination/zookeeper/server-rotation.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import { SeededRandom } from '../../support/seeded-random.ts';

describe('the order of ZooKeeper servers', () => {
  const servers = parseServers(['a:1', '[::1]:2181', 'c.example:3']);

  it('addresses are HOST:PORT, IPv6 in brackets', () => {
    expect(servers).to.deep.equal([
      { host: 'a', port: 1 },
      { host: '::1', port: 2181 },
      { host: 'c.example', port: 3 },
    ]);
  });

  for (const addresses of [[], [''], ['a'], ['a:'], ['a:0'], ['a:65536'], ['::1:2181'], ['a:1', ':2']]) {
    it(`${JSON.stringify(addresses)} is refused`, () => {
      expect(() => parseServers(addresses)).to.throw(CaskadeError, 'zookeeper.servers');
    });
  }

  it('every server has its turn in each round, from a random one on', () => {
    const firsts = new Set<string>();
    for (let seed = 1; seed <= 50; seed += 1) {
      const rotation = new ServerRotation(servers, new SeededRandom(seed), 1_000);
      const hosts = Array.from({ length: 6 }, () => rotation.next().server.host);
      expect(new Set(hosts.slice(0, 3)).size).to.equal(3);
      expect(hosts.slice(3)).to.deep.equal(hosts.slice(0, 3));
      firsts.add(hosts[0] ?? '');
    }
    expect(firsts.size).to.equal(3);
  });

  it('there is a pause after each round without success, and none within', () => {
    const random = { bytes: () => new Uint8Array(0), uuid: () => '', below: (bound: number) => bound - 1 };
    const rotation = new ServerRotation(servers, random, 700);
    const pauses = (count: number): number[] => Array.from({ length: count }, () => rotation.next().delayMs);
    expect(pauses(7)).to.deep.equal([0, 0, 0, 700, 0, 0, 700]);
    rotation.succeeded();
    expect(pauses(4)).to.deep.equal([0, 0, 0, 700]);
  });
});
