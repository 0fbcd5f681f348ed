import { expect } from 'chai';
import type { LeaseStamp } from '../../src/replication/messages.ts';
import { RpcNode } from './rpc-nodes.ts';

const stamp = (from: RpcNode, sequence: number): LeaseStamp => ({
  kind: 'leaseStamp',
  from: from.nodeId,
  fromIncarnation: from.incarnation,
  sequence,
  leaseMs: 600,
  wallMs: 1_700_000_000_123,
});

describe('the network between nodes', () => {
  let nodes: RpcNode[] = [];
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    nodes = [];
  });

  async function start(count: number): Promise<RpcNode[]> {
    for (let id = 1; id <= count; id += 1) nodes.push(await RpcNode.start(id));
    for (const node of nodes) node.network.setPeers(nodes.map(({ address }) => address));
    return nodes;
  }

  it('carries messages both ways, each on the streams of its sender', async () => {
    const [one, two] = (await start(2)) as [RpcNode, RpcNode];
    await Promise.all([one.connectedTo(two), two.connectedTo(one)]);
    one.network.sendPeer(two.nodeId, stamp(one, 1));
    two.network.sendPeer(one.nodeId, stamp(two, 7));
    await two.until(() => two.received.length === 1);
    await one.until(() => one.received.length === 1);
    expect(two.received).to.deep.equal([stamp(one, 1)]);
    expect(one.received).to.deep.equal([stamp(two, 7)]);
  });
});
